"""The one wrapper: functions, methods, coroutines, generators, async generators, and calls whose end is elsewhere."""

from __future__ import annotations

import copy
import inspect
import types
from collections.abc import Callable
from importlib import import_module
from typing import Any

import wrapt

from codeintel_obs.asgi import application_wrapper
from codeintel_obs.logs import log_wrapper
from codeintel_obs.streams import async_streamed, awaited, deferred_start, streamed
from codeintel_obs.transparent import transparent_getter, transparent_wrapper
from codeintel_obs.wiring import Wiring

_MARK = "_codeintel_observed"
_PURE_WRAPT = wrapt.FunctionWrapper.__module__.startswith("wrapt.")


class BoundObserved(wrapt.BoundFunctionWrapper):  # type: ignore[type-arg]  # generic in its stubs only
    """A wrapped callable as seen through an instance or a class; it pickles and copies as what it stands for."""

    @property
    def __self__(self) -> Any:
        """What it is bound to: wrapt would ask the unbound original first, and pybind11's has a `__self__` of its own."""
        bound: Any = self.__wrapped__
        return bound.__self__

    def __reduce_ex__(self, protocol: Any) -> str | tuple[Any, ...]:
        return _reduced(self, protocol)

    def __copy__(self) -> Any:
        return _copied(self, copy.copy)

    def __deepcopy__(self, memo: Any) -> Any:
        return _copied(self, lambda original: copy.deepcopy(original, memo))


class Observed(wrapt.FunctionWrapper):  # type: ignore[type-arg]  # generic in its stubs only
    """A wrapped callable that still pickles and copies as what it stands for."""

    __bound_function_wrapper__ = BoundObserved

    @property
    def __signature__(self) -> Any:
        """A class that is called as a function under another name has its own; since 3.13 `inspect` would miss it."""
        original: Any = self.__wrapped__
        return inspect.signature(original) if isinstance(original, type) else original.__signature__

    def __reduce_ex__(self, protocol: Any) -> str | tuple[Any, ...]:
        return _reduced(self, protocol)

    def __copy__(self) -> Any:
        return _copied(self, copy.copy)

    def __deepcopy__(self, memo: Any) -> Any:
        return _copied(self, lambda original: copy.deepcopy(original, memo))


def _copied(observed: Any, make: Callable[[Any], Any]) -> Any:
    """Return ``observed`` where the original is its own copy; a method that is bound anew is a wrapped one again."""
    original = observed.__wrapped__
    made: Any = make(original)
    if made is original:
        return observed
    return getattr(made.__self__, made.__name__) if type(made) is types.MethodType else made


def _reduced(observed: Any, protocol: Any) -> str | tuple[Any, ...]:
    """Pickle as the original does: a function by its path, a method by its object and name, others or never as they do.

    Nothing of ours is in the bytes, so any reader can load them; one that records gets its own wrapper.
    """
    original = observed.__wrapped__
    if isinstance(original, type):
        return copy.copy, (original,)  # a class that is called as a function under another name
    how = original.__qualname__ if type(original) is types.FunctionType else original.__reduce_ex__(protocol)
    if not isinstance(how, str):
        return _shown(observed) or how
    *path, last = how.split(".")
    try:
        owner: Any = import_module(original.__module__)
        for part in path:
            owner = getattr(owner, part)
        found = getattr(owner, last)
    except (ImportError, AttributeError):
        return copy.copy, (original,)  # pickle refuses the original in its own words
    if found is observed:
        return how
    if isinstance(found, (Observed, BoundObserved)) and found.__wrapped__ is original:
        if not isinstance(owner, types.ModuleType):
            return getattr, (owner, last)
        from pkgutil import resolve_name

        return resolve_name, (f"{original.__module__}:{how}",)  # under another name too; a module does not pickle
    return _shown(observed) or (copy.copy, (original,))


def _shown(observed: Any) -> tuple[Any, ...] | None:
    """Pickle a function by where the library shows it, which need not be where it defines it; None when it is gone."""
    place = getattr(observed, "_self_place", None)
    if place is None:
        return None
    from pkgutil import resolve_name  # milliseconds of imports, for few

    try:
        return (resolve_name, (place,)) if resolve_name(place) is observed else None
    except (ImportError, AttributeError):
        return None


def is_ours(found: Any) -> bool:
    """Whether what stands in a slot is what `observe` made."""
    return isinstance(found, Observed) or (isinstance(found, property) and hasattr(found.fget, _MARK))


def observe(original: Any, wiring: Wiring) -> Any:
    """Return ``original`` (a function, or a descriptor from a class's ``__dict__``) wrapped as ``wiring`` says."""
    if isinstance(original, property):
        getter = transparent_getter(original.fget, wiring, _PURE_WRAPT, _name_within(original.fget, wiring))
        getter.__name__ = getattr(original, "__name__", wiring.point.name.rpartition(".")[2])  # since 3.13 a property's
        getter.__doc__ = getattr(original.fget, "__doc__", None)
        setattr(getter, _MARK, True)
        return original.getter(getter)  # a property of the same type, with the same documentation
    function = getattr(original, "__func__", original)
    if wiring.point.mount is not None:
        return Observed(original, application_wrapper(wiring, function), wiring.on)  # type: ignore[arg-type]  # the same
    if wiring.point.emits == "log":
        return Observed(original, log_wrapper(wiring, function), wiring.on)  # type: ignore[arg-type]  # the same
    if type(function) is types.FunctionType:  # what it is decides, not what it wraps or is marked as
        for flag, make in _SHAPES:
            if function.__code__.co_flags & flag:
                return Observed(original, make(wiring), wiring.on)  # type: ignore[arg-type]  # any object with a truth
    wrapper = transparent_wrapper(wiring, _PURE_WRAPT, _name_within(original, wiring))
    return Observed(original, wrapper, wiring.on_now)  # type: ignore[arg-type]  # any object with a truth


def _name_within(original: Any, wiring: Wiring) -> str:
    """Return the module of the library that ``original`` is defined in: the library knows its own frames by it."""
    name = getattr(original, "__module__", None)
    library = wiring.point.module.partition(".")[0]
    return name if isinstance(name, str) and name.partition(".")[0] == library else library


_SHAPES: tuple[tuple[int, Callable[[Wiring], Callable[..., Any]]], ...] = (
    (inspect.CO_ASYNC_GENERATOR, deferred_start(async_streamed)),
    (inspect.CO_COROUTINE, deferred_start(awaited)),
    (inspect.CO_GENERATOR, deferred_start(streamed)),
)
