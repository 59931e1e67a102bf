"""What the conformance kit looks at before and after: values, callables, and the state of the whole process."""

from __future__ import annotations

import copy
import inspect
import logging
import pickle
import random
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from typing import Any, Final

_QUESTIONS: Final = tuple(
    getattr(inspect, name)
    for name in sorted(dir(inspect))
    if name.startswith("is") and callable(getattr(inspect, name))
)
# A wrapper always binds: a callable that does not (some extension types' functions) is told from it by these two alone.
_OF_DESCRIPTORS: Final = (inspect.ismethoddescriptor, inspect.isroutine)
_NAMES: Final = (
    "__name__",
    "__qualname__",
    "__module__",
    "__doc__",
    "__defaults__",
    "__kwdefaults__",
    "__text_signature__",
)
_PLAIN: Final = (str, bytes, int, float, bool, complex, type(None))


def shape(value: Any, depth: int = 0) -> Any:
    """Return ``value`` as something that compares equal only to what an application could not tell from it."""
    kind = type(value)
    if isinstance(value, _PLAIN) or depth > 8:  # noqa: PLR2004 - deeper than any result of a workout
        return kind, repr(value)
    if isinstance(value, BaseException):
        return kind, str(value), shape(value.args, depth + 1)
    if isinstance(value, Mapping):
        return kind, [(shape(key, depth + 1), shape(item, depth + 1)) for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return kind, [shape(item, depth + 1) for item in value]
    if isinstance(value, (set, frozenset)):
        return kind, sorted(repr(shape(item, depth + 1)) for item in value)
    if hasattr(value, "tobytes") and hasattr(value, "dtype"):
        return kind, str(value.dtype), getattr(value, "shape", None), value.tobytes()
    if is_dataclass(value):
        return kind, [shape(getattr(value, each.name), depth + 1) for each in fields(value)]
    return kind


def answers(owner: Any, name: str) -> dict[str, Any]:
    """Return what Python's own questions answer about a callable, as seen through its owner."""
    it = getattr(owner, name)
    binds = hasattr(type(getattr(it, "__wrapped__", it)), "__get__")
    asked = [each for each in _QUESTIONS if binds or each not in _OF_DESCRIPTORS]
    found: dict[str, Any] = {question.__name__: bool(question(it)) for question in asked}
    found |= {each: getattr(it, each, None) for each in _NAMES}
    found["signature"] = _outcome(lambda: str(inspect.signature(it)))
    found["callable"] = callable(it)
    found["equal to itself"] = it == getattr(owner, name)
    found["same hash"] = _outcome(lambda: hash(it) == hash(getattr(owner, name)))
    found["pickles"] = _outcome(lambda: _round_trip(it))
    found["copies"] = _outcome(lambda: getattr(copy.copy(it), "__name__", None))
    return found


def _round_trip(it: Any) -> Any:
    return getattr(pickle.loads(pickle.dumps(it)), "__qualname__", None)  # noqa: S301 - of our own making


def _outcome(ask: Callable[[], Any]) -> Any:
    """Return what ``ask`` returns; of an error, that it was one (its text names types that a wrapper is another of)."""
    try:
        return ask()
    except Exception:  # noqa: BLE001 - the library's answer is an error, before and after
        return "error"


def raw(owners: list[Any]) -> list[tuple[Any, str, Any]]:
    """Return all that stands in the namespaces of ``owners``, in order, as it stands there."""
    return [(owner, name, value) for owner in owners for name, value in vars(owner).items()]


def classes_of(modules: list[str]) -> dict[tuple[str, str], Any]:
    """Return the classes in the namespaces of the named modules: each with its type and its bases."""
    return {
        (module, name): (value, type(value), value.__mro__)
        for module in modules
        if module in sys.modules
        for name, value in vars(sys.modules[module]).items()
        if issubclass(type(value), type)
    }


def owners_of(modules: list[str]) -> list[Any]:
    """Return the named modules and the classes in their namespaces, those that are imported."""
    found = [sys.modules[name] for name in modules if name in sys.modules]
    classes = {id(value): value for module in found for value in vars(module).values() if isinstance(value, type)}
    return [*found, *classes.values()]


def randomness() -> list[Any]:
    """Return the state of the global random generators."""
    numpy = sys.modules.get("numpy")
    return [random.getstate(), repr(numpy.random.get_state()) if numpy is not None else None]


def seed() -> None:
    """Seed the global random generators."""
    random.seed(42)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(42)


def handlers_of_signals() -> list[Any]:
    """Return the handlers of all signals."""
    return [signal.getsignal(number) for number in sorted(signal.valid_signals())]


def loggers() -> dict[str, Any]:
    """Return what is set on every logger."""
    known = {"": logging.getLogger(), **logging.Logger.manager.loggerDict}
    return {
        name: (each.level, list(each.handlers), list(each.filters), each.propagate, each.disabled)
        for name, each in known.items()
        if isinstance(each, logging.Logger) and not name.startswith("codeintel_obs")
    }


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[Any, ...]] = []

    def emit(self, record: logging.LogRecord) -> None:
        place = (record.pathname, record.lineno, record.funcName)
        self.lines.append((record.name, record.levelno, record.getMessage(), *place))


@contextmanager
def logged() -> Iterator[list[tuple[Any, ...]]]:
    """Collect what reaches the root logger: name, level, text, and the place that it came from."""
    handler, root = _Lines(), logging.getLogger()
    root.addHandler(handler)
    try:
        yield handler.lines
    finally:
        root.removeHandler(handler)


@contextmanager
def warned() -> Iterator[list[tuple[Any, ...]]]:
    """Collect warnings with their places; those that depend on when the collector runs are left out."""
    told: list[tuple[Any, ...]] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield told
    told += [
        (each.category, str(each.message), each.filename, each.lineno)
        for each in caught
        if not issubclass(each.category, ResourceWarning)
    ]
