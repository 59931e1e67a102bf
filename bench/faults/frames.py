"""What the report of a one-process script says around its steps, so that an expectation shows what is its own."""

from __future__ import annotations

import re
from textwrap import dedent, indent

_RAISED = re.compile(
    r"^ *(?P<id>s\d+) (?P<kind>\S+) (?P<status>failed|timed_out) .*?raised (?P<error>e\d+) (?P<said>.*)$"
)
_CHAIN = re.compile(r" <- (cause|context|group) e\d+ .*$")


def script(
    steps: str,
    *,
    watched: str,
    code: int = 0,
    signal: int | None = None,
    stop: str = "",
    more: str = "",
    told: str = "",
) -> str:
    """Return the expectation of a script under a supervisor.

    ``stop`` is the step (``s2``) whose uncaught exception ended it, or the lines on it where there is more to say.
    ``more`` is said between the steps and the processes (what was handled, recovered, logged), ``told`` at the end.
    """
    steps = dedent(steps).strip("\n")
    if re.fullmatch(r"s\d+", stop):
        stop = stopped(stop, steps)
    lines = [
        _head(code, signal),
        dedent(stop),
        steps,
        dedent(more),
        _processes(signal is None),
        f"watched in p1: {watched}",
    ]
    return "\n".join([*lines, dedent(told)])


def stopped(step: str, steps: str) -> str:
    """Return what is said of an exception that left the program from ``step``."""
    found = next(found for line in steps.splitlines() if (found := _RAISED.match(line)) and found["id"] == step)
    said = _CHAIN.sub("", found["said"])
    error_type = said.partition(":")[0]
    at_end = indent(
        f"proof: run.end, process.exit, step.end {step}\n"
        f"trail end: {found['error']} {error_type} in {step} [step.end {step}]",
        "  ",
    )
    return f"stopped by {step} {found['kind']} {found['status']}: {said}\n{at_end}"


def _head(code: int, signal: int | None) -> str:
    if signal is not None:
        return f"run fault.py: interrupted\n  proof: process.exit\n  exit: signal {signal} [process.exit]"
    if code:
        return f"run fault.py: failed\n  proof: process.exit\n  exit: code {code} [process.exit]"
    return "run fault.py: completed\n  proof: process.exit, run.end\n  exit: code 0 [process.exit]"


def _processes(closed: bool) -> str:
    return f"p1: fault.py began, {'closed' if closed else 'did not close'}, gone\np2: fault.py joined, closed, gone"
