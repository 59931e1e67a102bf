"""Many threads in many processes write one run at once, with records as large as they may be: each is there, and whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import processes
import pytest
from servers import serving

from codeintel_obs.ledger.encoding import RECORD_CAP

pytestmark = pytest.mark.slow  # many processes, and a real server

LIBRARIES = Path(__file__).parent / "libraries"
THREADS, PROCESSES, STEPS = 12, 3, 12

PROGRAM = """
import multiprocessing, os, sys, threading
from types import SimpleNamespace
from ledger_workload import *
from codeintel_obs.recorder import Listeners
from codeintel_obs.runs import reseed
from codeintel_obs.steps import ChainLink, ErrorInfo, Link, Status

DATA, METHOD, CHAIN = sys.argv[1], sys.argv[2], sys.argv[3] == "chain"
THREADS, PROCESSES, STEPS = map(int, sys.argv[4:])
LARGE = {
    "detail": "d" * 3000,
    "links": tuple(Link("r" * 300, "t" * 32, "s" * 16) for _ in range(80)),
    "error": ErrorInfo("E" * 300, "m" * 3000, "e" * 300,
                       tuple(ChainLink(str(i), "T" * 300, "cause", "o" * 300) for i in range(40))),
}

def opened():
    return Workload(DATA, "group", chain=CHAIN, active=SimpleNamespace(listeners=Listeners()))

def one(work, run, number):
    # from a few bytes to the cap
    if number % 6 == 5:
        step = work.begin(run)
        return work.end(step, {"text": "x" * 20_000}, Status.FAILED, instant=True, **LARGE).span_id
    return work.end(work.begin(run, payload={"text": "x" * (7 ** number % 9000)})).span_id

def work_in(carrier, process, done):
    reseed()
    work = opened()
    run = work.run(carrier=carrier)
    ids, barrier = [], threading.Barrier(THREADS)
    def thread():
        barrier.wait()
        ids.extend(one(work, run, number) for number in range(STEPS))
    threads = [threading.Thread(target=thread) for _ in range(THREADS)]
    for each in threads: each.start()
    for each in threads: each.join()
    work.finish(run)
    work.close()
    done.put((process, ids))

if __name__ == "__main__":
    work = opened()
    run = work.run("crowd")
    carrier = {"run": "crowd", "attempt": run.attempt, "day": run.day}
    context = multiprocessing.get_context(METHOD)
    done = context.SimpleQueue()
    children = [context.Process(target=work_in, args=(carrier, number, done)) for number in range(PROCESSES)]
    for child in children: child.start()
    for _ in children:
        _, ids = done.get()
        print(*ids)
    for child in children:
        child.join()
        assert child.exitcode == 0
    work.finish(run)
    work.close()
"""


@pytest.mark.parametrize("chain", ["plain", "chain"])
@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_twelve_threads_in_three_processes(tmp_path, method, chain, monkeypatch):
    """Every record of every thread is there once, whole to the cap, and the run is complete: by each start method."""
    monkeypatch.syspath_prepend(str(LIBRARIES))
    from ledger_workload import integrity, read

    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(LIBRARIES), *filter(None, sys.path)])}
    words = [sys.executable, str(program), str(tmp_path / "data"), method, chain]
    words += map(str, (THREADS, PROCESSES, STEPS))
    ended = subprocess.run(words, env=environ, capture_output=True, text=True, check=False, timeout=100)
    assert (ended.returncode, ended.stderr) == (0, "")
    ids = ended.stdout.split()
    found = Counter(each.span_id for each in read(tmp_path / "data", "crowd") if each.event in {"step", "step.end"})
    assert found == Counter(ids)
    assert len(ids) == THREADS * PROCESSES * STEPS
    whole = integrity(tmp_path / "data", "crowd")
    assert (whole.complete, whole.problems, whole.files) == (True, [], PROCESSES + 1)
    assert len(whole.roots) == (whole.files if chain == "chain" else 0)
    longest = max(len(line) for path in tmp_path.rglob("*.jsonl") for line in path.read_bytes().splitlines())
    assert RECORD_CAP * 0.6 < longest <= RECORD_CAP


def test_the_workers_of_a_prefork_server(tmp_path):
    """Under gunicorn's forked workers, asked by twelve threads at once: every request's run is whole, none is damaged."""
    ids: list[str] = []
    with serving(tmp_path, "fastapi", "gunicorn", CODEINTEL_OBS_CHAIN="on") as running:

        def ask():
            ids.extend(running.get(f"/books/{number}").headers["X-Run-Id"] for number in range(5))

        threads = [threading.Thread(target=ask) for _ in range(THREADS)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        running.stop()
    told = processes.run(tmp_path, processes.OBS, "verify", "--all", "--json")
    rows = {row["run_id"]: row for row in json.loads(told.stdout)["attempts"]}
    assert (told.returncode, len(ids)) == (0, THREADS * 5)
    assert [row for row in rows.values() if row["problems"] or row["complete"] is not True] == []
    assert all(rows[run]["roots"] for run in ids)
    workers = {each["payload"]["pid"] for each in processes.records(tmp_path) if each["event"] == "run.begin"}
    assert len(workers) >= 2
