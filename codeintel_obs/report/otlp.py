"""Reads spans as the OpenTelemetry collector's file exporter writes them: OTLP as JSON, a request per line."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from codeintel_obs.errors import CodeIntelObsError

STEP_EVENT: Final = "codeintel.step"
_ERROR: Final = frozenset({2, "2", "STATUS_CODE_ERROR"})
_DIGITS: Final = {16: 8, 32: 16}


class SpanEvent(msgspec.Struct):
    """An event on a span; ``ns`` is its time since 1970."""

    name: str
    ns: int
    attributes: dict[str, Any]


class SampledSpan(msgspec.Struct):
    """A span that somebody exported; ids in lower-case hex, times in ns since 1970. ``failed``: its status is ERROR."""

    trace_id: str
    span_id: str
    parent: str | None
    name: str
    scope: str
    start_ns: int
    end_ns: int
    attributes: dict[str, Any]
    events: list[SpanEvent]
    failed: bool
    message: str | None

    @property
    def evidence(self) -> str:
        """How a report cites it."""
        return f"span:{self.trace_id}/{self.span_id}"

    @property
    def run(self) -> tuple[str | None, str | None]:
        """The id and the token of the attempt that it says it is of: only spans of ours do."""
        return _text(self.attributes.get("codeintel.run.id")), _text(self.attributes.get("codeintel.run.attempt"))

    @property
    def step(self) -> str | None:
        """The id of the step that it is the span of; None for a span of somebody else's."""
        return _text(self.attributes.get("codeintel.step.id"))


def spans_in(path: str) -> Iterator[SampledSpan]:
    """Yield every span of the file at ``path``; raises CodeIntelObsError where a line is no OTLP in JSON."""
    try:
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield from _spans_of(line, f"{path}:{number}")
    except (OSError, UnicodeDecodeError) as exc:
        raise CodeIntelObsError(f"{path}: cannot be read ({exc})") from exc


def _spans_of(line: str, where: str) -> Iterator[SampledSpan]:
    try:
        told = json.loads(line)
        requests = told if isinstance(told, list) else [told]
        for request in requests:
            for group in _list(request, "resourceSpans"):
                for scope in _list(group, "scopeSpans"):
                    name = str((scope.get("scope") or {}).get("name") or "")
                    yield from (_span(each, name) for each in _list(scope, "spans"))
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as exc:
        mend = "expected OTLP as JSON, a request per line, as the collector's file exporter writes it"
        raise CodeIntelObsError(f"{where}: no spans ({type(exc).__name__}: {exc}); {mend}") from exc


def _list(holder: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """Return a list by its name in JSON or, as some receivers write it, in the protocol's own spelling."""
    return _get(holder, key) or []


def _get(holder: dict[str, Any], key: str) -> Any:
    spelled = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key)
    return holder.get(key, holder.get(spelled))


def _span(told: dict[str, Any], scope: str) -> SampledSpan:
    status = told.get("status") or {}
    return SampledSpan(
        trace_id=_id(_get(told, "traceId"), 32),
        span_id=_id(_get(told, "spanId"), 16),
        parent=_id(parent, 16) if (parent := _get(told, "parentSpanId")) else None,
        name=str(told.get("name") or ""),
        scope=scope,
        start_ns=int(_get(told, "startTimeUnixNano") or 0),
        end_ns=int(_get(told, "endTimeUnixNano") or 0),
        attributes=_values(_list(told, "attributes")),
        events=[
            SpanEvent(str(each.get("name")), int(_get(each, "timeUnixNano") or 0), _values(_list(each, "attributes")))
            for each in _list(told, "events")
        ],
        failed=status.get("code") in _ERROR,
        message=status.get("message") or None,
    )


def _id(told: Any, digits: int) -> str:
    """Return an id in hex: OTLP in JSON has it so, and protobuf's own JSON in base64."""
    text = str(told)
    if len(text) == digits:
        return f"{int(text, 16):0{digits}x}"
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error as exc:
        raise ValueError(f"{text!r} is no id") from exc
    if len(raw) != _DIGITS[digits]:
        raise ValueError(f"{text!r} is no id of {digits} digits")
    return raw.hex()


def _values(pairs: list[dict[str, Any]]) -> dict[str, Any]:
    return {str(pair["key"]): _value(pair.get("value") or {}) for pair in pairs}


def _value(value: dict[str, Any]) -> Any:
    sort, held = next(iter(value.items()), (None, None))
    return int(held) if sort in {"intValue", "int_value"} and held is not None else held


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
