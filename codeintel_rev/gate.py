"""Lets a bounded number of calls work, a bounded number wait, and none of them for longer than its time.

A thread cannot be stopped: what runs over its time keeps its place until it has really ended, so that slow work
can never pile up behind a server that goes on answering.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from codeintel_rev.errors import DeadlineError, OverloadedError

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")


def workers_here() -> int:
    return min(8, (os.cpu_count() or 1) + 2)  # past the number of cores they mostly wait for each other


@dataclass(frozen=True, slots=True)
class Limits:
    """`workers` calls at once, `waiting` more in line; `seconds` a call may take, its waiting included.

    `body` is in bytes; `body_seconds` is how long a client may take to send it.
    """

    workers: int = field(default_factory=workers_here)
    waiting: int = 256
    seconds: float = 30.0
    body: int = 1 << 20
    body_seconds: float = 10.0


class Gate:
    """One per server, for HTTP and MCP together. Used from one event loop."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._inside = 0
        self._pool = ThreadPoolExecutor(limits.workers, thread_name_prefix="codeintel-rev")

    async def run(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """What `call` returns or raises; OverloadedError at once, or DeadlineError when its time is over."""
        if self._inside >= self.limits.workers + self.limits.waiting:
            what = f"{self._inside} requests are being worked on or wait already"
            raise OverloadedError(what, f"Mend: ask again after {OverloadedError.retry_after} s")
        # the caller's context variables go along, as with asyncio.to_thread
        context = contextvars.copy_context()
        future = self._pool.submit(lambda: context.run(call, *args, **kwargs))
        self._inside += 1
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda _: self._leave(loop))
        return await self._within_time(future)

    async def _within_time(self, future: Future[T]) -> T:
        waited = asyncio.wrap_future(future)
        try:
            # not wait_for: its TimeoutError could not be told from one of the call's own
            done, _ = await asyncio.wait({waited}, timeout=self.limits.seconds)
        except asyncio.CancelledError:
            waited.cancel()
            raise
        if not done:
            waited.cancel()
            what = f"no answer within {self.limits.seconds:g} s"
            raise DeadlineError(what, "Mend: ask for less, or again when there is less to do")
        return waited.result()

    def _leave(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called in the thread that did the work, or in the loop's for a call that never began."""
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._left)

    def _left(self) -> None:
        self._inside -= 1

    def close(self) -> None:
        """What waits is dropped; what runs is not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)
