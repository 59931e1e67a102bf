"""Carries the current step with each task of a `multiprocessing.pool.ThreadPool`, as executors have it.

The pool's own queue does it: handing over a task, it puts the worker's context in place. So no callable, argument or
result changes, and no frame of ours stands around the application's. Imported when `multiprocessing.pool` is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from queue import SimpleQueue
from typing import Any, Final

from codeintel_obs.context import current, suppressed

_ATTRIBUTE: Final = "_codeintel_around"
_NOTHING: Final = (None, False)


class _Tasks(SimpleQueue[Any]):
    """A queue between threads of a pool: of tasks for its workers, or of results for their handler.

    ``pending`` are the pool's pending results by the number of their job, which each task and result begins with.
    """

    pending: Mapping[int, Any] | None = None

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Return the next task, under whose step this thread is from now on. Who drains the queue asks otherwise."""
        if not block or timeout is not None:
            return super().get(block, timeout)
        _put_in_place(_NOTHING)  # what is done is let go of while the thread waits
        task = super().get()
        if type(task) is tuple and self.pending is not None:
            _put_in_place(getattr(self.pending.get(task[0]), _ATTRIBUTE, _NOTHING))
        return task


def _put_in_place(around: tuple[Any, bool]) -> None:
    # the thread is the pool's own, so nobody has to put anything back
    current.set(around[0])
    suppressed.set(around[1])


def with_queues_of_ours(original: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return ``ThreadPool._setup_queues`` that makes queues which carry."""

    def setup_queues(self: Any) -> None:
        original(self)
        if (
            type(self._inqueue) is SimpleQueue and type(self._outqueue) is SimpleQueue
        ):  # else it is no pool that we know
            self._inqueue, self._outqueue = _Tasks(), _Tasks()
            self._quick_put, self._quick_get = self._inqueue.put, self._outqueue.get

    return setup_queues


def remembering(original: Callable[..., None]) -> Callable[..., None]:
    """Return the ``__init__`` of a pool's result that remembers the step of the thread that submits."""

    def init(self: Any, pool: Any, *args: Any, **kwargs: Any) -> None:
        original(self, pool, *args, **kwargs)
        if type(pool._inqueue) is _Tasks:  # noqa: SLF001 - set up by us
            pool._inqueue.pending = pool._outqueue.pending = self._cache  # noqa: SLF001 - the same for all results
            setattr(self, _ATTRIBUTE, (current.get(), suppressed.get()))

    return init


def generating(original: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    """Return ``Pool._guarded_task_generation`` that draws the application's arguments under the submitter's step."""

    def generation(self: Any, result_job: int, func: Any, iterable: Any) -> Iterator[Any]:
        return _under((current.get(), suppressed.get()), original(self, result_job, func, iterable))

    return generation


def _under(around: tuple[Any, bool], tasks: Iterator[Any]) -> Iterator[Any]:
    while True:
        _put_in_place(around)
        try:
            task = next(tasks, None)
        finally:
            _put_in_place(_NOTHING)
        if task is None:
            return
        yield task
