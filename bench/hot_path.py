"""What one recorded step costs, as a ratio to a plain SDK span in the same run; peers beside it."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import io
import os
import sys
import tempfile
import time
import types
from collections.abc import Callable, Iterator
from typing import Any

import wrapt
from measure import Contender, in_threads, interleaved, low_quantile, table
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import DEFAULT_ON

from codeintel_obs import Call, FieldClass, LibraryInstrumentor, Point, guard
from codeintel_obs import recorder as recording
from codeintel_obs.context import suppress
from codeintel_obs.launch.sinks import Sinks
from codeintel_obs.recorder import Listeners, Recorder, install
from codeintel_obs.runs import Run
from codeintel_obs.settings import load
from codeintel_obs.spans import Private, Spans

ATTRIBUTES = {f"db.attribute.{index}": index for index in range(8)}


def search(query: object, k: int) -> object:
    """Stand in for a library's method: nothing, so that all of the time is the recorder's."""
    return query if k else None


library = types.ModuleType("bench_library")
library.search = search  # type: ignore[attr-defined]
search.__module__ = "bench_library"
sys.modules["bench_library"] = library


def _before(call: Call) -> dict[str, Any]:
    return {"k": call.arg(1, "k"), "nq": 1}


def _after(_call: Call, _result: object) -> dict[str, Any]:
    return {"d": 384, "ntotal": 100_000, "nprobe": 16, "index_type": "IndexIVFFlat", "gpu": False, "missing": 0}


class BenchInstrumentor(LibraryInstrumentor):
    """A plugin with the payload of ``faiss.search``."""

    plugin = "bench"
    library = "bench_library"
    points = (Point(module="bench_library", name="search", kind="bench.search", before=_before, after=_after),)
    fields = {"index_type": FieldClass.CODE} | dict.fromkeys(
        ("k", "nq", "d", "ntotal", "nprobe", "gpu", "missing"), FieldClass.COUNT
    )


class Null(SpanExporter):
    """Takes spans and does nothing."""

    def export(self, spans: Any) -> SpanExportResult:  # noqa: ARG002 - the interface's signature
        return SpanExportResult.SUCCESS


class Encoding(SpanExporter):
    """Encodes spans as OTLP does, and sends nothing."""

    def export(self, spans: Any) -> SpanExportResult:
        encode_spans(spans).SerializeToString()
        return SpanExportResult.SUCCESS


class Quiet(BatchSpanProcessor):
    """Hands spans to the real queue; a full queue drops, as in a service under load."""

    def on_end(self, span: ReadableSpan) -> None:
        super().on_end(span)


def plain_span(exporter: SpanExporter) -> Contender:
    """Return the reference: a wrapt-wrapped function in a plain SDK span of 8 attributes."""
    provider = TracerProvider(resource=Resource.create({}), sampler=DEFAULT_ON)
    provider.add_span_processor(Quiet(exporter))
    tracer = provider.get_tracer("bench")

    def observed(wrapped: Callable[..., Any], _instance: Any, args: Any, kwargs: Any) -> Any:
        with tracer.start_as_current_span("bench.search", attributes=ATTRIBUTES):
            return wrapped(*args, **kwargs)

    return _times(wrapt.FunctionWrapper(search, observed))


def _times(function: Callable[..., Any]) -> Contender:
    def work(times: int) -> None:
        for _ in range(times):
            function(None, 10)

    return work


def recorded(_exporter: SpanExporter) -> Contender:
    """Return our full step: begin and end records in the kernel, a span with its event to the processors."""
    return _times(lambda query, k: library.search(query, k))  # type: ignore[attr-defined]


@contextlib.contextmanager
def recorder(folder: str, exporter: SpanExporter) -> Iterator[None]:
    """Record into ``folder`` and into a batch processor."""
    from importlib.metadata import entry_points

    settings = load({}, folder)
    private = Private(Resource.create({}), DEFAULT_ON, lambda: Quiet(exporter))
    sinks = Sinks(settings, [each for each in entry_points(group="codeintel_obs") if each.name in {"ledger", "spans"}])
    run = Run(name="bench")
    run.is_process = True
    active = Recorder(settings, run, sinks.listeners(), Spans(private))
    sinks.configure(settings, active, dict)
    install(active)
    plugin = BenchInstrumentor()
    plugin.instrument()
    try:
        yield
    finally:
        plugin.uninstrument()
        active.shutdown()
        install(None)
    if guard.counts:
        raise SystemExit(f"errors of ours, the figures mean nothing: {dict(guard.counts)}")


def peers() -> dict[str, Contender]:
    """Return other people's ways of writing down a begin and an end, as far as they are installed."""
    found: dict[str, Contender] = {}
    with contextlib.suppress(ImportError):
        import structlog

        logger = structlog.wrap_logger(
            structlog.BytesLogger(open("/dev/null", "wb")),  # noqa: SIM115 - for the process's life
            processors=[
                structlog.processors.TimeStamper(fmt="iso"),
                structlog.processors.JSONRenderer(serializer=lambda *a, **k: _dumps(*a, **k)),
            ],
        )
        found["structlog (peer)"] = _pairs(lambda: logger.info("begin", **ATTRIBUTES), lambda: logger.info("end", k=1))
    with contextlib.suppress(ImportError):
        import eliot

        eliot.to_file(open("/dev/null", "w"))  # noqa: SIM115 - for the process's life

        def action() -> None:
            with eliot.start_action(action_type="bench.search", **ATTRIBUTES):
                search(None, 10)

        found["eliot (peer)"] = _pairs(action, lambda: None)
    return found


def _dumps(value: Any, **_options: Any) -> bytes:
    import msgspec

    return msgspec.json.encode(value)


def _pairs(begin: Callable[[], Any], end: Callable[[], Any]) -> Contender:
    def work(times: int) -> None:
        for _ in range(times):
            begin()
            end()

    return work


def full_step(rounds: int, times: int) -> list[list[str]]:
    """Return rows: the whole step, and what else there is, for 1 and 4 threads."""
    rows = []
    with tempfile.TemporaryDirectory() as folder, recorder(folder, Null()):
        ours = recorded(Null())
        contenders = {"plain SDK span": plain_span(Null()), "a full step": ours, **peers()}
        costs = interleaved(contenders, rounds, times)
        unit = costs["plain SDK span"]
        for name, cost in costs.items():
            budget = "0.40 (stretch 0.25)" if name == "a full step" else ""
            rows.append([f"{name}, 1 thread", f"{cost:.1f} µs", f"{cost / unit:.2f}", budget])
        threaded = {name: in_threads(contenders[name], 4) for name in ("plain SDK span", "a full step")}
        costs = interleaved(threaded, rounds, times)
        for name, cost in costs.items():
            budget = "0.40 (stretch 0.25)" if name == "a full step" else ""
            rows.append([f"{name}, 4 threads", f"{cost:.1f} µs", f"{cost / costs['plain SDK span']:.2f}", budget])
        rows.append(suppressed(rounds, times))
    return rows


def parts(rounds: int, times: int) -> list[list[str]]:
    """Return rows: where the time of a full step goes, as CPU of one thread."""
    with tempfile.TemporaryDirectory() as folder, recorder(folder, Null()):
        active = recording.active
        assert active is not None
        every, ours = active.listeners, recorded(Null())

        def heard_by(*sinks: str) -> Contender:
            def work(count: int) -> None:
                active.listeners = _of(every, sinks)
                try:
                    ours(count)
                finally:
                    active.listeners = every

            return work

        costs = interleaved(
            {
                "plain SDK span": plain_span(Null()),
                "two bare write(2)": _writes(folder),
                "a step that no sink hears": heard_by(),
                "with the sink of spans": heard_by("SpansSink"),
                "with the sink of the ledger": heard_by("LedgerSink"),
            },
            rounds,
            times,
            time.thread_time,
        )
    return [
        [f"{name}, by parts", f"{cost:.1f} µs", f"{cost / costs['plain SDK span']:.2f}", ""]
        for name, cost in costs.items()
    ]


def _of(every: Listeners, sinks: tuple[str, ...]) -> Listeners:
    def kept(hook: str) -> tuple[Any, ...]:
        return tuple(each for each in getattr(every, hook) if type(each.__self__).__name__ in sinks)

    return dataclasses.replace(every, step_begun=kept("step_begun"), step_ended=kept("step_ended"))


def _writes(folder: str) -> Contender:
    fd = os.open(f"{folder}/lines", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    line = b"x" * 380 + b"\n"
    return _pairs(lambda: os.write(fd, line), lambda: os.write(fd, line))


def suppressed(rounds: int, times: int) -> list[str]:
    """Return the row of a watched call while recording is suppressed, over the bare call."""

    def quiet(count: int) -> None:
        with suppress():
            recorded(Null())(count)

    costs = interleaved({"bare": _times(search), "suppressed": quiet}, rounds, times)
    return ["a watched call while suppressed", f"+{costs['suppressed'] - costs['bare']:.2f} µs", "", "1.5 µs"]


def total_cpu(rounds: int, times: int) -> list[list[str]]:
    """Return rows: process CPU of everything, OTLP encoding in the background included."""
    with tempfile.TemporaryDirectory() as folder, recorder(folder, Encoding()):
        contenders = {"plain SDK span": plain_span(Encoding()), "a full step": recorded(Encoding())}
        seen: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(rounds):
            for name, contender in contenders.items():
                begun = time.process_time()
                contender(times)
                time.sleep(0.05)  # lets the batch thread encode what this round queued
                seen[name].append((time.process_time() - begun) / times * 1e6)
    costs = {name: low_quantile(values, 0.3) for name, values in seen.items()}
    unit = costs["plain SDK span"]
    return [
        [
            f"{name}, total CPU with OTLP encoding",
            f"{cost:.1f} µs",
            f"{cost / unit:.2f}",
            "0.85" if name == "a full step" else "",
        ]
        for name, cost in costs.items()
    ]


def main() -> None:
    """Print the table of DESIGN's budgets for the hot path."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--times", type=int, default=1000)
    options = parser.parse_args()
    rows = [["what", "p10", "ratio", "budget"]]
    with contextlib.redirect_stderr(io.StringIO()):
        rows += full_step(options.rounds, options.times)
        rows += parts(options.rounds, options.times)
        rows += total_cpu(max(10, options.rounds // 3), options.times)
    print(table(f"Hot path ({options.rounds} rounds of {options.times}, taken in turns)", rows))


if __name__ == "__main__":
    main()
