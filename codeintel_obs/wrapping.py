"""The one wrapper: functions, methods, coroutines, generators, async generators, and calls whose end is elsewhere."""

from __future__ import annotations

import inspect
import types
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from importlib import import_module
from typing import Any

import wrapt

from codeintel_obs import guard, recorder
from codeintel_obs.calls import Begun, Wiring, begin, complete, delegates, enter, exit_, fail_step, tell
from codeintel_obs.context import suppressed
from codeintel_obs.transparent import transparent_wrapper

Start = Callable[[], "Begun | None"]


_PURE_WRAPT = wrapt.FunctionWrapper.__module__.startswith("wrapt.")


class Observed(wrapt.FunctionWrapper):  # type: ignore[type-arg]  # generic in its stubs only
    """A wrapped callable that still pickles and copies as what it stands for."""

    def __reduce_ex__(self, _protocol: Any) -> tuple[Any, ...]:
        """Pickle by import path, as a plain function does: the reader finds its own wrapper, or the original."""
        return _by_path, (self.__module__, self.__qualname__)

    def __copy__(self) -> Observed:
        return self

    def __deepcopy__(self, _memo: Any) -> Observed:
        return self


def _by_path(module: str, qualname: str) -> Any:
    found: Any = import_module(module)
    for part in qualname.split("."):
        found = getattr(found, part)
    return found


def observe(original: Any, wiring: Wiring) -> Observed:
    """Return ``original`` (a function, or a descriptor from a class's ``__dict__``) wrapped as ``wiring`` says."""
    function = inspect.unwrap(getattr(original, "__func__", original))
    for is_it, make in _SHAPES:
        if is_it(function):
            return Observed(original, make(wiring))
    return Observed(original, transparent_wrapper(wiring, _PURE_WRAPT))


def _begun(wiring: Wiring, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Begun | None:
    if recorder.active is None or suppressed.get():
        return None
    return guard.call(begin, wiring, instance, args, kwargs)


def _announce(begun: Begun) -> None:
    if begun.announced is not None:
        guard.each(begun.announced, begun.step)


def _for_coroutine(wiring: Wiring) -> Callable[..., Any]:
    def observed(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        return _named(_coroutine(_Unstarted(wrapped(*args, **kwargs)), wiring, instance, args, kwargs), wrapped)

    return observed


def _for_stream(delegate: Callable[..., Any]) -> Callable[[Wiring], Callable[..., Any]]:
    def make(wiring: Wiring) -> Callable[..., Any]:
        def observed(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
            inner = wrapped(*args, **kwargs)
            return _named(delegate(lambda: _begun(wiring, instance, args, kwargs), inner), wrapped)

        return observed

    return make


def _named(delegate: Any, wrapped: Any) -> Any:
    """Give ``delegate`` the names that the warning of a coroutine never awaited, and debuggers, show."""
    for name in ("__name__", "__qualname__"):
        value = getattr(wrapped, name, None)
        if isinstance(value, str):
            setattr(delegate, name, value)
    return delegate


class _Unstarted:
    """Holds the library's coroutine until its delegate starts: dropped unstarted, only the delegate warns of it."""

    __slots__ = ("inner",)

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def take(self) -> Any:
        inner, self.inner = self.inner, None
        return inner

    def __del__(self) -> None:
        if self.inner is not None and hasattr(self.inner, "close"):
            self.inner.close()


async def _coroutine(held: _Unstarted, wiring: Wiring, instance: Any, args: Any, kwargs: Any) -> Any:
    begun = _begun(wiring, instance, args, kwargs)
    if begun is None:
        return await held.take()
    return await _awaited(begun, held.take(), entered=True)


async def _awaited(begun: Begun, inner: Coroutine[Any, Any, Any], *, entered: bool = False) -> Any:
    """Await ``inner`` as the step of ``begun``; entered when its context is still the step's own."""
    try:
        if entered:
            _announce(begun)
        else:
            enter(begun)
        result = await inner
    except BaseException as exc:
        exit_(begun)
        guard.call(fail_step, begun, exc)
        raise
    exit_(begun)
    guard.call(complete, begun, result)
    tell(begun)
    return result


class _Unconsumed:
    """Ends the step of a generator that a call returned and nobody ever asked: no line of its delegate runs then."""

    __slots__ = ("begun",)

    def __init__(self, begun: Begun) -> None:
        self.begun: Begun | None = begun

    def __del__(self) -> None:
        if self.begun is not None:
            _complete_stream(self.begun, "closed by consumer", 0)


def _started(start: Begun | Start) -> Begun | None:
    """Return the step of a stream: begun by the call that returned it, or now, with its first item's work."""
    if isinstance(start, Begun):
        return start
    begun = start()
    if begun is not None:
        exit_(begun)
        _announce(begun)
    return begun


def _streamed(
    start: Begun | Start, inner: Generator[Any, Any, Any], unstarted: _Unconsumed | None = None
) -> Generator[Any, Any, Any]:
    """Delegate to ``inner`` (PEP 380), its step current only while it runs and never while its consumer does."""
    begun = _started(start)
    if begun is None:
        return (yield from inner)
    if unstarted is not None:
        unstarted.begun = None
    items, sent, thrown = 0, None, None
    while True:
        enter(begun)
        try:
            item = inner.send(sent) if thrown is None else inner.throw(thrown)
        except StopIteration as stop:
            exit_(begun)
            _complete_stream(begun, None, items)
            return stop.value
        except BaseException as exc:
            exit_(begun)
            guard.call(fail_step, begun, exc, items)
            raise
        exit_(begun)
        items += 1
        sent, thrown = None, None
        try:
            sent = yield item
        except GeneratorExit:
            _close_inner(begun, inner.close, items)
            raise
        except BaseException as exc:  # noqa: BLE001 - thrown in by the consumer, and handed on to the library's generator
            thrown = exc


def _close_inner(begun: Begun, close: Callable[[], None], items: int) -> None:
    """Close the library's generator; what its clean-up raises is the application's."""
    enter(begun)
    try:
        close()
    except BaseException as exc:
        exit_(begun)
        guard.call(fail_step, begun, exc, items)
        raise
    exit_(begun)
    _complete_stream(begun, "closed by consumer", items)


def _complete_stream(begun: Begun, detail: str | None, items: int) -> None:
    guard.call(complete, begun, None, detail, items)
    tell(begun)


async def _async_streamed(start: Begun | Start, inner: AsyncGenerator[Any, Any]) -> AsyncGenerator[Any, Any]:
    """Delegate to ``inner``, its step current only while it runs and never while its consumer does."""
    begun = _started(start)
    items = 0
    sent: Any = None
    thrown: BaseException | None = None
    while True:
        if begun is not None:
            enter(begun)
        try:
            item = await (inner.asend(sent) if thrown is None else inner.athrow(thrown))
        except StopAsyncIteration:
            _end_async(begun, None, None, items)
            return
        except BaseException as exc:
            _end_async(begun, exc, None, items)
            raise
        if begun is not None:
            exit_(begun)
        items += 1
        sent, thrown = None, None
        try:
            sent = yield item
        except GeneratorExit:
            await _aclose_inner(begun, inner, items)
            raise
        except BaseException as exc:  # noqa: BLE001 - thrown in by the consumer, and handed on to the library's generator
            thrown = exc


def _end_async(begun: Begun | None, exc: BaseException | None, detail: str | None, items: int) -> None:
    if begun is None:
        return
    exit_(begun)
    if exc is not None:
        guard.call(fail_step, begun, exc, items)
    else:
        _complete_stream(begun, detail, items)


async def _aclose_inner(begun: Begun | None, inner: AsyncGenerator[Any, Any], items: int) -> None:
    try:
        await inner.aclose()
    except BaseException as exc:
        _end_async(begun, exc, None, items)
        raise
    _end_async(begun, None, "closed by consumer", items)


def _returned(begun: Begun, inner: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    return _streamed(begun, inner, _Unconsumed(begun))


delegates[types.GeneratorType] = _returned
delegates[types.CoroutineType] = _awaited
delegates[types.AsyncGeneratorType] = _async_streamed


Shape = tuple[Callable[[Any], bool], Callable[[Wiring], Callable[..., Any]]]
_SHAPES: tuple[Shape, ...] = (
    (inspect.isasyncgenfunction, _for_stream(_async_streamed)),
    (inspect.iscoroutinefunction, _for_coroutine),
    (inspect.isgeneratorfunction, _for_stream(_streamed)),
)
