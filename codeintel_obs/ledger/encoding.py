"""Writes records as lines: total, whatever a payload holds, and fast where steps pass.

Every function here returns a *tail*: the line from the value of ``event`` on, without its closing brace. The file that
it goes into puts ``{"v":1,"n":…,"event":`` before it and the checksum behind it, under its lock. Keys stand in the
order of `codeintel_obs.steps.Record`, and each line is encoded in one go, in C: a payload of plain scalars as it is,
any other as the JSON that `payload_json` made of it.
"""

from __future__ import annotations

import time
from typing import Any, Final, NamedTuple
from zlib import crc32

import msgspec

from codeintel_obs.ledger.plain import fit, fit_text, plain, printable
from codeintel_obs.steps import ErrorInfo, Link, LogEntry, Record, Step

PAYLOAD_CAP: Final = 8192
TEXT_CAP: Final = 2048
LOG_CAP: Final = 8192
WORD_CAP: Final = 256
RECORD_CAP: Final = 65_536
LINKS_CAP: Final = 64
CHAIN_CAP: Final = 32
_LOG_PAYLOAD_CAP: Final = LOG_CAP + 1024
_CACHE_CAP: Final = 4096
_SECOND: Final = 1_000_000_000
_DIGITS: Final = tuple(f"{number:03d}" for number in range(1000))
_BEFORE: Final = len('{"event":')

_all_scalars: Final = frozenset({str, int, float, bool, type(None)}).issuperset
_to_json: Final = msgspec.json.Encoder().encode
_words: Final[dict[str, str]] = {}
_known: Final = _words.get
_second: tuple[int, str] = (0, "1970-01-01T00:00:00.")


class Ids(NamedTuple):
    """The ids of one attempt as they stand in its lines."""

    run_id: str
    attempt: str
    session_id: str | None


class _Begin(msgspec.Struct, omit_defaults=True, gc=False):
    """A ``step.begin``, keys in their order; made by position, because steps pass here."""

    event: str
    ts: str
    mono_ns: int
    run_id: str
    attempt: str
    session_id: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    links: list[Link] | None = None
    sampled: bool | None = None
    thread: str | None = None
    kind: str | None = None
    payload: Any = None
    source: str | None = None


class _End(msgspec.Struct, omit_defaults=True, gc=False):
    """A ``step.end``, keys in their order: only what the begin did not say."""

    event: str
    ts: str
    mono_ns: int
    run_id: str
    attempt: str
    span_id: str
    kind: str
    status: str
    detail: str | None = None
    duration_ns: int | None = None
    payload: Any = None
    error: ErrorInfo | None = None
    source: str | None = None


class _Line(msgspec.Struct, omit_defaults=True, kw_only=True):
    """Any other record, keys in their order."""

    event: str
    ts: str
    mono_ns: int
    run_id: str
    attempt: str
    session_id: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    links: list[Link] | None = None
    sampled: bool | None = None
    thread: str | None = None
    kind: str | None = None
    status: str | None = None
    detail: str | None = None
    duration_ns: int | None = None
    payload: Any = None
    error: ErrorInfo | None = None
    source: str | None = None


def ids_of(run_id: str, attempt: str, session_id: str | None) -> Ids:
    """Return the ids of one attempt, fit to be written."""
    return Ids(word(run_id), word(attempt), word(session_id) if session_id else None)


def line(n: int, tail: bytes) -> bytes:
    """Return the whole line number ``n``."""
    head = b'{"v":1,"n":%d,"event":%b' % (n, tail)
    return head + b',"crc":"%08x"}\n' % crc32(head)


def stamp(ts_ns: int) -> str:
    """Return a wall clock time as ``2026-11-22T17:50:22.123456Z``."""
    global _second
    begins, text = _second
    rest = ts_ns - begins
    if not 0 <= rest < _SECOND:
        begins = ts_ns // _SECOND * _SECOND
        text = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(begins // _SECOND))
        _second = (begins, text)
        rest = ts_ns - begins
    micros = rest // 1000
    return f"{text}{_DIGITS[micros // 1000]}{_DIGITS[micros % 1000]}Z"


def word(text: str) -> str:
    """Return a short text that comes again and again (a kind, a thread's name), fit to be written."""
    known = _words.get(text)
    if known is None:
        if len(_words) >= _CACHE_CAP:
            _words.clear()
        known = _words[text] = _fitted(text, WORD_CAP)
    return known


def _fitted(text: Any, cap: int) -> str:
    return fit_text(printable(text) if issubclass(type(text), str) else str(plain(text)), cap)


def payload_json(payload: Any, cap: int = PAYLOAD_CAP) -> bytes:
    """Return ``payload`` as JSON of at most ``cap`` bytes; never raises for what a payload holds."""
    whole = plain(payload)
    fitted = _to_json(fit(whole if type(whole) is dict else {"value": whole}, cap))
    return fitted if len(fitted) <= cap else b'{"[cut]":"%d bytes"}' % len(fitted)


def _tail(made: Any, payload: Any, cap: int = PAYLOAD_CAP) -> bytes:
    """Return ``made``'s tail with ``payload``, which is made plain only where that is needed."""
    if payload:
        if type(payload) is dict and _all_scalars(map(type, payload.values())):
            made.payload = payload
            try:
                data = _to_json(made)
            except (TypeError, ValueError, OverflowError):
                data = b"null"  # a key that is no text, a lone surrogate, an endless integer: the slow way copes
            # NaN and infinities come out as null: only then is the slow way needed to name them.
            if len(data) <= cap and b"null" not in data:
                return data[_BEFORE:-1]
        made.payload = msgspec.Raw(payload_json(payload, cap))
    return _to_json(made)[_BEFORE:-1]


# -- steps: the hot path -----------------------------------------------------------------------------------------------


def step_begin(step: Step, ids: Ids) -> bytes:
    """Return the tail of a ``step.begin``."""
    kind, source, thread = step.kind, step.source, step.thread
    run_id, attempt, session_id = ids
    made = _Begin(
        "step.begin",
        stamp(step.ts_ns),
        step.mono_ns,
        run_id,
        attempt,
        session_id,
        step.trace_id,
        step.span_id,
        step.parent_span_id,
        _links(step.links) if step.links else None,
        step.sampled,
        _known(thread) or word(thread),
        _known(kind) or word(kind),
        None,
        _known(source) or word(source),
    )
    return _tail(made, step.payload)


def step_end(step: Step, ids: Ids) -> bytes:
    """Return the tail of a ``step.end``: only what the begin did not say."""
    kind, source, payload, error = step.kind, step.source, step.end_payload, step.error
    if step.late:
        payload = {**(payload or {}), "late": True}
    made = _End(
        "step.end",
        stamp(step.end_ts_ns),
        step.end_mono_ns,
        ids.run_id,
        ids.attempt,
        step.span_id,
        _known(kind) or word(kind),
        step.status or "",
        _fitted(step.detail, TEXT_CAP) if step.detail else None,
        _whole(step.duration_ns),
        None,
        _error(error) if error is not None else None,
        _known(source) or word(source),
    )
    return _tail(made, payload)


def step_instant(step: Step, ids: Ids) -> bytes:
    """Return the tail of an instant step's one record."""
    made = _line(
        "step",
        (step.ts_ns, step.mono_ns),
        ids,
        trace_id=step.trace_id,
        span_id=step.span_id,
        parent_span_id=step.parent_span_id or None,
        links=_links(step.links) if step.links else None,
        sampled=step.sampled,
        thread=word(step.thread),
        kind=word(step.kind),
        status=word(step.status or ""),
        detail=_fitted(step.detail, TEXT_CAP) if step.detail else None,
        error=_error(step.error),
        source=word(step.source),
    )
    return _tail(made, {**(step.payload or {}), **(step.end_payload or {})})


def _links(links: Any) -> list[Link]:
    kept = [Link(*(_word(part) for part in (link.run_id, link.trace_id, link.span_id))) for link in links[:LINKS_CAP]]
    if len(links) > LINKS_CAP:
        kept.append(Link(run_id=f"[cut {len(links) - LINKS_CAP} links]"))
    return kept


def _word(text: str | None) -> str | None:
    return None if text is None else fit_text(printable(text), WORD_CAP)


def _error(error: ErrorInfo | None) -> ErrorInfo | None:
    if error is None:
        return None
    message = error.message
    if len(error.chain) > CHAIN_CAP:
        message = f"[cut {len(error.chain) - CHAIN_CAP} entries of the chain] {message or ''}"
    return ErrorInfo(
        type=_word(error.type) or "",
        message=None if message is None else fit_text(printable(message), TEXT_CAP),
        id=_word(error.id),
        chain=tuple(
            type(each)(
                id=_word(each.id) or "", type=_word(each.type) or "", via=_word(each.via) or "", of=_word(each.of)
            )
            for each in error.chain[:CHAIN_CAP]
        ),
    )


def _whole(number: Any) -> int | None:
    if number is None or type(number) is int:
        return number
    return int.__pos__(number) if issubclass(type(number), int) else 0


# -- all other events --------------------------------------------------------------------------------------------------


def _line(event: str, at: tuple[int, int], ids: Ids, **fields: Any) -> _Line:
    return _Line(event=event, ts=stamp(at[0]), mono_ns=at[1], **ids._asdict(), **fields)


def log(entry: LogEntry, ids: Ids) -> bytes:
    """Return the tail of a ``log`` record."""
    payload: dict[str, Any] = {"logger": entry.logger, "level": entry.level}
    if entry.text is not None:
        payload["text"] = fit_text(printable(entry.text), LOG_CAP)
    made = _line(
        "log",
        (entry.ts_ns, entry.mono_ns),
        ids,
        trace_id=entry.trace_id or None,
        span_id=entry.span_id or None,
        thread=word(entry.thread),
        error=_error(entry.error),
        source=word(entry.source),
    )
    return _tail(made, payload, _LOG_PAYLOAD_CAP)


def record(made: Record) -> bytes:
    """Return the tail of any record, whatever its event; ``v``, ``n`` and ``crc`` are the file's to say."""
    written = _Line(
        event=word(made.event),
        ts=word(made.ts),
        mono_ns=_whole(made.mono_ns) or 0,
        **ids_of(made.run_id, made.attempt, made.session_id)._asdict(),
        **{
            name: word(getattr(made, name))
            for name in ("trace_id", "span_id", "parent_span_id", "thread", "kind", "status")
            if getattr(made, name)
        },
        links=_links(made.links) if made.links else None,
        sampled=None if made.sampled is None else bool(made.sampled),
        detail=_fitted(made.detail, TEXT_CAP) if made.detail else None,
        duration_ns=_whole(made.duration_ns),
        error=_error(made.error),
        source=word(made.source),
    )
    return _tail(written, made.payload, _LOG_PAYLOAD_CAP if made.event == "log" else PAYLOAD_CAP)


def own(event: str, ids: Ids, payload: dict[str, Any], *, at: tuple[int, int] | None = None, **fields: Any) -> bytes:
    """Return the tail of a record of the ledger's own (``run.begin``, ``drop`` …); ``at`` is (ts_ns, mono_ns)."""
    error = fields.get("error")
    made = _line(
        event,
        at or (time.time_ns(), time.monotonic_ns()),
        ids,
        **{name: word(fields[name]) for name in ("trace_id", "parent_span_id") if fields.get(name)},
        error=_error(error) if isinstance(error, ErrorInfo) else None,
        source="obs",
    )
    return _tail(made, payload)
