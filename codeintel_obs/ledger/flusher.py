"""One background thread that makes files durable: within 200 ms, or after 50 records, and when a run ends.

It starts at the first record, not at import. It is a bare thread: the application's `threading.enumerate` does not
list it, and it blocks every signal, so that none meant for the application is delivered to it. Before a fork it
stops; afterwards the next record starts it again. Its queue can be put to from a signal handler.
"""

from __future__ import annotations

import _thread
import os
import signal
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final, Protocol

from codeintel_obs import guard
from codeintel_obs.ledger.process import at_fork

INTERVAL_S: Final = 0.2
PAUSE_S: Final = 0.01  # between two rounds: a disk that never rests would slow every write(2) down
_PATIENCE_S: Final = 10.0  # a fork or an exit does not hang on a disk that does


class Job(Protocol):
    """Something to make durable."""

    once: bool
    """Whether it is done at once and then forgotten, and not watched for more."""

    def sync(self) -> bool:
        """Make durable what is written by now; return whether to look again in 200 ms."""


class _Task:
    """A function that runs on the flusher's thread: a waiting caller's barrier, or pruning, which is ``optional``."""

    once = True

    def __init__(self, function: Callable[[], object], *, optional: bool = False) -> None:
        self._function = function
        self.optional = optional

    def sync(self) -> bool:
        guard.call(self._function)
        return False


def _after(seconds: float) -> float:
    return time.monotonic() + seconds


_NOTHING: Final = _Task(bool)


class Flusher:
    """Runs jobs on its own thread, which is there while there is something to do."""

    def __init__(self) -> None:
        self._reset()
        at_fork(before=self._pause, in_parent=self._resume, in_child=self._reset)

    def _reset(self) -> None:
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._watched: dict[Job, None] = {}
        self._alive = False
        self._paused = False
        self._starting = _thread.allocate_lock()
        self._ended = _thread.allocate_lock()
        self._thread_id = 0

    @property
    def waiting(self) -> int:
        """About how many jobs wait to be looked at."""
        return self._queue.qsize()

    @property
    def stopping(self) -> bool:
        """Whether a long task should leave off: somebody waits for the thread to end."""
        return not self._alive

    def put(self, job: Job) -> None:
        """Have ``job`` done within 200 ms; a job that is put again while it is watched is done at once."""
        self._queue.put(job)
        if not self._alive and not self._paused:
            self._start()

    def run(self, function: Callable[[], object], *, optional: bool = False) -> None:
        """Have ``function`` called on the flusher's thread; an ``optional`` one not, when the process ends first."""
        self.put(_Task(function, optional=optional))

    def flush(self, timeout_s: float) -> bool:
        """Make everything durable that was put by now; return False when that took longer than ``timeout_s``."""
        done = _thread.allocate_lock()
        done.acquire()

        def barrier() -> None:
            self._sync_watched()
            done.release()

        self.run(barrier)
        if not self._alive:
            self.drain()
        return done.acquire(timeout=max(0.0, timeout_s))

    def drain(self) -> None:
        """Stop the thread and do all that is left on the caller's."""
        self._stop()
        while True:
            try:
                job = self._queue.get_nowait()
            except Empty:
                break
            if job is not None and not (isinstance(job, _Task) and job.optional):
                self._take(job)
        self._sync_watched()

    # -- the thread -----------------------------------------------------------------

    def _start(self) -> None:
        if not self._starting.acquire(blocking=False):
            return
        try:
            if not self._alive:
                self._ended = _thread.allocate_lock()
                self._ended.acquire()
                self._alive = True
                _thread.start_new_thread(self._main, (self._ended, self._queue))
        except RuntimeError:
            self._alive = False  # no thread to be had: what waits is made durable at the next flush, or at the end
        finally:
            self._starting.release()

    def _main(self, ended: _thread.LockType, queue: SimpleQueue[Job | None]) -> None:
        try:
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            self._thread_id = _thread.get_native_id()
            self._work(queue)
        finally:
            ended.release()

    def _work(self, queue: SimpleQueue[Job | None]) -> None:
        due, last = _after(INTERVAL_S), 0.0
        while True:
            try:
                job = queue.get(timeout=max(0.0, due - time.monotonic()) if self._watched else None)
            except Empty:
                job = _NOTHING
            if job is None:
                return
            if not self._watched:
                due = _after(INTERVAL_S)
            if self._take(job):
                due = min(due, last + PAUSE_S)
            if self._watched and time.monotonic() >= due:
                self._sync_watched()
                due, last = _after(INTERVAL_S), time.monotonic()

    def _take(self, job: Job) -> bool:
        """Do a job that is for once, or watch it; return whether it is watched already and has become urgent."""
        if job.once:
            guard.call(job.sync)
            return False
        urgent = job in self._watched
        self._watched[job] = None
        return urgent

    def _sync_watched(self) -> None:
        for job in list(self._watched):
            if not guard.call(job.sync):
                self._watched.pop(job, None)

    # -- around a fork --------------------------------------------------------------

    def _pause(self) -> None:
        self._paused = True
        self._stop()

    def _resume(self) -> None:
        # Not started here: a thread started before `os.fork` returns would count as one that was there all along,
        # and newer Pythons warn the application of forking beside threads.
        self._paused = False

    def _stop(self) -> None:
        if not self._alive:
            return
        self._alive = False
        self._queue.put(None)
        if self._ended.acquire(timeout=_PATIENCE_S):
            self._ended.release()
        _wait_until_gone(self._thread_id)


def _wait_until_gone(thread_id: int) -> None:
    """Wait until the kernel does not list the thread any more: it lives on a little after its last Python code."""
    for _ in range(100):
        if not os.path.exists(f"/proc/self/task/{thread_id}"):
            return
        time.sleep(0.0001)
