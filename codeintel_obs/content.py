"""Which parts of a payload a content level keeps, redacted and cut to their caps: every value is made plain here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from codeintel_obs.redact import MASK, clean, names_secret
from codeintel_obs.steps import Content, FieldClass

PAYLOAD_CAP: Final = 8192
TEXT_CAP: Final = 2048
KEY_CAP: Final = 256
_DEPTH_CAP: Final = 6
_ITEMS_CAP: Final = 256
_NODES_CAP: Final = 512
_PAIR: Final = 2  # a header or a cookie, as libraries list them

_KEPT: Final[dict[Content, frozenset[FieldClass]]] = {
    Content.NONE: frozenset({FieldClass.COUNT, FieldClass.CODE, FieldClass.ID}),
    Content.MESSAGES: frozenset(set(FieldClass) - {FieldClass.TEXT, FieldClass.SECRET}),
    Content.ALL: frozenset(set(FieldClass) - {FieldClass.SECRET}),
}


class Filter:
    """Keeps of a plugin's payloads what the content level allows. One per plugin; stateless and thread-safe.

    A key that its plugin did not declare is held to be a text. ``free`` is the application's own filter: there is no
    table for what it emits, so numbers are counts and everything else is a name.
    """

    __slots__ = ("_allowed", "_declared", "_free", "_undeclared")

    def __init__(self, level: Content, classes: Mapping[str, FieldClass], *, free: bool = False) -> None:
        kept = _KEPT[level]
        self._declared = frozenset(classes)
        self._allowed = frozenset(key for key, field in classes.items() if field in kept)
        self._undeclared = FieldClass.TEXT in kept or (free and FieldClass.NAME in kept)
        self._free = free

    def keep(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Return a new dict with what is allowed of ``payload``: redacted, capped, JSON types only, nothing unknown."""
        kept = dict(payload) if self._allowed.issuperset(payload) else self._select(payload)
        walk, size, absent = None, 0, False
        for key, value in kept.items():  # the hot path: what most payloads hold is done right here
            kind = type(value)
            if (kind is int and _LEAST < value < _MOST) or kind is bool:
                continue
            if value is None:
                absent = True
            elif kind is str:
                kept[key] = shown = clean(value, TEXT_CAP)
                size += len(shown)
            else:
                walk = walk or _Walk()
                kept[key] = walk.plain(value, 0)
        if absent:
            kept = {key: value for key, value in kept.items() if value is not None}
        if 4 * size + (walk.size if walk is not None else 0) > PAYLOAD_CAP - 1024 or len(kept) > _KEYS_MEASURED:
            kept = _fitted(kept)
        return kept

    def _select(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        return {
            key: MASK if key not in self._declared and _is_secret(key, value) else value
            for key, value in payload.items()
            if self._keeps(key, value)
        }

    def _keeps(self, key: str, value: Any) -> bool:
        if key in self._declared:
            return key in self._allowed
        return self._undeclared or (self._free and type(value) in _NUMBERS)


_NUMBERS: Final = frozenset({int, bool, float})
_HARMLESS: Final = frozenset({int, bool, float, type(None)})


def _is_secret(key: Any, value: Any) -> bool:
    """Whether ``key``, which no table declares, is a name that secrets have: numbers are counts all the same."""
    return type(value) not in _HARMLESS and type(key) is str and names_secret(key)


_LEAST: Final = -(1 << 63)  # what JSON readers take as an integer
_MOST: Final = 1 << 64
_KEYS_MEASURED: Final = 64  # more keys than that may be too long by themselves

# Exact types whose text is their value, by module and name: none of them is imported for it.
_TEXTUAL: Final = frozenset(
    {
        ("datetime", "date"),
        ("datetime", "datetime"),
        ("datetime", "timedelta"),
        ("decimal", "Decimal"),
        ("fractions", "Fraction"),
        ("pathlib", "PosixPath"),
        ("pathlib", "PurePosixPath"),
        ("pathlib._local", "PosixPath"),
        ("pathlib._local", "PurePosixPath"),
        ("uuid", "UUID"),
    }
)


def _follows(before: str, item: Any, count: int) -> bool:
    """Whether ``item`` is the secret that the word before it announces: an option's, or the second of a pair."""
    announced = (before[:1] == "-" or count == _PAIR) and _is_secret(before, item)
    return announced and not (type(item) is str and item[:1] == "-")


class _Walk:
    """Makes the values of one payload plain: bounded in depth and in nodes, so that no nesting or cycle goes far.

    It asks by type, never by ``isinstance`` (which asks a foreign object for its class), and runs no code of a foreign
    object: a ``repr`` may raise, say a secret, or run a query. ``size`` is what the values may take as JSON, at most.
    """

    __slots__ = ("nodes", "size")

    def __init__(self) -> None:
        self.nodes = 0
        self.size = 0

    def plain(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if issubclass(kind, str):
            shown = clean(value, TEXT_CAP)
            self.size += 4 * len(shown) + 8
            return shown
        self.size += 32
        if value is None or kind is bool:
            return value
        if issubclass(kind, int):
            return _whole(int.__pos__(value))
        if issubclass(kind, float):
            number = float.__pos__(value)
            return number if math.isfinite(number) else str(number)
        if issubclass(kind, (dict, list, tuple, set, frozenset)):
            return self._nested(value, kind, depth)
        return self._foreign(value, kind, depth)

    def _nested(self, value: Any, kind: type, depth: int) -> Any:
        if depth >= _DEPTH_CAP:
            return f"<{kind.__qualname__} below depth {_DEPTH_CAP}>"
        if issubclass(kind, dict):
            return self._dict(value, depth)
        base = next(each for each in (list, tuple, set, frozenset) if issubclass(kind, each))
        shown: list[Any] = []
        before: Any = None
        for item in list(base.__iter__(value)):  # a copy: the application may change it meanwhile
            if self._full(len(shown)):
                shown.append(f"<{base.__len__(value) - len(shown)} more>")
                break
            secret = type(before) is str and _follows(before, item, base.__len__(value))
            shown.append(MASK if secret else self.plain(item, depth + 1))
            before = item
        return shown

    def _dict(self, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        for key, item in list(dict.items(value)):
            if self._full(len(shown)):
                shown["<more>"] = dict.__len__(value) - len(shown)
                break
            shown[self._key(key)] = MASK if _is_secret(key, item) else self.plain(item, depth + 1)
        return shown

    def _full(self, count: int) -> bool:
        self.nodes += 1
        return count >= _ITEMS_CAP or self.nodes > _NODES_CAP

    def _key(self, key: Any) -> str:
        shown = clean(key, KEY_CAP) if issubclass(type(key), str) else str(self.plain(key, _DEPTH_CAP))
        self.size += 4 * len(shown) + 8
        return shown

    def _foreign(self, value: Any, kind: type, depth: int) -> Any:
        """Return a scalar of a well-known library as what it is; bytes by their number; anything else by its type."""
        if issubclass(kind, (bytes, bytearray)):
            return f"<{len(value)} bytes>"
        if (kind.__module__, kind.__qualname__) in _TEXTUAL:
            return self.plain(str(value), depth)
        if kind.__module__ == "numpy" and hasattr(kind, "item") and getattr(value, "ndim", 1) == 0:
            item = value.item()
            if type(item) is not kind:  # a longdouble's item is itself
                return self.plain(item, depth)
        return clean(f"<{kind.__module__}.{kind.__qualname__}>", KEY_CAP)


def _whole(value: int) -> int | str:
    return value if _LEAST < value < _MOST else f"<integer of {value.bit_length()} bits>"


def plain(value: Any) -> Any:
    """Return ``value`` in JSON's types, redacted and capped."""
    return _Walk().plain(value, 0)


def _fitted(kept: dict[Any, Any]) -> dict[str, Any]:
    """Return ``kept`` with its largest values shortened until it fits the cap; each says how much was cut."""
    import json

    fitted: dict[str, Any] = {}
    left = PAYLOAD_CAP - 64
    for key, value in sorted(((str(key), value) for key, value in kept.items()), key=lambda each: _size(each[1])):
        # the smallest first: what is left over is shared out among the larger ones, and the largest takes the cut
        share = left - _size(key) - 4
        if _size(value) > share:
            text = value if isinstance(value, str) else json.dumps(value)
            value = _shortened(text, share)  # noqa: PLW2901 - the same value, shorter
        if value is None:
            fitted["<more>"] = len(kept) - len(fitted)
            break
        fitted[key] = value
        left = share - _size(value)
    return fitted


def _size(value: Any) -> int:
    import json

    return len(json.dumps(value))


def _shortened(text: str, share: int) -> str | None:
    """Return the beginning of ``text`` that takes at most ``share`` characters as JSON; None when nothing would fit."""
    room = min(len(text), share)
    while room > 0:
        shown = f"{text[:room]} [cut {len(text) - room} characters]"
        excess = _size(shown) - share
        if excess <= 0:
            return shown
        room -= max(1, min(excess, room // 2))
    return None
