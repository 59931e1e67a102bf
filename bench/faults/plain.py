"""What plain OpenTelemetry can answer on the same faults: the SDK's own processors, into a real receiver.

The program has a provider of its own with one `BatchSpanProcessor` or `SimpleSpanProcessor` and the OTLP exporter, and gets the
very same instrumentation, so that only what reaches the receiver differs. Of each run is asked:

- each step that began: did its span arrive, with its status?
- each step that was in flight: did anything of it arrive?
- what stopped the run: did the span of that step arrive, with that exception's type?
- how the process ended; each thing that did not run; each failure that was handled: no span says it, so these count as
  unanswered.
"""

from __future__ import annotations

import sys
import tempfile
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from .case import Case
from .ledgers import attempts, numbers
from .running import read_report, run

PROCESSORS = {"batch": "BatchSpanProcessor", "simple": "SimpleSpanProcessor"}
_PROVIDER = """\
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import {processor}

provider = TracerProvider()
provider.add_span_processor({processor}(OTLPSpanExporter("{url}/v1/traces")))
trace.set_tracer_provider(provider)
"""


def measure(chosen: list[Case], jobs: int) -> dict[str, dict[str, str]]:
    """Return, by case and processor, how much could be answered: ``answered/asked``."""
    sys.path.append(str(Path(__file__).resolve().parents[2] / "tests"))
    from receiver import receiving

    with tempfile.TemporaryDirectory(prefix="receiver-") as folder, receiving(Path(folder)) as receiver:
        todo = [(case, name) for case in chosen if not case.cannot() for name in PROCESSORS]
        with ThreadPoolExecutor(jobs) as pool:
            asked = list(pool.map(lambda each: _facts(*each, receiver.url), todo))
            print(f"{len(asked)} runs with plain OpenTelemetry", file=sys.stderr)
        time.sleep(2)
        arrived = {span["span_id"]: span for span in receiver.spans()}
    found: dict[str, dict[str, str]] = {}
    for (case, name), reports in zip(todo, asked, strict=True):
        answers = [answer for report in reports for answer in _answers(report, arrived)]
        found.setdefault(case.name, {})[name] = f"{sum(answers)}/{len(answers)}"
    return found


def _facts(case: Case, name: str, url: str) -> list[dict[str, Any]]:
    """Run the case with a provider of its own, and return its reports: what there was to be told."""
    provider = _PROVIDER.format(processor=PROCESSORS[name], url=url)
    changed = replace(case, script=provider + textwrap.dedent(case.script))
    with tempfile.TemporaryDirectory(prefix="plain-", ignore_cleanup_errors=True) as made:
        folder = Path(made).resolve()
        run(changed, folder)
        every = numbers(attempts(folder / ".codeintel"))
        return [read_report(folder, attempt.run_id, number) for attempt, number, _ in every]


def _answers(report: dict[str, Any], arrived: dict[str, dict[str, Any]]) -> list[bool]:
    """Return for each fact of a run whether what arrived tells it."""
    answers = [_tells(step, arrived.get(step["id"])) for step in report["steps"]]
    stop = report["stopped_because"]
    if stop is not None:
        answers.append(_names(stop, arrived.get(stop["step"] or "")))
    untold = len(report["did_not_run"]) + len(report["handled_failures"]) + (report["exit"] is not None)
    return answers + [False] * untold


def _tells(step: dict[str, Any], span: dict[str, Any] | None) -> bool:
    if span is None:
        return False
    failed = step["status"] in {"failed", "timed_out"}
    return failed == (span.get("status", {}).get("code") in {2, "STATUS_CODE_ERROR"})


def _names(stop: dict[str, Any], span: dict[str, Any] | None) -> bool:
    return span is not None and span["attributes"].get("error.type") == stop["error_type"]
