"""Opens a thing once, at its first use, however many threads ask for it at the same time."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Thing = TypeVar("Thing")


class Lazy(Generic[Thing]):
    """A failure to open is remembered for `rest` seconds, so that a crowd does not repeat it one by one."""

    def __init__(self, open_it: Callable[[], Thing], close_it: Callable[[Thing], None], rest: float = 0.0) -> None:
        self._open = open_it
        self._close = close_it
        self._rest = rest
        self._lock = threading.Lock()
        self._things: list[Thing] = []
        self._failure: tuple[float, Exception] | None = None

    def get(self) -> Thing:
        """What opening raises comes out here, to everybody who waited for it."""
        if self._things:
            return self._things[0]
        with self._lock:
            if not self._things:
                self._raise_remembered()
                self._things.append(self._try())
            return self._things[0]

    def close(self) -> None:
        """Closes what was opened; it would be opened anew."""
        with self._lock:
            things, self._things = self._things, []
        for thing in things:
            self._close(thing)

    def _try(self) -> Thing:
        try:
            return self._open()
        except Exception as error:
            self._failure = (time.monotonic() + self._rest, error)
            raise

    def _raise_remembered(self) -> None:
        if self._failure is not None and time.monotonic() < self._failure[0]:
            # without the frames that it was raised through before: they would pile up
            raise self._failure[1].with_traceback(None)
