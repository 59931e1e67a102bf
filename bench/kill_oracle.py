"""The kill proof: SIGKILL at a random moment, and the ledger compared with what an oracle outside the process saw.

Acknowledged calls are ended steps; a call that was not acknowledged is in flight, ended, or not yet begun; nothing else
is on record; the outcome is ``interrupted``.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BENCH = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent
KINDS = frozenset({"faiss.search", "faiss.add", "duckdb.query", "duckdb.fetch", "git.process"})


@dataclass
class Seen:
    """What the oracle read: per thread, the kinds of the calls made, and how many were acknowledged."""

    called: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    acknowledged: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def take(self, line: str) -> None:
        if line == "ready":
            return
        what, thread, _number, kind = line.split()
        if what == "c":
            self.called[f"worker-{thread}"].append(kind)
        else:
            self.acknowledged[f"worker-{thread}"] += 1


def repository(folder: Path) -> Path:
    """Make a git repository with one commit in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    subprocess.run(["git", "init", "-q", "."], cwd=folder, check=True)
    subprocess.run(["git", *identity, "commit", "-q", "--allow-empty", "-m", "one"], cwd=folder, check=True)
    return folder


def kill_once(seed: int, repo: Path, data_dir: Path) -> list[str]:
    """Run the worker, kill it at a moment drawn from ``seed``; return what the ledger gets wrong (nothing, one hopes)."""
    reader, writer = os.pipe()
    command = [
        str(BIN / "codeintel-obs"),
        "run",
        "--quiet",
        "--data-dir",
        str(data_dir),
        "--run-id",
        f"kill-{seed}",
        "--",
        sys.executable,
        str(BENCH / "kill_worker.py"),
        str(writer),
        str(repo),
    ]
    with subprocess.Popen(command, pass_fds=[writer], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as supervisor:
        os.close(writer)
        seen = _watch(reader, supervisor, random.Random(seed).uniform(0.0, 0.5))
        said = supervisor.communicate(timeout=30)[1].decode(errors="replace")[-2000:]
    if supervisor.returncode != -signal.SIGKILL:
        return [f"the supervisor ended with {supervisor.returncode}, not by SIGKILL: {said}"]
    run_id = f"kill-{seed}"
    return compare(seen, report(run_id, data_dir), steps_on_disk(run_id, data_dir))


def _watch(reader: int, supervisor: subprocess.Popen[bytes], delay: float) -> Seen:
    """Read until the worker is ready, kill it after ``delay`` seconds, then read what was still in the pipe."""
    text, deadline = b"", time.monotonic() + 60
    while b"ready\n" not in text and time.monotonic() < deadline and supervisor.poll() is None:
        if select.select([reader], [], [], 0.2)[0]:
            text += os.read(reader, 65536)
    end = time.monotonic() + delay
    while time.monotonic() < end:
        if select.select([reader], [], [], max(0.0, end - time.monotonic()))[0]:
            text += os.read(reader, 65536)
    for pid in _children(supervisor.pid):
        os.kill(pid, signal.SIGKILL)
    while chunk := os.read(reader, 65536):
        text += chunk
    os.close(reader)
    seen = Seen()
    for line in text.decode().splitlines():
        seen.take(line)
    return seen


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def report(run_id: str, data_dir: Path) -> dict[str, Any]:
    """Return the Run Report as JSON."""
    command = [str(BIN / "codeintel-obs"), "report", run_id, "--format", "json", "--data-dir", str(data_dir)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"report ended with {ended.returncode}: {ended.stderr}")
    return dict(json.loads(ended.stdout))


def steps_on_disk(run_id: str, data_dir: Path) -> dict[str, dict[str, Any]]:
    """Return the outermost steps of our kinds by id, read from the files without any code of ours."""
    records = []
    for path in sorted(data_dir.glob(f"telemetry/runs/*/{run_id}*.jsonl")):
        for line in path.read_bytes().split(b"\n"):
            if line.endswith(b'"}'):
                records.append(json.loads(line))
    steps: dict[str, dict[str, Any]] = {}
    for record in records:
        if record["event"] == "step.begin" and record["kind"] in KINDS:
            steps[record["span_id"]] = {**record, "status": "in_flight"}
        elif record["event"] == "step.end" and record["span_id"] in steps:
            steps[record["span_id"]]["status"] = record["status"]
    return {key: step for key, step in steps.items() if step.get("parent_span_id") not in steps}


def compare(seen: Seen, told: dict[str, Any], steps: dict[str, dict[str, Any]]) -> list[str]:
    """Return every way in which report or ledger contradict the oracle."""
    wrong = [] if told["outcome"] == "interrupted" else [f"outcome {told['outcome']}"]
    flying = {key for key, step in steps.items() if step["status"] == "in_flight"}
    if not flying <= set(told["in_flight"]):
        wrong.append(f"in flight on disk, not in the report: {flying - set(told['in_flight'])}")
    by_thread: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for step in sorted(steps.values(), key=lambda each: each["mono_ns"]):
        by_thread[step["thread"]].append(step)
    for thread, called in seen.called.items():
        wrong += _compare_thread(thread, called, seen.acknowledged[thread], by_thread[thread])
    return wrong


def _compare_thread(thread: str, called: list[str], acknowledged: int, steps: list[dict[str, Any]]) -> list[str]:
    ended = [step for step in steps if step["status"] == "completed"]
    flying = [step for step in steps if step["status"] == "in_flight"]
    wrong = []
    if [step["kind"] for step in steps] != called[: len(steps)]:
        wrong.append(f"{thread}: kinds {[step['kind'] for step in steps][-3:]} are not the calls' {called[-3:]}")
    if len(ended) < acknowledged:
        wrong.append(f"{thread}: {acknowledged} calls acknowledged, {len(ended)} steps ended")
    if len(steps) > len(called):
        wrong.append(f"{thread}: {len(steps)} steps of {len(called)} calls")
    if len(flying) > 1 or len(flying) + len(ended) != len(steps) or (flying and steps[-1] is not flying[0]):
        wrong.append(f"{thread}: statuses {[step['status'] for step in steps][-4:]}")
    return wrong
