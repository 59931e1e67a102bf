"""What a log record says, without running any code of the application's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from logging import LogRecord
from types import WrapperDescriptorType
from typing import Any, Final

from codeintel_obs.steps import Call

_OURS: Final = ("codeintel_obs", "codeintel_obs.")
_LEAVES: Final = frozenset({str, int, float, bool, complex, bytes, type(None)})
_LEAF_MODULES: Final = frozenset({"datetime", "decimal", "fractions", "ipaddress", "pathlib", "uuid"})
_COLLECTIONS: Final = frozenset({list, tuple, set, frozenset})
_DEPTH: Final = 4
_ITEMS: Final = 64


def record_of(call: Call) -> Mapping[str, Any] | None:
    """Describe the record that is on its way to the handlers; None for our own."""
    record: LogRecord = call.arg(0, "record")
    name = record.name
    if not isinstance(name, str) or name == _OURS[0] or name.startswith(_OURS[1]):
        return None
    return {
        "logger": name,
        "level": str(record.levelname) if type(record.levelname) in _LEAVES else f"level {record.levelno}",
        "number": record.levelno,
        "ts_ns": int(record.created * 1e9),
        "exc": _exception_of(record),
        "text": partial(text_of, record),
    }


def _exception_of(record: LogRecord) -> BaseException | None:
    found = record.exc_info
    exc = found[1] if type(found) is tuple and len(found) > 1 else found
    return exc if isinstance(exc, BaseException) else None


def text_of(record: LogRecord) -> str | None:
    """Return the record's text, or None when making it would run code that is not the standard library's."""
    if type(record).getMessage is not LogRecord.getMessage or not is_plain(record.msg) or not is_plain(record.args):
        return None
    return record.getMessage()


def text_after(call: Call, _result: Any) -> Mapping[str, Any]:
    """Return the text that the application's own formatter made of the record; else its template and arguments."""
    record: LogRecord = call.arg(0, "record")
    message = vars(record).get("message")
    return {"text": message if type(message) is str else outline(record)}


def outline(record: LogRecord) -> str:
    """Return the template and its arguments, each object that is not plain by its type only."""
    template = record.msg if type(record.msg) is str else shown(record.msg)
    if not record.args:
        return template
    if type(record.args) is not tuple:
        return f"{template} % {shown(record.args)}"
    return f"{template} % ({', '.join(map(shown, record.args[:_ITEMS]))})"


def shown(value: Any) -> str:
    """Return the ``repr`` of a plain value, and the type of any other."""
    return repr(value) if is_plain(value) else f"<{type(value).__module__}.{type(value).__qualname__}>"


def is_plain(value: Any, depth: int = 0) -> bool:
    """Whether turning ``value`` into text runs only code of the standard library, and little of it."""
    kind = type(value)
    if kind in _LEAVES or kind.__module__ in _LEAF_MODULES:
        return True
    if depth >= _DEPTH:
        return False
    if kind in _COLLECTIONS:
        return len(value) <= _ITEMS and _all_plain(value, depth)
    if kind is dict:
        return len(value) <= _ITEMS and _all_plain(value, depth) and _all_plain(value.values(), depth)
    if isinstance(value, BaseException):
        builtin = isinstance(kind.__str__, WrapperDescriptorType) and isinstance(kind.__repr__, WrapperDescriptorType)
        return builtin and _all_plain(value.args, depth)
    return False


def _all_plain(values: Iterable[Any], depth: int) -> bool:
    return all(is_plain(value, depth + 1) for value in values)
