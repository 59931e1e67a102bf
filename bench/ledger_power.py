"""A power cut: a file system of its own on a loop device is shut down in mid-run, and what the policy promised is read back.

``step``: every acknowledged record. ``group``: every record acknowledged `GRACE_S` before, and everything that a flush
was awaited for. ``none``: nothing is promised, but that what is there is not taken for more than it is.
"""

from __future__ import annotations

import fcntl
import os
import random
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path

from codeintel_obs.ledger.attempts import entries, find_attempts
from codeintel_obs.ledger.verifier import verify

LIBRARIES = Path(__file__).resolve().parents[1] / "tests" / "libraries"
POLICIES = ("step", "group", "none")
FILE_SYSTEMS = {"ext4": ("mkfs.ext4", "-q", "-F"), "xfs": ("mkfs.xfs", "-q", "-f")}
GRACE_S = 2.0  # 200 ms, and the time that a disk takes on a machine with other things to do
_SHUTDOWN, _NO_FLUSH = 0x8004587D, 2  # FS_IOC_SHUTDOWN; EXT4_GOING_FLAGS_NOLOGFLUSH, XFS_FSOP_GOING_FLAGS_NOLOGFLUSH
_SIZES = {"ext4": 128, "xfs": 320}
SCRIPT = """
import os, sys
from ledger_workload import *
work = Workload(sys.argv[1], sys.argv[2])
work.sink._home.tidy = None
run = work.run("cut")
while True:
    (span_id,) = work.steps(run, k=10)
    if run.ledger.drops:
        break  # the disk is gone, or full: what is dropped is counted, and not acknowledged
    os.write(1, f"{time.monotonic_ns()} {span_id}\\n".encode())
"""


def why_not() -> str:
    """Return why this machine cannot cut the power of a file system, or nothing."""
    missing = [name for name in ("mount", "losetup", "mkfs.ext4") if shutil.which(name) is None]
    if os.geteuid() != 0 or missing:
        return f"a power cut needs root and loop devices; missing: {', '.join(missing) or 'root'}"
    ended = subprocess.run(["losetup", "-f"], capture_output=True, text=True, check=False)
    return "" if ended.returncode == 0 else f"no loop device: {ended.stderr.strip()}"


def power(seed: int, folder: Path) -> list[str]:
    """Cut the power at a random moment, under one policy after the other; return what contradicts the promise."""
    chance = random.Random(seed)
    policy = POLICIES[seed % len(POLICIES)]
    present = [name for name, command in FILE_SYSTEMS.items() if shutil.which(command[0])]
    kind = present[seed // len(POLICIES) % len(present)]
    image, mounted = folder / f"{seed}.img", folder / f"mounted-{seed}"
    with image.open("wb") as file:
        file.truncate(_SIZES[kind] << 20)
    subprocess.run([*FILE_SYSTEMS[kind], str(image)], check=True, capture_output=True)
    mounted.mkdir()
    _mount(image, mounted)
    try:
        told, cut_ns = _cut(mounted, policy, chance.uniform(0.0, 1.0) ** 2 * (5.0 if policy == "group" else 1.5))
        subprocess.run(["umount", str(mounted)], check=True)
        _mount(image, mounted)
        return [f"{kind} {policy}: {each}" for each in _compared(mounted / "data", policy, told, cut_ns)]
    finally:
        subprocess.run(["umount", "-l", str(mounted)], check=False)
        image.unlink()
        shutil.rmtree(mounted, ignore_errors=True)


def _mount(image: Path, where: Path) -> None:
    subprocess.run(["mount", "-o", "loop", str(image), str(where)], check=True)


def _cut(mounted: Path, policy: str, after_s: float) -> tuple[list[tuple[int, str]], int]:
    """Let a process write, shut the file system down ``after_s`` after its first step; return what it acknowledged."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(LIBRARIES), *filter(None, sys.path)])}
    command = [sys.executable, "-c", SCRIPT, str(mounted / "data"), policy]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        end = time.monotonic() + after_s
        while time.monotonic() < end and lines[-1]:
            lines.append(process.stdout.readline())
        root = os.open(mounted, os.O_RDONLY)
        # of what was acknowledged, only this much is known to be before the cut
        before_ns = time.monotonic_ns()
        fcntl.ioctl(root, _SHUTDOWN, struct.pack("I", _NO_FLUSH))
        os.close(root)
        process.kill()
        lines += process.stdout.read().splitlines(keepends=True)
    told = [line.split() for line in lines if line.endswith(b"\n")]
    return [(int(at), span_id.decode()) for at, span_id in told], before_ns


def _compared(data_dir: Path, policy: str, told: list[tuple[int, str]], cut_ns: int) -> list[str]:
    attempts = find_attempts([str(data_dir)], "cut")
    found = [record for attempt in attempts for _, record in entries(attempt)]
    ended = {record.span_id for record in found if record.event == "step.end"}
    grace = {"step": 0.0, "group": GRACE_S, "none": float("inf")}[policy]
    promised = {span_id for at, span_id in told if at < cut_ns - grace * 1e9}
    wrong = [f"{len(promised - ended)} of {len(promised)} promised records are gone"] if promised - ended else []
    known = {span_id for _, span_id in told}
    if len(ended - known) > 1:
        wrong.append(f"{len(ended - known)} records of steps that nobody acknowledged")
    for attempt in attempts:
        verify(attempt)
    return wrong
