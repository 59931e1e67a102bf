"""Stands above and beneath each wrapper and compares what the application saw with what the library did."""

from __future__ import annotations

import inspect
import sys
import threading
import types
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import wrapt

from codeintel_obs.testing.lab import Lab

_STREAMS: Final = (types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType)
_CODE: Final = compile("_witnessed()", "<witness>", "eval")


class Seen:
    """One call: as the application made it, and as it reached the library."""

    def __init__(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.name = name
        self.above: tuple[Any, ...] = (args, kwargs)
        self.beneath: list[tuple[Any, ...]] = []
        self.library: tuple[str, Any] = ("", None)
        self.application: tuple[str, Any] = ("", None)

    def complaint(self) -> str | None:
        """Return what differs, or None."""
        if len(self.beneath) != 1:
            return f"{self.name}: one call of the application became {len(self.beneath)} of the library"
        if not _same_arguments(self.above, self.beneath[0]):
            return f"{self.name}: the library got other arguments than the application gave"
        how, theirs = self.library
        if how != self.application[0]:
            return f"{self.name}: the library {how}, the application saw that it {self.application[0]}"
        ours = self.application[1]
        same_sort = isinstance(theirs, _STREAMS) and type(ours) is type(theirs)
        return None if ours is theirs or same_sort else f"{self.name}: {how} another object: {theirs!r}, not {ours!r}"


def _same_arguments(above: tuple[Any, ...], beneath: tuple[Any, ...]) -> bool:
    (args, kwargs), (got, named) = above, beneath
    return (
        len(args) == len(got)
        and all(a is b for a, b in zip(args, got, strict=True))
        and list(kwargs) == list(named)
        and all(kwargs[key] is named[key] for key in kwargs)
    )


class Witnesses:
    """The calls that were seen, in the order of their ends."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.standing = 0
        self._here = threading.local()

    def _stack(self) -> list[Seen]:
        try:
            stack: list[Seen] = self._here.stack
        except AttributeError:
            stack = self._here.stack = []
        return stack

    def above(self, name: str, original: Any) -> Any:
        """Return what stands for ``original``, our wrapper."""

        def witness(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
            call, stack = Seen(name, args, kwargs), self._stack()
            stack.append(call)
            try:
                result = _called(wrapped, args, kwargs, sys._getframe(1))  # noqa: SLF001 - the library sees its caller
            except BaseException as exc:
                call.application = ("raised", exc)
                raise
            else:
                call.application = ("returned", result)
                return result
            finally:
                stack.pop()
                self.seen.append(call)

        return wrapt.FunctionWrapper(original, witness)

    def beneath(self, name: str, original: Any) -> Any:
        """Return what stands for ``original``, the library's own."""

        def witness(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
            stack = self._stack()
            call = stack[-1] if stack and stack[-1].name == name else Seen(name, args, kwargs)
            call.beneath.append((args, kwargs))
            try:
                result = _called(wrapped, args, kwargs, sys._getframe(1))  # noqa: SLF001 - the library sees its caller
            except BaseException as exc:
                call.library = ("raised", exc)
                raise
            call.library = ("returned", result)
            return result

        return wrapt.FunctionWrapper(original, witness)


def _called(wrapped: Any, args: Any, kwargs: Any, frame: types.FrameType) -> Any:
    """Call ``wrapped`` from a frame that looks like the caller's: libraries look names up there."""
    code = _CODE.replace(co_filename=frame.f_code.co_filename, co_firstlineno=frame.f_lineno or 1)
    seen = {**frame.f_locals, "_witnessed": partial(wrapped, *args, **kwargs)}
    return eval(code, frame.f_globals, seen)  # noqa: S307 - as the wrapper itself does, and for its reason


@contextmanager
def witnessing(lab: Lab) -> Iterator[Witnesses]:
    """Put witnesses above and beneath the wrappers of all callables that run when they are called."""
    witnesses = Witnesses()
    points = [point for point in lab.plugin.points if point.carrier is not None or point.hands_on]
    changing = {point.name.rpartition(".")[2] for point in points}
    slots = [(owner, name, vars(owner)[name]) for owner, name in lab.slots() if name not in changing]
    slots = [slot for slot in slots if not isinstance(slot[2], property) and not _runs_later(slot[2])]
    witnesses.standing = len(slots)
    for number, (owner, name, original) in enumerate(slots):
        setattr(owner, name, witnesses.beneath(f"{number} {owner.__name__}.{name}", original))
    try:
        with lab.recording():
            ours = [(owner, name, vars(owner)[name]) for owner, name, _ in slots]
            for number, (owner, name, wrapper) in enumerate(ours):
                setattr(owner, name, witnesses.above(f"{number} {owner.__name__}.{name}", wrapper))
            yield witnesses
            for owner, name, wrapper in ours:
                setattr(owner, name, wrapper)
    finally:
        for owner, name, original in slots:
            setattr(owner, name, original)


def _runs_later(original: Any) -> bool:
    """Whether calling it only makes a stream: its wrapper is chosen by what it is, which a witness would hide."""
    function = getattr(original, "__func__", original)
    return any(
        ask(function) for ask in (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)
    )
