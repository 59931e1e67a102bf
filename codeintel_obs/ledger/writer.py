"""Writes one attempt's records of this process: one write(2) for each, into a file that nobody else writes."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from time import monotonic_ns
from typing import Any, Final
from zlib import crc32

from codeintel_obs import guard
from codeintel_obs.ledger.begin import FirstLines, Words, begin_attempt, begin_segment
from codeintel_obs.ledger.descriptors import NOBODY, Identity, grew_by_lines, identity_of, is_deleted, raised, release
from codeintel_obs.ledger.durable import DELETED, Closing, trouble
from codeintel_obs.ledger.encoding import ids_of, own
from codeintel_obs.ledger.home import Home
from codeintel_obs.ledger.places import RUNS, filename, open_folder, reopened
from codeintel_obs.ledger.process import here
from codeintel_obs.runs import Run

GROUP: Final = 50
SURE_NS: Final = 1_000_000
"""How long a descriptor that was seen to be ours is taken to be: it has a number that nobody meets by chance."""
RETRY_NS: Final = 100_000_000
WAKE_NS: Final = 10_000_000
_NEVER: Final = 1 << 62
_IDLE, _ENTERED, _WRITING, _COUNTED = range(4)
_births: Final = threading.RLock()


class RunWriter:
    """The file of one run in this process, and the segments that follow it. Thread-safe, signal-safe, fork-safe.

    Nothing here raises for what a disk does: a record that cannot be written is counted by reason, and a ``drop``
    record tells the count as soon as something can be written again. ``fd`` belongs to this object.
    """

    __slots__ = (
        "begins", "drops", "earlier", "fd", "finished", "home", "identity", "ids", "last_words", "lock", "mark", "n",
        "name", "predecessor", "queued", "ready", "reason", "retry_ns", "run", "segment", "size", "state", "stem",
        "sure_ns", "suspect", "synced", "token", "told", "touched", "wake_ns",
    )  # fmt: skip
    once = False

    def __init__(self, run: Run, home: Home) -> None:
        self.run = run
        self.home = home
        self.ids = ids_of(run.run_id, run.attempt, run.session_id)
        self._be_born()

    def _be_born(self) -> None:
        self.token = here.token
        self.lock = threading.RLock()
        self.state = _IDLE
        self.queued: deque[bytes | Callable[[], object]] = deque()
        self.ready: object = None  # this process's token while the file can be written to
        self.fd = -1
        self.identity: Identity = NOBODY
        self.name: str | None = None
        self.stem: str | None = None
        self.segment = 1
        self.n = self.size = self.mark = 0
        self.sure_ns = self.wake_ns = 0
        self.earlier = 0
        self.predecessor: tuple[str, int, str] | None = None
        self.begins = False
        self.finished = False
        self.touched = False
        self.suspect: str | None = None
        self.synced: tuple[str | None, int] = (None, 0)
        self.drops: Counter[str] = Counter()
        self.reason = "closed"
        self.retry_ns = 0
        self.last_words: Callable[[], bool] | None = None
        self.told = False

    def begin(self) -> None:
        """Begin or join the attempt's file now; what fails is tried again with the first record."""
        self._check_process()
        with self.lock:
            if self.state == _IDLE and self.ready is None:
                self.state = _COUNTED  # no record of anybody's is at stake
                try:
                    self._open()
                finally:
                    self.state = _IDLE
        if self.queued:
            self._drain()

    # -- writing ----------------------------------------------------------------------------------------------------

    def append(self, tail: bytes) -> None:
        """Write one record; ``tail`` is an encoder's. In the kernel when this returns, else counted as dropped."""
        if self.ready is not here.token:
            self._check_process()
        with self.lock:
            if self.state:  # a signal handler, inside its own thread's write: the holder writes it
                self.queued.append(tail)
                return
            self.state = _ENTERED
            try:
                if self.ready is None or not self._put(tail):
                    self._put_again(tail)
            except BaseException:
                self._interrupted()
                raise
            finally:
                self.state = _IDLE
        if self.queued:
            self._drain()

    def _put(self, tail: bytes) -> bool:
        n = self.n + 1
        head = b'{"v":1,"n":%d,"event":%b' % (n, tail)  # `encoding.line`, in place: this is the hot path
        data = head + b',"crc":"%08x"}\n' % crc32(head)
        now = monotonic_ns()
        if now > self.sure_ns and not self._is_ours(now):
            return self._lost_descriptor()
        try:
            self.state = _WRITING
            written = os.write(self.fd, data)
        except OSError as exc:
            if exc.__traceback__ is not None and exc.__traceback__.tb_next is not None:
                raise  # from the application's signal handler: a deadline, say
            return self._failed(exc)
        if written != len(data):
            self._retire("short write")
            return False
        # No call between these three: a signal handler runs only where one is.
        self.n = n
        self.size += written
        self.state = _COUNTED
        self.touched = True
        if n >= self.mark and now >= self.wake_ns:
            self._mark(n, now)
        return True

    def _is_ours(self, now: int) -> bool:
        """Whether our number is still our file and nobody appended to it; asked once for what is written together."""
        try:
            found = os.fstat(self.fd)
        except OSError:
            return False
        self.sure_ns = now + SURE_NS
        return (found.st_dev, found.st_ino) == self.identity and found.st_size == self.size

    def _put_again(self, tail: bytes) -> None:
        """Write the record the slow way: into the file opened again, or the next segment; else count it."""
        for _ in range(3):
            self.state = _ENTERED
            if self.ready is None and not self._open():
                break
            if self.ready is not None and self._put(tail):
                return
        self.drops[self.reason] += 1
        self.home.live[self] = None

    def _drain(self) -> None:
        while self.queued:
            try:
                item = self.queued.popleft()
            except IndexError:
                return
            if isinstance(item, bytes):
                self.append(item)
            else:
                item()

    def _check_process(self) -> None:
        """In a forked child, start from nothing: the file, its lock and its counts are the parent's."""
        if self.token is not here.token:
            with _births:
                if self.token is not here.token:
                    self._be_born()
                    self.run.joins = True

    def _mark(self, n: int, now: int) -> None:
        if self.home.fsync == "none":
            self.mark = _NEVER
        elif self.home.fsync == "step":
            self.sync()
        else:
            # not more often than the flusher's own pause: waking it costs the application its turn
            self.mark, self.wake_ns = n + GROUP, now + WAKE_NS
            self.home.flusher.put(self)

    # -- when something goes wrong ----------------------------------------------------------------------------------

    def _lost_descriptor(self) -> bool:
        """Our number is closed or somebody else's: leave it alone; the file is opened again if it is unchanged."""
        fd, self.fd = self.fd, -1
        self.ready = None
        release(fd, self.identity)
        return False

    def _failed(self, exc: OSError) -> bool:
        if exc.errno in {errno.EBADF, errno.ESPIPE}:
            return self._lost_descriptor()
        self._retire(errno.errorcode.get(exc.errno or 0, "OSError"))
        return False

    def _retire(self, reason: str) -> None:
        """Leave this segment for good: the next one names it, and its last counted line."""
        if self.name is None:
            return
        fd, self.fd = self.fd, -1
        self.ready = None
        self.predecessor = (self.name, self.n, reason)
        self.reason = reason
        if reason == DELETED:
            self.drops[reason] += self.n
        self.earlier += self.n
        self.name, self.suspect = None, None
        self.n = self.size = self.mark = self.sure_ns = self.wake_ns = 0
        self.segment += 1
        release(fd, self.identity)

    def _interrupted(self) -> None:
        """An exception came between a write and its count: find out what was written, and leave the segment."""
        if self.state == _WRITING and self.fd >= 0:
            if grew_by_lines(self.fd, self._path(), self.size):
                self.n += 1
            else:
                self.drops["interrupted"] += 1
            self._retire("interrupted")
        elif self.state == _ENTERED:
            self.drops["interrupted"] += 1

    def evict(self) -> bool:
        """Close the descriptor for a while; return False when it is in use."""
        if not self.lock.acquire(blocking=False):
            return False
        try:
            return not self.state and not self._lost_descriptor()
        finally:
            self.lock.release()

    # -- opening ----------------------------------------------------------------------------------------------------

    def _open(self, *, force: bool = False) -> bool:
        """Open our file again or begin the next; return whether there is one to write to."""
        now = time.monotonic_ns()
        if now < self.retry_ns and not force:
            return False
        try:
            if self.name is not None and (self.suspect is not None or not self._reopen()):
                self._retire(self.suspect or "replaced")
            if self.name is None:
                self._begin_file()
        except OSError as exc:
            if guard.from_signal_handler(exc):  # the application's deadline is not the disk's error
                raise
            self.reason = errno.errorcode.get(exc.errno or 0, "OSError")
            self.retry_ns = now + RETRY_NS
            return False
        self.retry_ns = 0
        self._tell_drops()
        return self.ready is not None

    def _reopen(self) -> bool:
        folder = open_folder(self.home.data_dir, *RUNS, self.run.day)
        try:
            fd = reopened(folder, self.name or "")
        finally:
            os.close(folder)
        if fd is None:
            return False
        if identity_of(fd) != self.identity or os.lseek(fd, 0, os.SEEK_END) != self.size:
            os.close(fd)
            return False
        self.fd, self.sure_ns = raised(fd), 0
        self.ready = here.token
        self.home.clock.add(self)
        return True

    def _begin_file(self) -> None:
        words = self._words()
        folder = open_folder(self.home.data_dir, *RUNS, self.run.day)
        try:
            if self.stem is None:
                begun = begin_attempt(folder, self.run, words)
                self.begins = begun.begins
            else:
                begun = begin_segment(folder, self.stem, self.segment, words)
        finally:
            os.close(folder)
        self.fd = raised(begun.fd)
        self.identity = identity_of(self.fd)
        self.stem, self.segment = begun.stem, begun.segment
        self.name = filename(begun.stem, begun.segment)
        self.n, self.size = 1, begun.size
        self.finished = False
        self.run.ledger_path = self._path()
        self.ready = here.token
        self.home.opened(self)
        self._mark(1, 0)

    def _words(self) -> FirstLines:
        """Return what the next file begins with."""
        return Words(self.run, self.ids, self.home.facts, self.predecessor)

    # -- records of our own -----------------------------------------------------------------------------------------

    def _tell_drops(self) -> None:
        for counts in (self.drops, self.home.untold):
            for reason, count in list(counts.items()):
                if self.ready is None or not self._put(own("drop", self.ids, {"count": count, "reason": reason})):
                    return
                counts[reason] -= count
                if not counts[reason]:
                    del counts[reason]

    # -- the end ----------------------------------------------------------------------------------------------------

    def end(self, event: str, payload: dict[str, Any], error: Any = None, *, close: bool = True) -> None:
        """Write ``run.end`` (a joiner: ``writer.end``) with this writer's count of records; close the file with it.

        With ``close`` false, steps are still open: a joiner then has nothing to say yet.
        """
        self._check_process()
        with self.lock:
            if self.state:
                self.queued.append(partial(self.end, event, payload, error, close=close))
                return
            self.state = _ENTERED
            try:
                self.last_words = partial(self._end, event, payload, error, close=close)
                if not self.last_words():
                    self.home.give_up(self)
            except BaseException:
                self._interrupted()
                raise
            finally:
                self.state = _IDLE
        if self.queued:
            self._drain()
        if self.home.unfinished and self.finished:
            self.home.retry_unfinished()

    def finish_again(self) -> bool:
        """Try once more to write the last words; return whether they are written."""
        with self.lock:
            if self.state or self.last_words is None:
                return False
            self.state = _ENTERED
            try:
                done = self.last_words()
            finally:
                self.state = _IDLE
        if not done:
            self.home.unfinished.append(self)
        return done

    def _end(self, event: str, payload: dict[str, Any], error: Any, *, close: bool) -> bool:
        for _ in range(5):
            if is_deleted(self.fd, self.identity):
                self._retire(DELETED)
            if self.ready is None and not self._open(force=True):
                return False
            if self.drops:
                self._tell_drops()
                continue
            if event == "run.end" and not self.begins:
                if not close:
                    return True
                event, payload = "writer.end", {}
            records = {**payload, "records": self.earlier + self.n + 1}
            if self._put(own(event, self.ids, records, error=error)):
                if close:
                    self._close()
                return True
        return False

    def _close(self) -> None:
        """Mark the file as closed by taking its write permission, and hand it over to be made durable."""
        fd, identity, path = self.fd, self.identity, self._path()
        with suppress(OSError):  # a file system without modes: the closing record says the same
            os.fchmod(fd, 0o440)
        self.fd = -1
        self._retire("closed")
        self.finished = True
        self.home.closed(self, Closing(self, fd, identity, path))

    # -- durability -------------------------------------------------------------------------------------------------

    def sync(self) -> bool:
        """Make the file durable (on the flusher's thread, or inline); return whether to look again soon."""
        name, n = self.name, self.n
        if name is None or self.token is not here.token:
            return False
        if (name, n) == self.synced:
            self.mark = self.wake_ns = 0
            return self.n != n
        self.suspect = trouble(self.fd, self.identity, self._path(), with_folder=self.synced[0] != name)
        if self.suspect is not None:
            self.ready = None  # the next record finds it so, leaves the segment and says why
            return False
        self.synced = (name, n)
        return True

    def suspected(self, path: str, reason: str) -> None:
        """Say in a further segment that a closed file may not have reached the disk."""
        if not self.told:
            self.told = True  # once: a disk that refuses everything would have us say so for ever
            self.append(own("fault", self.ids, {"where": "fsync", "file": os.path.basename(path), "message": reason}))
            self.end("writer.end", {})

    def _path(self) -> str:
        return os.path.join(self.home.data_dir, *RUNS, self.run.day, self.name or "")
