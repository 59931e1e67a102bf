"""Indexing beside a server: a process of its own, so that no search waits for it and its end frees all it took."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codeintel_rev.errors import BusyError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LOG = "reindex.log"
_PATIENCE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class LastRun:
    """What became of the last one that this server started; `said` is the last line it wrote on stderr."""

    exit_code: int
    said: str


class IndexProcess:
    """At most one; threads may share it."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / LOG
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def start(self, arguments: Sequence[str]) -> int:
        """The pid of `codeintel-rev index` with those arguments; BusyError while the one before runs."""
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                raise BusyError(f"process {self._process.pid} is indexing", "Mend: index_status shows how far it is")
            self._log.parent.mkdir(parents=True, exist_ok=True)
            command = [sys.executable, "-m", "codeintel_rev", "index", *arguments]
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(  # noqa: S603 - this program itself, and arguments that the service made
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log
                )
            return self._process.pid

    @property
    def pid(self) -> int | None:
        """Of the one that runs."""
        with self._lock:
            running = self._process is not None and self._process.poll() is None
            return self._process.pid if self._process is not None and running else None

    def last(self) -> LastRun | None:
        """None before the first one ended."""
        with self._lock:
            if self._process is None or (code := self._process.poll()) is None:
                return None
            lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            return LastRun(code, lines[-1] if lines else "")

    def stop(self) -> None:
        """What it has not published is thrown away; vectors that it has saved are kept."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                return
            self._process.terminate()
            try:
                self._process.wait(_PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
