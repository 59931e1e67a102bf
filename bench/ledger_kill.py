"""SIGKILL at a random moment of four threads that write one run: an oracle outside the process knows what was acknowledged.

Cheap for each kill, so that there can be ten thousand: the worker is forked from a process that has everything imported.
Under every fsync policy, with and without a chain. Per thread, what is on record is what was acknowledged, in its order,
and at most one record more; the report's steps in flight are exactly those that were begun and not ended.
"""

from __future__ import annotations

import os
import random
import select
import shutil
import signal
import sys
import threading
import time
from collections import defaultdict
from itertools import count
from pathlib import Path
from types import SimpleNamespace

from codeintel_obs.ledger.attempts import find_attempts
from codeintel_obs.ledger.verifier import Verifier
from codeintel_obs.recorder import Listeners
from codeintel_obs.report.attempts import Attempt, report_of
from codeintel_obs.runs import reseed

LIBRARIES = Path(__file__).resolve().parents[1] / "tests" / "libraries"
KILLS = 10
"""How many each seed does."""
THREADS = 4
_LEFT_OPEN = 16  # each step of this number, and its multiples, is begun and not ended
_NOBODY = SimpleNamespace(listeners=Listeners())


def kills(seed: int, folder: Path) -> list[str]:
    """Kill `KILLS` workers, one after the other, at moments drawn from ``seed``; return what contradicts the oracle."""
    chance = random.Random(seed)
    wrong = []
    for turn in range(KILLS):
        policy, chain = chance.choice(("none", "group", "step")), chance.random() < 0.5
        data_dir = folder / f"data-{seed}-{turn}"
        said = killed(data_dir, policy, chain=chain, after_s=chance.uniform(0.0, 0.025), begun=chance.random() < 0.9)
        wrong += [f"kill {turn}, {policy}, chain {chain}: {each}" for each in compared(said, data_dir)]
        if not wrong:
            shutil.rmtree(data_dir, ignore_errors=True)
    return wrong


def killed(data_dir: Path, policy: str, *, chain: bool, after_s: float, begun: bool) -> list[str]:
    """Return what a worker acknowledged that was killed ``after_s`` seconds after it was forked, or had ``begun``."""
    if str(LIBRARIES) not in sys.path:
        sys.path.insert(0, str(LIBRARIES))
    import ledger_workload  # noqa: F401 - here, and not in each worker

    reader, writer = os.pipe()
    worker = os.fork()
    if worker == 0:
        try:
            os.close(reader)
            _work(data_dir, policy, writer, chain=chain)
        finally:
            os._exit(1)
    os.close(writer)
    text = b""
    while begun and not text:
        text = os.read(reader, 65_536)
        if not text:
            break
    end = time.monotonic() + after_s
    while (left := end - time.monotonic()) > 0:
        if select.select([reader], [], [], left)[0]:
            text += os.read(reader, 65_536)
    os.kill(worker, signal.SIGKILL)
    _, status = os.waitpid(worker, 0)
    while more := os.read(reader, 65_536):
        text += more
    os.close(reader)
    if not os.WIFSIGNALED(status):
        raise RuntimeError(f"the worker ended by itself: {status}")
    return text.decode().split("\n")[:-1]


def _work(data_dir: Path, policy: str, pipe: int, *, chain: bool) -> None:
    from ledger_workload import Workload

    reseed()  # as the recorder does after a fork
    work = Workload(data_dir, policy, chain=chain, active=_NOBODY)
    work.sink._home.tidy = None
    run = work.run("victim")

    def steps(thread: int) -> None:
        for number in count(1):
            step = work.begin(run, payload={"worker": thread, "number": number})
            os.write(pipe, f"{thread} b {number}\n".encode())
            if number % _LEFT_OPEN:
                work.end(step)
                os.write(pipe, f"{thread} e {number}\n".encode())

    threads = [threading.Thread(target=steps, args=(thread,)) for thread in range(THREADS)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


def compared(said: list[str], data_dir: Path) -> list[str]:
    """Return every way in which ledger or report contradict what was acknowledged."""
    attempts = find_attempts([str(data_dir)], "victim")
    if len(attempts) != 1:
        return [f"{len(said)} acknowledged, and {len(attempts)} attempts"] if said or attempts else []
    (attempt,) = attempts
    verifier = Verifier(attempt)
    acknowledged, happened, flying = _by_thread(said), defaultdict(list), {}
    for record in (each for _, records in verifier.batches() for each in records):
        if record.event == "step.begin":
            flying[record.span_id] = key = (str(record.payload["worker"]), record.payload["number"])
            happened[key[0]].append(f"b {key[1]}")
        elif record.event == "step.end":
            thread, number = flying.pop(record.span_id)
            happened[thread].append(f"e {number}")
    wrong = []
    for thread in map(str, range(THREADS)):
        told, found = acknowledged[thread], happened[thread]
        if found[: len(told)] != told or len(found) > len(told) + 1:
            wrong.append(
                f"thread {thread}: {len(told)} acknowledged to {told[-2:]}, {len(found)} on record to {found[-2:]}"
            )
    report = report_of(Attempt(attempt, 1, 1))
    if sorted(report.in_flight) != sorted(flying) or report.outcome != "interrupted":
        wrong.append(f"{report.outcome}, {len(report.in_flight)} in flight in the report, {len(flying)} on record")
    integrity = verifier.integrity
    if integrity.complete is not True or {problem.kind for problem in integrity.problems} - {"torn tail"}:
        wrong.append(f"not whole: {integrity.problems}")
    return wrong


def _by_thread(said: list[str]) -> defaultdict[str, list[str]]:
    acknowledged: defaultdict[str, list[str]] = defaultdict(list)
    for line in said:
        thread, _, what = line.partition(" ")
        acknowledged[thread].append(what)
    return acknowledged
