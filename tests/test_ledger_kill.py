"""SIGKILL at random moments: what was acknowledged is read back, and what is read back is whole."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

LIBRARIES = Path(__file__).parent / "libraries"
SEED = int(os.environ.get("LEDGER_KILL_SEED") or random.SystemRandom().randrange(10**6))
KILLS = int(os.environ.get("LEDGER_KILLS") or 12)


@pytest.mark.parametrize("policy", ["none", "group"])
def test_a_killed_process_loses_nothing_it_was_told_is_written(tmp_path, monkeypatch, policy):
    """Every step acknowledged before the kill is in the ledger, whose only possible flaw is a torn last line."""
    monkeypatch.syspath_prepend(str(LIBRARIES))
    from ledger_workload import integrity, read

    print(f"LEDGER_KILL_SEED={SEED} LEDGER_KILLS={KILLS}")
    moments = random.Random(f"{SEED}{policy}")
    total = 0
    for turn in range(KILLS):
        data_dir = tmp_path / str(turn)
        acknowledged = kill_one(data_dir, policy, moments.uniform(0.0, 0.15))
        written = {record.span_id for record in read(data_dir, "victim") if record.event == "step.end"}
        found = integrity(data_dir, "victim")
        assert acknowledged <= written
        assert (found.complete, found.gaps, found.bad_crc, found.dropped) == (True, [], [], 0)
        assert {problem.kind for problem in found.problems} <= {"torn tail"}
        total += len(acknowledged)
    assert total > KILLS


def kill_one(data_dir, policy, after_s):
    """Start a worker, kill it ``after_s`` seconds after its first step, and return the steps it acknowledged."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(LIBRARIES), *filter(None, sys.path)])}
    words = [sys.executable, str(LIBRARIES / "ledger_workload.py"), "work_until_killed", str(data_dir), policy]
    with subprocess.Popen(words, env=environ, stdout=subprocess.PIPE) as process:
        first = process.stdout.readline()
        os.set_blocking(process.stdout.fileno(), True)
        until, told = time.monotonic() + after_s, [first]
        while time.monotonic() < until:
            told.append(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        told += process.stdout.read().splitlines()
    assert process.returncode == -signal.SIGKILL
    return {line.strip().decode() for line in told if len(line.strip()) == 16}
