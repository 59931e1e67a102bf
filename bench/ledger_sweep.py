"""SIGKILL before each write(2) of a scripted run, one after the other: nothing acknowledged is missing, nothing is made up.

The kernel's tracer kills the process as it enters its Nth write; those that acknowledge are writes like the others, so
both sides of every record are met: killed before it is written, and written but not acknowledged.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from codeintel_obs.ledger.attempts import entries, find_attempts
from codeintel_obs.ledger.verifier import verify
from codeintel_obs.report.attempts import Attempt, report_of

LIBRARIES = Path(__file__).resolve().parents[1] / "tests" / "libraries"
STEPS = 12
WRITES = 4 * STEPS + 12
"""More than the script does: a kill that comes too late finds the run whole."""
SCRIPT = f"""
import os, sys
from ledger_workload import *
work = Workload(sys.argv[1], sys.argv[2])
work.sink._home.tidy = None
run = work.run("script")
os.write(1, b"run\\n")
for number in range({STEPS}):
    step = work.begin(run, payload={{"number": number}})
    os.write(1, b"b %d\\n" % number)
    if number % 4 != 3:
        work.end(step)
        os.write(1, b"e %d\\n" % number)
os.write(1, b"done\\n")
work.finish(run)
work.close()
"""


def sweep(seed: int, folder: Path) -> list[str]:
    """Kill at write number ``seed`` (from 1, again under each policy beyond `WRITES`); return what contradicts."""
    policy = ("none", "group", "step")[(seed - 1) // WRITES % 3]
    when = (seed - 1) % WRITES + 1
    data_dir = folder / f"data-{seed}"
    tracer = ["strace", "-qq", "-o", "/dev/null", "-e", "trace=write", "-e", f"inject=write:signal=KILL:when={when}"]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(LIBRARIES), *filter(None, sys.path)])}
    command = [*tracer, sys.executable, "-c", SCRIPT, str(data_dir), policy]
    said = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=100).stdout
    return compared(said.split("\n")[:-1], data_dir)


def compared(said: list[str], data_dir: Path) -> list[str]:
    """Return every way in which the ledger contradicts what was acknowledged."""
    attempts = find_attempts([str(data_dir)], "script")
    if not attempts:
        return [f"acknowledged {said}, and there is no run"] if said else []
    (attempt,) = attempts
    found = [record for _, record in entries(attempt)]
    numbers = {record.span_id: record.payload["number"] for record in found if record.event == "step.begin"}
    happened = [f"{record.event[5]} {numbers[record.span_id]}" for record in found if record.event.startswith("step.")]
    acknowledged = [line for line in said if line[0] in "be"]
    wrong = []
    if happened[: len(acknowledged)] != acknowledged or len(happened) > len(acknowledged) + 1:
        wrong.append(f"acknowledged {acknowledged[-3:]}, on record {happened[-3:]}")
    told = report_of(Attempt(attempt, 1, 1)).in_flight
    begun = {f"b {number}": span_id for span_id, number in numbers.items()}
    flying = [span_id for line, span_id in begun.items() if line.replace("b", "e") not in happened]
    if sorted(told) != sorted(flying):
        wrong.append(f"in flight on record {flying}, in the report {told}")
    integrity = verify(attempt)
    if integrity.complete is not True or integrity.problems:
        wrong.append(f"not whole: {integrity.problems}")
    return wrong
