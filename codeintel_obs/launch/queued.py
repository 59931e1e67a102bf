"""A stranger's sink behind a bounded queue and a thread of its own: its slowness is never the application's."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from codeintel_obs import guard
from codeintel_obs.context import suppress

if TYPE_CHECKING:
    from codeintel_obs.recorder import Listener, Recorder

CAPACITY: Final = 10_000
_STOP: Final = object()


class Queued:
    """Delivers hooks in order on a daemon thread that starts with the first event; full, it drops and counts."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dropped = 0
        self.active: Recorder | None = None
        self._queue: queue.Queue[Any] = queue.Queue(CAPACITY)
        self._thread: threading.Thread | None = None
        self._pid = os.getpid()

    def listener(self, hook: str, function: Callable[..., Any], *, takes: bool) -> Listener | Callable[[], Any]:
        """Return what the recorder calls instead of ``function``."""
        if hook == "obs_flush":
            return _Bound(self, lambda timeout: self._flush(function, timeout, takes=takes))
        if hook == "obs_shutdown":
            return lambda: self._shutdown(function)
        deliver = function if takes else lambda _subject: function()
        return _Bound(self, lambda subject: self._put(deliver, subject))

    def _put(self, function: Callable[[Any], Any], subject: Any) -> None:
        self._ensure_thread()
        try:
            self._queue.put_nowait((function, subject))
        except queue.Full:
            self.dropped += 1

    def _ensure_thread(self) -> None:
        if self._pid != os.getpid():  # a forked child has our queue's content, but not our thread
            self._pid, self._queue, self._thread = os.getpid(), queue.Queue(CAPACITY), None
        if self._thread is None:
            self._thread = threading.Thread(target=self._deliver, name=f"codeintel-obs-{self.name}", daemon=True)
            self._thread.start()

    def _deliver(self) -> None:
        with suppress():
            while True:
                item = self._queue.get()
                if item is _STOP:
                    return
                guard.each((item[0],), item[1])
                self._tell_drops()

    def _tell_drops(self) -> None:
        dropped, self.dropped = self.dropped, 0
        if dropped and self.active is not None:
            self.active.record("drop", {"count": dropped, "reason": "queue full", "sink": self.name})

    def _flush(self, function: Callable[..., Any], timeout_s: float, *, takes: bool) -> None:
        done = threading.Event()

        def deliver(_subject: None) -> None:
            _ = function(timeout_s) if takes else function()
            done.set()

        self._put(deliver, None)
        done.wait(timeout_s)

    def _shutdown(self, function: Callable[[], Any]) -> None:
        if self._thread is not None and self._pid == os.getpid():
            try:
                self._queue.put(_STOP, timeout=1)
                self._thread.join(timeout=2)
            except queue.Full:
                self.dropped += self._queue.qsize()
        self._tell_drops()
        function()


class _Bound:
    """A listener that says which queue it belongs to, so that a sink that keeps raising can be put aside whole."""

    __slots__ = ("__self__", "_call")

    def __init__(self, owner: Queued, call: Callable[[Any], Any]) -> None:
        self.__self__ = owner
        self._call = call

    def __call__(self, subject: Any) -> None:
        self._call(subject)
