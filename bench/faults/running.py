"""Runs one case under `codeintel-obs run` in a folder of its own, and reads every report that it left."""

from __future__ import annotations

import difflib
import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codeintel_obs.report.hint_rules import RULES

from .case import Case, Started
from .ledgers import attempts, numbers
from .words import tell

BIN = Path(sys.executable).parent
OBS = str(BIN / "codeintel-obs")
_SECONDS = 90
_HINT = "hint: "


@dataclass
class Result:
    """How a case came out; ``wrong`` are the lines of a diff, expected against told."""

    case: Case
    told: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    not_run: str | None = None
    seconds: float = 0.0
    exit_code: int | None = None
    lines: int = 0

    @property
    def false(self) -> list[str]:
        """Return the statements that the ledger refutes, and those told that were not expected."""
        return [line for line in self.wrong if line.startswith("+")]

    @property
    def exact(self) -> bool:
        return self.not_run is None and not self.wrong


def environ(case: Case) -> dict[str, str]:
    """Return an environment without anything of ours, OpenTelemetry's or git's, but for what the case asks for."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_DROPPED)}
    path = f"{BIN}{os.pathsep}{kept.get('PATH', '')}"
    return {**kept, "PATH": path, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C.UTF-8", **case.env}


_DROPPED = ("CODEINTEL_", "OTEL_", "PYTHON", "GIT_")


def run(case: Case, folder: Path) -> Result:
    """Inject the fault in ``folder`` and compare what the reports say with what they have to."""
    begun = time.monotonic()
    reason = case.cannot()
    if reason:
        return Result(case, not_run=reason)
    result = Result(case)
    (folder / "fault.py").write_text(textwrap.dedent(case.script).lstrip())
    if case.prepare:
        case.prepare(folder)
    result.exit_code = _driven(case, folder, result.told)
    result.told += reports(folder, case.parallel) or ([] if result.told else ["no run on record"])
    hints = {line.removeprefix(_HINT) for line in result.told if line.startswith(_HINT)}
    result.told = [line for line in result.told if not line.startswith(_HINT)]
    expected = [line for line in textwrap.dedent(case.expect).splitlines() if line.strip()]
    result.lines = len(expected)
    result.wrong = [*_difference(expected, result.told), *_wrong_hints(case, hints)]
    if result.exit_code != case.exits:
        result.wrong.append(f"+the command ended by {result.exit_code}, and not by {case.exits}")
    result.seconds = round(time.monotonic() - begun, 2)
    return result


def _wrong_hints(case: Case, told: set[str]) -> list[str]:
    """Return what differs between the hints told and those of the rules that name this case."""
    expected = {rule.hint for rule in RULES if case.name in rule.faults}
    return [f"-hint: {each}" for each in sorted(expected - told)] + [
        f"+hint: {each}" for each in sorted(told - expected)
    ]


def run_alone(case: Case) -> Result:
    """Run a case in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="fault-", ignore_cleanup_errors=True) as folder:
        return run(case, Path(folder).resolve())


def _driven(case: Case, folder: Path, told: list[str]) -> int:
    def launch(*more: str, program: tuple[str, ...] = (sys.executable, "fault.py"), **env: str) -> int:
        return launched(case, folder, *more, program=program, **env)

    def tell(when: str) -> None:
        told.extend([f"-- {when}", *reports(folder, case.parallel)])

    def begin(**streams: int) -> subprocess.Popen[bytes]:
        started = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, **streams}
        with (folder / "output.txt").open("ab") as output:
            return subprocess.Popen(command(case), cwd=folder, env=environ(case), stderr=output, **started)

    return (
        case.drive(Started(folder, launch, begin, tell, lambda text: told.extend(text.splitlines())))
        if case.drive
        else launch()
    )


def command(case: Case, *more: str, program: tuple[str, ...] = (sys.executable, "fault.py")) -> list[str]:
    """Return the command line that launches ``program`` watched."""
    return [OBS, "run", *case.options, *more, "--", *program]


def launched(case: Case, folder: Path, *more: str, program: tuple[str, ...], **env: str) -> int:
    """Run the watched program to its end and return the exit code."""
    with (folder / "output.txt").open("ab") as output:
        process = subprocess.Popen(
            command(case, *more, program=program), cwd=folder, env={**environ(case), **env}, stdin=subprocess.DEVNULL,
            stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
        try:
            return process.wait(_SECONDS)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise


def reports(folder: Path, by_kind: bool = False) -> list[str]:
    """Return every report under ``folder`` as lines, the run that began first first."""
    every = attempts(folder / ".codeintel")
    lines = []
    for attempt, number, total in numbers(every):
        report = read_report(folder, attempt.run_id, number)
        if by_kind:
            report["steps"] = sorted_by_kind(report["steps"])
            places = [step["id"] for step in report["steps"]]
            report["handled_failures"].sort(key=places.index)
        lines += tell(report, attempt, (number, total), folder)
        lines += [f"{_HINT}{hint['message']}" for hint in report["hints"]]
    return lines


def sorted_by_kind(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the steps as a tree, depth first, siblings by kind and then as they were."""
    ids = {step["id"] for step in steps}
    below: dict[str | None, list[dict[str, Any]]] = {}
    for step in steps:
        below.setdefault(step["parent"] if step["parent"] in ids else None, []).append(step)
    found: list[dict[str, Any]] = []
    waiting = sorted(below.get(None, ()), key=lambda step: step["kind"])[::-1]
    while waiting:
        step = waiting.pop()
        found.append(step)
        waiting += sorted(below.get(step["id"], ()), key=lambda each: each["kind"])[::-1]
    return found


def read_report(folder: Path, run_id: str, number: int) -> dict[str, Any]:
    """Ask `codeintel-obs report` for one attempt."""
    asked = [OBS, "report", run_id, "--attempt", str(number), "--format", "json"]
    ended = subprocess.run(asked, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    if ended.returncode:
        raise RuntimeError(f"codeintel-obs report ended by {ended.returncode}: {ended.stderr[-2000:]}")
    return dict(json.loads(ended.stdout))


def _difference(expected: list[str], told: list[str]) -> list[str]:
    changes = difflib.ndiff(expected, told)
    return [f"{line[0]}{line[2:]}" for line in changes if line[0] in "+-"]
