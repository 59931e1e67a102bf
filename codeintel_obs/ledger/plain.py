"""Turns any value into plain JSON values that fit their cap: the encoder's last line of defence.

Nothing here runs code of a foreign object: what is not one of the builtins (or a scalar of a well-known library) is
told by the name of its type. So a `repr` that raises, or that says a secret, is never asked.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from itertools import islice
from typing import Any, Final

import msgspec

MAX_DEPTH: Final = 16
MAX_NODES: Final = 5_000
MAX_TEXT: Final = 65_536
MAX_KEY: Final = 256
_NOTE: Final = 40  # bytes that a note about a cut may take
_WORTH: Final = 48  # a share smaller than this says nothing; its key is counted as cut instead
_BIG_INT_BITS: Final = 2048  # fewer digits than any limit that `sys.set_int_max_str_digits` may set

# Exact types whose `str` is their value. Looked up where they already are: nothing is imported for them.
_TEXTUAL: Final = (
    ("decimal", "Decimal"),
    ("uuid", "UUID"),
    ("pathlib", "PosixPath"),
    ("pathlib", "PurePosixPath"),
    ("datetime", "date"),
    ("datetime", "timedelta"),
    ("fractions", "Fraction"),
)

_json: Final = msgspec.json.Encoder()


def size(value: Any) -> int:
    """Return how many bytes the plain ``value`` takes as JSON."""
    return len(_json.encode(value))


def printable(text: str) -> str:
    """Return ``text`` as an exact `str` that UTF-8 can carry: surrogates escaped, excess cut and counted."""
    text = str.__str__(text)
    if len(text) > MAX_TEXT:
        text = f"{text[:MAX_TEXT]} [cut {len(text) - MAX_TEXT} characters]"
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode()


def plain(value: Any) -> Any:
    """Return ``value`` as exact dicts with text keys, lists, text, finite numbers, booleans and None."""
    return _Walk().plain(value, 0)


class _Walk:
    """One pass over one value: bounded in depth and nodes, and safe against cycles."""

    def __init__(self) -> None:
        self.nodes = 0
        self.path: set[int] = set()

    def plain(self, value: Any, depth: int) -> Any:
        # By type, never `isinstance`: that asks a foreign object for its `__class__`, which may raise.
        self.nodes += 1
        kind = type(value)
        if value is None or kind is bool:
            return value
        if issubclass(kind, str):
            return printable(value)
        if issubclass(kind, int):
            return _integer(int.__pos__(value))
        if issubclass(kind, float):
            return _float(float.__pos__(value))
        if issubclass(kind, bytes | bytearray):
            return _bytes(value)
        if issubclass(kind, dict | list | tuple | set | frozenset):
            return self._container(value, depth)
        return _scalar(value)

    def _container(self, value: Any, depth: int) -> Any:
        if depth >= MAX_DEPTH:
            return "[cut: deeper than 16]"
        if id(value) in self.path:
            return "[cycle]"
        self.path.add(id(value))
        try:
            if issubclass(type(value), dict):
                return self._dict(value, depth)
            return self._list(value, depth)
        except RuntimeError:
            return "[changed while it was read]"
        finally:
            self.path.discard(id(value))

    def _dict(self, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for key, item in list(islice(dict.items(value), max(0, MAX_NODES - self.nodes))):
            kept[_key(key)] = self.plain(item, depth + 1)
            if self.nodes >= MAX_NODES:
                break
        if len(kept) < dict.__len__(value):
            kept["[cut]"] = f"{dict.__len__(value) - len(kept)} keys"
        return kept

    def _list(self, value: Any, depth: int) -> list[Any]:
        items, count = _items(value, max(0, MAX_NODES - self.nodes))
        kept = []
        for item in items:
            kept.append(self.plain(item, depth + 1))
            if self.nodes >= MAX_NODES:
                break
        if len(kept) < count:
            kept.append(f"[cut {count - len(kept)} items]")
        return kept


def _items(value: Any, limit: int) -> tuple[list[Any], int]:
    """Return up to ``limit`` items and the length, by the builtin's own methods, never a subclass's."""
    for base in (list, tuple, set, frozenset):
        if issubclass(type(value), base):
            iterator: Iterable[Any] = base.__iter__(value)
            return list(islice(iterator, limit)), base.__len__(value)
    return [], 0


def _key(key: Any) -> str:
    text = key if type(key) is str else str(_Walk().plain(key, MAX_DEPTH))
    text = printable(text)
    return text if len(text) <= MAX_KEY else f"{text[:MAX_KEY]} [cut {len(text) - MAX_KEY} characters]"


def _integer(value: int) -> int | str:
    bits = value.bit_length()
    return value if bits <= _BIG_INT_BITS else f"<int of {bits} bits>"


def _float(value: float) -> float | str:
    if math.isfinite(value):
        return value
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _bytes(value: bytes | bytearray) -> str:
    text = bytes(value[:MAX_TEXT]).decode("utf-8", "backslashreplace")
    return text if len(value) <= MAX_TEXT else f"{text} [cut {len(value) - MAX_TEXT} bytes]"


def _known(module: str, name: str) -> Any:
    """Return a type of a library that is imported already, else None."""
    return getattr(sys.modules.get(module), name, None)


def _scalar(value: Any) -> Any:
    """Return a number of numpy, a value whose text is its value, or the name of the type."""
    kind = type(value)
    generic = _known("numpy", "generic")
    if generic is not None and issubclass(kind, generic):
        item = generic.item(value)
        return type_name(value) if issubclass(type(item), generic) else plain(item)
    if any(kind is _known(module, name) for module, name in _TEXTUAL):
        return str(value)
    if kind is _known("datetime", "datetime") and type(value.tzinfo) in (type(None), _known("datetime", "timezone")):
        return str(value.isoformat())
    return type_name(value)


def type_name(value: Any) -> str:
    """Return ``<module.qualname>`` of the type, without asking the object or its metaclass."""
    kind = type(value)
    module = type.__dict__["__module__"].__get__(kind)
    name = type.__dict__["__qualname__"].__get__(kind)
    text = f"{module}.{name}" if type(module) is str and module != "builtins" else name
    return f"<{printable(text[:MAX_KEY])}>"


def fit(value: Any, room: int) -> Any:
    """Return the plain ``value`` cut to ``room`` bytes of JSON; what was cut is counted where it was."""
    if size(value) <= room:
        return value
    if isinstance(value, str):
        return fit_text(value, room)
    if isinstance(value, list):
        return _fit_list(value, room)
    if isinstance(value, dict):
        return _fit_dict(value, room)
    return "[cut]"


def fit_text(text: str, room: int) -> str:
    """Return ``text`` cut to ``room`` bytes of JSON, its note included."""
    keep = len(text)
    taken = size(text)
    if taken <= room:
        return text
    while keep > 0 and taken > room - _NOTE:
        keep = min(keep - 1, max(0, keep * (room - _NOTE) // taken))
        taken = size(text[:keep])
    return f"{text[:keep]} [cut {len(text) - keep} characters]" if keep else f"[cut {len(text)} characters]"


def _fit_list(items: list[Any], room: int) -> list[Any]:
    left = room - _NOTE
    kept: list[Any] = []
    for item in items:
        need = size(item) + 1
        if need > left:
            if left > _WORTH and not kept:
                kept.append(fit(item, left))
            break
        kept.append(item)
        left -= need
    if len(kept) < len(items):
        kept.append(f"[cut {len(items) - len(kept)} items]")
    return kept


def _fit_dict(values: dict[str, Any], room: int) -> dict[str, Any]:
    """Share ``room`` out so that small values stay whole and large ones are cut; last keys go when not all can stay."""
    names = {key: size(key) + 2 for key in values}
    needs = {key: names[key] + size(value) for key, value in values.items()}
    keys = list(values)
    shares = _shares(keys, needs, room - _NOTE)
    while keys and any(shares[key] < min(needs[key], names[key] + _WORTH) for key in keys):
        del keys[len(keys) - 1 - len(keys) // 8 :]
        shares = _shares(keys, needs, room - _NOTE)
    kept = {key: fit(values[key], shares[key] - names[key]) for key in keys}
    if len(kept) < len(values):
        kept["[cut]"] = f"{len(values) - len(kept)} keys"
    return kept


def _shares(keys: list[str], needs: dict[str, int], room: int) -> dict[str, int]:
    shares: dict[str, int] = {}
    waiting = len(keys)
    for key in sorted(keys, key=needs.__getitem__):
        shares[key] = min(needs[key], max(0, room // waiting))
        room -= shares[key]
        waiting -= 1
    return shares
