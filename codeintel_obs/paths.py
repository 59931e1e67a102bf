"""Paths through a call's arguments and result, read without running anybody's code: what a seam's expressions mean.

A path reads what is *stored*: attributes in an object's ``__dict__`` or slots, keys of dicts, items of lists and tuples.
It runs no property, no method and no ``__getattr__`` of the application's; what is not stored is absent.
"""

from __future__ import annotations

import operator
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, NamedTuple

from codeintel_obs.steps import FieldClass

MISSING: Final[Any] = object()
FUNCTIONS: Final = {
    "len": FieldClass.COUNT,
    "number": FieldClass.COUNT,
    "bool": FieldClass.COUNT,
    "type": FieldClass.CODE,
    "code": FieldClass.CODE,
    "id": FieldClass.ID,
    "name": FieldClass.NAME,
    "path": FieldClass.PATH,
    "text": FieldClass.TEXT,
}
"""Functions of the language, each with the class of what it gives. A path without one is a text."""

SIGNS: Final = ("==", "!=", "<", "<=", ">", ">=")
_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_CONTAINERS: Final = (str, bytes, list, tuple, dict, set, frozenset)


class _Named(NamedTuple):
    field: None = None


_SLOTS: Final = (types.MemberDescriptorType, types.GetSetDescriptorType, type(vars(_Named)["field"]))
"""Descriptors of C's making, which give what is stored: slots, attributes of C types, fields of named tuples."""


@dataclass(frozen=True, slots=True)
class Path:
    """A root and the steps from it: attribute names and keys as texts, positions as numbers."""

    root: str
    steps: tuple[str | int, ...] = ()

    def read(self, roots: Mapping[str, Any]) -> Any:
        """Return what is stored at the end of the path, or `MISSING`."""
        value = roots.get(self.root, MISSING)
        for step in self.steps:
            if value is MISSING:
                break
            value = stored(value, step)
        return value


@dataclass(frozen=True, slots=True)
class Value:
    """A path, and the function around it."""

    path: Path
    function: str | None = None

    @property
    def field(self) -> FieldClass:
        """What the value is declared to be."""
        return FUNCTIONS[self.function] if self.function else FieldClass.TEXT

    def read(self, roots: Mapping[str, Any]) -> Any:
        """Return the value, or `MISSING` where there is none of that sort."""
        found = self.path.read(roots)
        return found if self.function is None or found is MISSING else _READERS[self.function](found)


@dataclass(frozen=True, slots=True)
class Condition:
    """A value that must be true, or must compare so with a literal."""

    value: Value
    negated: bool = False
    sign: str | None = None
    literal: Any = None

    def holds(self, roots: Mapping[str, Any]) -> bool:
        """Whether it holds; what is absent is like null."""
        found = self.value.read(roots)
        if self.sign is None:
            return truth(found) != self.negated
        return _compared(None if found is MISSING else plain(found), self.sign, self.literal) != self.negated


# -- reading ---------------------------------------------------------------------------------------------------------


def stored(value: Any, step: str | int) -> Any:
    """Return the item, key or attribute ``step`` of ``value`` if it is stored there, else `MISSING`."""
    kind = type(value)
    if issubclass(kind, dict):
        return dict.get(value, step, MISSING)
    if isinstance(step, int):
        base = next((each for each in (list, tuple) if issubclass(kind, each)), None)
        fits = base is not None and -base.__len__(value) <= step < base.__len__(value)
        return base.__getitem__(value, step) if fits and base is not None else MISSING
    if kind is Arguments:
        found: Any = value.get(step)
        return found
    return _of_class(value, step) if issubclass(kind, type) else _attribute(value, kind, step)


def _attribute(value: Any, kind: type, name: str) -> Any:
    try:
        inside = object.__getattribute__(value, "__dict__")
    except AttributeError:
        inside = None
    if type(inside) is dict and name in inside:
        return inside[name]
    for cls in kind.__mro__:
        if name in vars(cls):
            return _slot(vars(cls)[name], value, kind)
    return MISSING


def _slot(found: Any, value: Any, kind: type) -> Any:
    """Return what a class's own entry gives for an object: a slot's content, or a plain constant of the class."""
    if type(found) in _SLOTS:
        try:
            return found.__get__(value, kind)
        except AttributeError:
            return MISSING  # a slot that nothing was put into
    return _constant(found)


def _of_class(cls: type, name: str) -> Any:
    found = next((vars(each)[name] for each in cls.__mro__ if name in vars(each)), MISSING)
    return _constant(found)


def _constant(found: Any) -> Any:
    return found if found is None or isinstance(found, (str, int, float, list, tuple, dict)) else MISSING


def plain(value: Any) -> Any:
    """Return an enumeration's member as its value, all else as it is."""
    if isinstance(type(value), type(Enum)):
        return vars(value).get("_value_", value)
    return value


def truth(value: Any) -> bool:
    """Whether ``value`` counts as true; nothing is called: an object that is no number and no container is true."""
    value = plain(value)
    kind = type(value)
    if value is MISSING or value is None:
        return False
    if issubclass(kind, (int, float)):
        return not (int if issubclass(kind, int) else float).__eq__(value, 0)
    size = length(value)
    return size is MISSING or size > 0


def length(value: Any) -> Any:
    """Return the length of a container whose ``__len__`` is none of the application's code, else `MISSING`."""
    for base in _CONTAINERS:
        if issubclass(type(value), base):
            return base.__len__(value)
    own = next((vars(cls)["__len__"] for cls in type(value).__mro__ if "__len__" in vars(cls)), None)
    return len(value) if type(own) is types.WrapperDescriptorType else MISSING


def _number(value: Any) -> Any:
    value = plain(value)
    is_number = issubclass(type(value), (int, float)) or (type(value).__module__ == "numpy" and hasattr(value, "item"))
    return value if is_number else MISSING


def _word(value: Any) -> Any:
    value = plain(value)
    return value if issubclass(type(value), (str, int)) else MISSING


def _place(value: Any) -> Any:
    return value if issubclass(type(value), str) or type(value).__module__.startswith("pathlib") else MISSING


_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "len": length,
    "number": _number,
    "bool": truth,
    "type": lambda value: type(value).__qualname__,
    "code": _word,
    "id": _word,
    "name": _word,
    "path": _place,
    "text": lambda value: value,
}


def _compared(found: Any, sign: str, literal: Any) -> bool:
    if sign in ("==", "!="):
        return _same(found, literal) == (sign == "==")
    ordered = _base(found) is not None and _base(found) is _base(literal)
    return ordered and _COMPARE[sign](found, literal)


def _same(found: Any, literal: Any) -> bool:
    if literal is None or isinstance(literal, bool):
        return found is literal
    base = _base(found)
    return base is not None and base is _base(literal) and bool(found == literal)


def _base(value: Any) -> type | None:
    """Return what may be compared with what: texts, and numbers; exact types only, whose comparison is Python's own."""
    return str if type(value) is str else float if type(value) in (int, float) else None


class Arguments:
    """The arguments of one call by name or position; what was not passed is absent, whatever its default."""

    __slots__ = ("_args", "_kwargs", "_positions")

    def __init__(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], positions: Mapping[str, int]) -> None:
        self._args, self._kwargs, self._positions = args, kwargs, positions

    def get(self, name: str) -> Any:
        """Return the argument ``name``, or `MISSING` when it was not passed."""
        if name in self._kwargs:
            return self._kwargs[name]
        position = self._positions.get(name, -1)
        return self._args[position] if 0 <= position < len(self._args) else MISSING
