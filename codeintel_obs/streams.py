"""Stands around what a library hands out to be run later: coroutines, generators and async generators.

Each is delegated by one of the same sort. Its step is current only while the library's own code runs, never while its
consumer does, and it ends when the stream is exhausted, fails, or is closed.
"""

from __future__ import annotations

import sys
import types
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from typing import Any, Protocol

from codeintel_obs import guard, recorder
from codeintel_obs.calls import (
    begin,
    delegates,
    enter,
    exit_,
    fail,
    fail_stream,
    finish,
    finish_stream,
    tell,
)
from codeintel_obs.context import suppressed
from codeintel_obs.guard import quietly
from codeintel_obs.surroundings import flush
from codeintel_obs.wiring import Begun, Wiring

Start = Callable[[], "Begun | None"]


class Later(Protocol):
    """What is awaited once its step has begun."""

    def take(self, begun: Begun | None) -> Awaitable[Any]:
        """Return it, made from the arguments of ``begun`` where those may be others."""

    def drop(self) -> None:
        """Let go of it unstarted, without the warning that it was never awaited."""


class Held:
    """The library's object until its delegate starts. ``again`` makes it anew from the arguments of a carrier point."""

    __slots__ = ("again", "begun", "inner")

    def __init__(self, inner: Any, begun: Begun | None = None, again: Callable[..., Any] | None = None) -> None:
        self.inner = inner
        self.begun = begun
        self.again = again

    def take(self, begun: Begun | None) -> Any:
        inner, self.inner, again, self.again = self.inner, None, self.again, None
        if again is None or begun is None:
            return inner
        _close_unstarted(inner)
        return again(*begun.call.args, **begun.call.kwargs)

    def drop(self) -> None:
        inner, self.inner = self.inner, None
        _close_unstarted(inner)

    def __del__(self) -> None:
        """Dropped unstarted: only the delegate warns of a coroutine never awaited; a step that has begun ends here."""
        if self.inner is not None:
            _close_unstarted(self.inner)
            if self.begun is not None:
                never = isinstance(self.inner, Coroutine)
                finish_stream(self.begun, "never awaited" if never else "closed by consumer", 0)


def _close_unstarted(inner: Any) -> None:
    close = getattr(inner, "close", None)  # an unstarted async generator has nothing to close
    if close is not None:
        close()


def deferred_start(delegate: Callable[[Begun | Start, Held], Any]) -> Callable[[Wiring], Callable[..., Any]]:
    """Return the maker of wrappers for functions whose call runs nothing yet: the step begins when the stream does."""

    def make(wiring: Wiring) -> Callable[..., Any]:
        def observed(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
            held = Held(wrapped(*args, **kwargs), None, wrapped if wiring.point.carrier is not None else None)
            return named(delegate(lambda: begun_now(wiring, instance, args, kwargs), held), wrapped)

        return observed

    return make


def begun_now(wiring: Wiring, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Begun | None:
    """Begin what ``wiring`` says of a call whose work starts now; None when it is not to be recorded."""
    # the end of another's step is the truth even where nothing new is recorded
    if recorder.active is None or (suppressed.get() and wiring.kind is not None):
        return None
    return guard.call(begin, wiring, instance, args, kwargs)


def _already(delegate: Callable[[Begun | Start, Held], Any]) -> Callable[[Begun, Any], Any]:
    """Return what stands around a stream that a call of the step ``begun`` has returned."""
    return lambda begun, inner: named(delegate(begun, Held(inner, begun)), inner)


def named(delegate: Any, wrapped: Any) -> Any:
    """Give ``delegate`` the names that the warning of a coroutine never awaited, and debuggers, show."""
    for name in ("__name__", "__qualname__"):
        value = getattr(wrapped, name, None)
        if isinstance(value, str):
            setattr(delegate, name, value)
    return delegate


def _announce(begun: Begun) -> None:
    if begun.announced is not None:
        guard.each(begun.announced, begun.step)


async def awaited(start: Begun | Start, held: Later) -> Any:
    """Await the library's coroutine as one step."""
    try:
        begun = start if isinstance(start, Begun) else start()
    except BaseException:
        held.drop()  # the application's deadline came before its call
        raise
    if begun is None:
        return await held.take(begun)
    try:
        if begun is start:
            enter(begun)
        else:
            _announce(begun)
        result = await held.take(begun)
    except BaseException as exc:
        fail(begun, exc)
        flush(begun)
        raise
    result = finish(begun, result)
    tell(begun)
    flush(begun)
    return result


def _started(start: Begun | Start) -> Begun | None:
    """Return the step of a stream: begun by the call that returned it, or now, with its first item's work."""
    if isinstance(start, Begun):
        return start
    begun = start()
    if begun is not None:
        exit_(begun)
        _announce(begun)
    return begun


def _seen(begun: Begun, item: Any) -> None:
    """Show what a stream gave to the describe function that asked for it."""
    see = begun.wiring.point.item
    if see is not None:
        quietly(see, begun.call, item)


def _failed(begun: Begun, exc: BaseException, items: int, *, closing: bool) -> None:
    """Say how a stream ended that let ``exc`` out: closed, when that is the GeneratorExit that it was closed with."""
    if closing and isinstance(exc, GeneratorExit):
        finish_stream(begun, "closed by consumer", items)
    else:
        fail_stream(begun, exc, items)


def streamed(start: Begun | Start, held: Held) -> Generator[Any, Any, Any]:
    """Delegate to the library's generator (PEP 380); whatever its consumer throws in, a close too, is thrown on."""
    begun = _started(start)
    inner = held.take(begun)
    if begun is None:
        return (yield from inner)
    items, sent = 0, None
    thrown: BaseException | None = None
    while True:
        closing = isinstance(thrown, GeneratorExit)
        enter(begun)
        try:
            item = inner.send(sent) if thrown is None else inner.throw(thrown)
        except StopIteration as stop:
            thrown = None  # else this frame and the exception would hold each other
            exit_(begun)
            finish_stream(begun, "closed by consumer" if closing else None, items)
            return stop.value
        except BaseException as exc:
            thrown = None
            exit_(begun)
            _failed(begun, exc, items, closing=closing)
            raise
        exit_(begun)
        _seen(begun, item)
        items += 1
        sent, thrown = None, None
        try:
            sent = yield item
        except BaseException as exc:  # noqa: BLE001 - the consumer threw it in: it is handed on to the library's generator
            thrown = exc


async def async_streamed(start: Begun | Start, held: Held) -> AsyncGenerator[Any, Any]:
    """Delegate to the library's async generator; whatever its consumer throws in, a close too, is thrown on."""
    begun = _started(start)
    inner = held.take(begun)
    items, sent = 0, None
    thrown: BaseException | None = None
    turn = _first_turn(inner)
    while True:
        closing = isinstance(thrown, GeneratorExit)
        if begun is not None:
            enter(begun)
        try:
            item = await turn
        except StopAsyncIteration:
            thrown = None
            if begun is not None:
                exit_(begun)
                finish_stream(begun, "closed by consumer" if closing else None, items)
            return
        except BaseException as exc:
            thrown = None
            if begun is not None:
                exit_(begun)
                _failed(begun, exc, items, closing=closing)
            raise
        if begun is not None:
            exit_(begun)
            _seen(begun, item)
        items += 1
        sent, thrown = None, None
        try:
            sent = yield item
        except BaseException as exc:  # noqa: BLE001 - the consumer threw it in: it is handed on to the library's generator
            thrown = exc
        turn = inner.asend(sent) if thrown is None else inner.athrow(thrown)


def _first_turn(inner: AsyncGenerator[Any, Any]) -> Any:
    """Return the first turn of ``inner`` without telling the event loop of it.

    The loop knows the delegate and closes that one; were it to close both, one would find the other running.
    """
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        return inner.asend(None)
    finally:
        sys.set_asyncgen_hooks(*hooks)


delegates[types.GeneratorType] = _already(streamed)
delegates[types.CoroutineType] = _already(awaited)
delegates[types.AsyncGeneratorType] = _already(async_streamed)
