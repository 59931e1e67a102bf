"""Facts kept beside foreign objects, by identity and weakly: nothing is set on them and nothing keeps them alive."""

from __future__ import annotations

import weakref
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Beside(Generic[T]):
    """What is known of objects that belong to others. An object that takes no weak reference is not remembered.

    Thread-safe without a lock: each operation is one step of a dict, and an entry counts only for its very object.
    """

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: dict[int, tuple[weakref.ref[Any], T]] = {}

    def put(self, thing: Any, fact: T) -> None:
        """Keep ``fact`` beside ``thing``, instead of what was there."""
        number = id(thing)
        known = self._kept.get(number)
        if known is not None and known[0]() is thing:
            self._kept[number] = (known[0], fact)
            return
        try:
            pointer = weakref.ref(thing, lambda dead: self._drop(number, dead))
        except TypeError:
            return
        self._kept[number] = (pointer, fact)

    def get(self, thing: Any) -> T | None:
        """Return the fact beside ``thing``, or None."""
        known = self._kept.get(id(thing))
        return known[1] if known is not None and known[0]() is thing else None

    def forget(self, thing: Any) -> None:
        """Keep nothing beside ``thing`` any more."""
        if self.get(thing) is not None:
            self._kept.pop(id(thing), None)

    def __len__(self) -> int:
        return len(self._kept)

    def _drop(self, number: int, dead: Any) -> None:
        known = self._kept.get(number)
        if known is not None and known[0] is dead:
            self._kept.pop(number, None)
