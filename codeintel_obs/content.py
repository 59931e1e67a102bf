"""Which parts of a payload a content level keeps, redacted and cut to their caps: every value is made plain here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from codeintel_obs.redact import clean
from codeintel_obs.steps import Content, FieldClass

PAYLOAD_CAP: Final = 8192
TEXT_CAP: Final = 2048
_DEPTH_CAP: Final = 6
_ITEMS_CAP: Final = 256

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
        texts, absent = 0, False
        for key, value in kept.items():
            kind = type(value)
            if kind is int or kind is bool:
                continue
            if value is None:
                absent = True
                continue
            kept[key] = shown = plain(value)
            texts += len(shown) if type(shown) is str else _SMALL
        if absent:
            kept = {key: value for key, value in kept.items() if value is not None}
        if texts > PAYLOAD_CAP - 1024:
            _cut(kept)
        return kept

    def _select(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in payload.items() if self._keeps(key, value)}

    def _keeps(self, key: str, value: Any) -> bool:
        if key in self._declared:
            return key in self._allowed
        return self._undeclared or (self._free and type(value) in _NUMBERS)


_WHOLE: Final = frozenset({int, bool})
_NUMBERS: Final = frozenset({int, bool, float})
_SMALL: Final = 512  # what a nested value counts until it is measured


def plain(value: Any, depth: int = 0) -> Any:
    """Return ``value`` in JSON's types, redacted and capped. Never calls more of a foreign object than its ``repr``."""
    kind = type(value)
    if kind is str:
        return clean(value, TEXT_CAP)
    if kind is float:
        return value if math.isfinite(value) else str(value)
    if kind in _WHOLE or value is None:
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"<{len(value)} bytes>"
    if depth >= _DEPTH_CAP:
        return f"<{kind.__qualname__} below depth {_DEPTH_CAP}>"
    if kind is dict:
        items = list(value.items())[:_ITEMS_CAP]
        return {_key(key): plain(item, depth + 1) for key, item in items} | _more(len(value))
    if kind in {list, tuple, set, frozenset}:
        shown = [plain(item, depth + 1) for item in list(value)[:_ITEMS_CAP]]
        return [*shown, f"<{len(value) - _ITEMS_CAP} more>"] if len(value) > _ITEMS_CAP else shown
    return _foreign(value)


def _key(key: Any) -> str:
    return clean(key if type(key) is str else _shown(key), 256)


def _more(size: int) -> dict[str, Any]:
    return {"<more>": size - _ITEMS_CAP} if size > _ITEMS_CAP else {}


def _foreign(value: Any) -> Any:
    """Return a number or text of a subclass, an enum or a numpy scalar as what it is; anything else by ``repr``."""
    for base in (bool, int, float, str):
        if isinstance(value, base):
            return plain(base(value))
    if type(value).__module__ == "numpy" and getattr(value, "ndim", 1) == 0:
        return plain(value.item())
    return clean(_shown(value), TEXT_CAP)


def _shown(value: Any) -> str:
    try:
        return repr(value)
    except Exception as exc:  # noqa: BLE001 - a foreign object's repr raised: that is a fact to record, not our error
        return f"<{type(value).__qualname__}: repr raised {type(exc).__qualname__}>"


def _cut(kept: dict[str, Any]) -> None:
    """Shorten the largest values of ``kept`` in place until it fits the cap; each says how much was cut."""
    import json

    sizes = {key: len(json.dumps(value)) for key, value in kept.items()}
    for key in sorted(sizes, key=sizes.__getitem__, reverse=True):
        excess = sum(sizes.values()) + sum(map(len, sizes)) + 8 * len(sizes) - PAYLOAD_CAP
        if excess <= 0:
            return
        text = kept[key] if isinstance(kept[key], str) else json.dumps(kept[key])
        room = max(0, len(text) - excess - 64)
        kept[key] = f"{text[:room]} [cut {len(text) - room} characters]"
        sizes[key] = len(json.dumps(kept[key]))
