"""What a fault needs of the machine: a small disk of its own, a memory limit; and how to say that it is not there."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread, get_ident

_GROUPS = Path("/sys/fs/cgroup/memory")


def no_root() -> str | None:
    """Return why nothing can be mounted here; None where it can."""
    return None if os.getuid() == 0 else "mounting a small disk needs root"


def no_memory_group() -> str | None:
    """Return why no memory limit can be set here; None where it can."""
    writable = os.access(_GROUPS, os.W_OK) and (_GROUPS / "memory.limit_in_bytes").exists()
    return None if writable else "no memory cgroup can be made here"


@contextmanager
def disk(place: Path, options: str) -> Iterator[None]:
    """Mount an own file system at ``place`` for as long as this lasts."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "fault", str(place)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@contextmanager
def memory_group(limit: int) -> Iterator[Path]:
    """Make a group of processes that may use ``limit`` bytes; yields the file that a process joins by."""
    group = _GROUPS / f"fault-{os.getpid()}-{get_ident()}"
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text(str(limit))
        yield group / "cgroup.procs"
    finally:
        group.rmdir()


def wait_for(what: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until ``what`` is true; an AssertionError when it never is."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "the fault did not come about in time"
        time.sleep(0.05)


def on_record(folder: Path, words: bytes) -> bool:
    """Whether a record with these bytes is in any ledger of ``folder``."""
    return any(words in path.read_bytes() for path in folder.glob(".codeintel/telemetry/runs/*/*.jsonl"))


def kill(process: subprocess.Popen[bytes]) -> int:
    """End a supervisor and what it supervises, by SIGKILL to what it supervises."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for child in children:
        os.kill(int(child), signal.SIGKILL)
    return process.wait(60)


class _Collector(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Standard error belongs to the benchmark."""


@contextmanager
def collector(port: int) -> Iterator[None]:
    """Answer on ``port`` as an OTLP collector that takes everything."""
    server = ThreadingHTTPServer(("127.0.0.1", port), _Collector)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
