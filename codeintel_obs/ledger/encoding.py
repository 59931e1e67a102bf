"""Writes records as lines: total, whatever a payload holds, and fast where steps pass.

Every function here returns a *tail*: the line from the value of ``event`` on. The file that it goes into puts
``{"v":1,"n":…,"event":`` before it and the checksum behind it, under its lock. Keys stand in the order of
`codeintel_obs.steps.Record`. Ids of steps and runs are of our own making or were checked when they came in;
everything else is quoted.
"""

from __future__ import annotations

import time
from itertools import chain
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

_all_scalars: Final = frozenset({str, int, float, bool, type(None)}).issuperset
_to_json: Final = msgspec.json.Encoder().encode
_PAYLOAD: Final = ',"payload":'
_SAMPLED: Final = {None: "", True: ',"sampled":true', False: ',"sampled":false'}
_quoted: Final[dict[str, str]] = {}
_known: Final = _quoted.get
_second: tuple[int, str] = (0, "1970-01-01T00:00:00.")


class Ids(NamedTuple):
    """The ids of a run as they stand in its lines: ``short`` without, ``full`` with the session."""

    short: str
    full: str


def ids_of(run_id: str, attempt: str, session_id: str | None) -> Ids:
    """Return the encoded ids of one attempt."""
    short = f'"run_id":{quote(run_id)},"attempt":{quote(attempt)}'
    return Ids(short, f'{short},"session_id":{quote(session_id)}' if session_id else short)


def line(n: int, tail: str) -> bytes:
    """Return the whole line number ``n``."""
    head = f'{{"v":1,"n":{n},"event":{tail}'.encode()
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


def quote(text: str) -> str:
    """Return a short text that comes again and again (a kind, a thread's name) as JSON."""
    known = _quoted.get(text)
    if known is None:
        if len(_quoted) >= _CACHE_CAP:
            _quoted.clear()
        known = _quoted[text] = _text_json(text, WORD_CAP)
    return known


def _text_json(text: Any, cap: int) -> str:
    exact = printable(text) if issubclass(type(text), str) else str(plain(text))
    return _to_json(fit_text(exact, cap)).decode()


def payload_json(payload: Any, cap: int = PAYLOAD_CAP) -> str:
    """Return ``payload`` as JSON of at most ``cap`` bytes; never raises for what a payload holds."""
    if type(payload) is dict and _all_scalars(map(type, payload.values())):
        try:
            data = _to_json(payload)
            text = data.decode()
        except (TypeError, ValueError, OverflowError):
            data, text = b"", "null"  # a key that is no text, a lone surrogate, an endless integer: the slow way copes
        # NaN and infinities come out as null: only then is the slow way needed to name them.
        if len(data) <= cap and "null" not in text:
            return text
    whole = plain(payload)
    fitted = _to_json(fit(whole if type(whole) is dict else {"value": whole}, cap))
    return fitted.decode() if len(fitted) <= cap else f'{{"[cut]":"{len(fitted)} bytes"}}'


# -- steps: the hot path -----------------------------------------------------------------------------------------------


def step_begin(step: Step, ids: Ids) -> str:
    """Return the tail of a ``step.begin``."""
    kind, source, payload = step.kind, step.source, step.payload
    return (
        f'"step.begin","ts":"{stamp(step.ts_ns)}","mono_ns":{step.mono_ns},{ids.full}{_where(step)}'
        f',"kind":{_known(kind) or quote(kind)}'
        f"{_PAYLOAD + payload_json(payload) if payload else ''}"
        f',"source":{_known(source) or quote(source)}'
    )


def step_end(step: Step, ids: Ids) -> str:
    """Return the tail of a ``step.end``: only what the begin did not say."""
    kind, source, status, payload = step.kind, step.source, step.status or "", step.end_payload
    if step.late:
        payload = {**(payload or {}), "late": True}
    return (
        f'"step.end","ts":"{stamp(step.end_ts_ns)}","mono_ns":{step.end_mono_ns},{ids.short}'
        f',"span_id":"{step.span_id}","kind":{_known(kind) or quote(kind)},"status":{_known(status) or quote(status)}'
        f"{_detail(step.detail) if step.detail else ''}{_duration(step.duration_ns)}"
        f"{_PAYLOAD + payload_json(payload) if payload else ''}{_error(step.error) if step.error else ''}"
        f',"source":{_known(source) or quote(source)}'
    )


def step_instant(step: Step, ids: Ids) -> str:
    """Return the tail of an instant step's one record."""
    payload = {**(step.payload or {}), **(step.end_payload or {})}
    return (
        f'"step","ts":"{stamp(step.ts_ns)}","mono_ns":{step.mono_ns},{ids.full}{_where(step)},'
        f'"kind":{quote(step.kind)},"status":{quote(step.status or "")}{_detail(step.detail)}'
        f'{_payload(payload)}{_error(step.error)},"source":{quote(step.source)}'
    )


def _where(step: Step) -> str:
    parent = f',"parent_span_id":"{step.parent_span_id}"' if step.parent_span_id else ""
    links = _links(step.links) if step.links else ""
    thread = step.thread
    return (
        f',"trace_id":"{step.trace_id}","span_id":"{step.span_id}"{parent}{links}{_SAMPLED[step.sampled]}'
        f',"thread":{_known(thread) or quote(thread)}'
    )


def _payload(payload: Any, cap: int = PAYLOAD_CAP) -> str:
    return _PAYLOAD + payload_json(payload, cap) if payload else ""


def _duration(duration_ns: int | None) -> str:
    return "" if duration_ns is None else f',"duration_ns":{_whole(duration_ns)}'


def _detail(detail: str | None) -> str:
    return f',"detail":{_text_json(detail, TEXT_CAP)}' if detail else ""


def _links(links: Any) -> str:
    kept = [Link(*(_word(part) for part in (link.run_id, link.trace_id, link.span_id))) for link in links[:LINKS_CAP]]
    if len(links) > LINKS_CAP:
        kept.append(Link(run_id=f"[cut {len(links) - LINKS_CAP} links]"))
    return f',"links":{_to_json(kept).decode()}'


def _word(text: str | None) -> str | None:
    return None if text is None else fit_text(printable(text), WORD_CAP)


def _error(error: ErrorInfo | None) -> str:
    if error is None:
        return ""
    message = error.message
    if len(error.chain) > CHAIN_CAP:
        message = f"[cut {len(error.chain) - CHAIN_CAP} entries of the chain] {message or ''}"
    kept = ErrorInfo(
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
    return f',"error":{_to_json(kept).decode()}'


# -- all other events --------------------------------------------------------------------------------------------------


def log(entry: LogEntry, ids: Ids) -> str:
    """Return the tail of a ``log`` record."""
    payload: dict[str, Any] = {"logger": entry.logger, "level": entry.level}
    if entry.text is not None:
        payload["text"] = fit_text(printable(entry.text), LOG_CAP)
    trace = f',"trace_id":{quote(entry.trace_id)}' if entry.trace_id else ""
    span = f',"span_id":{quote(entry.span_id)}' if entry.span_id else ""
    return (
        f'"log","ts":"{stamp(entry.ts_ns)}","mono_ns":{entry.mono_ns},{ids.full}{trace}{span}'
        f',"thread":{quote(entry.thread)}{_payload(payload, _LOG_PAYLOAD_CAP)}{_error(entry.error)}'
        f',"source":{quote(entry.source)}'
    )


def record(made: Record) -> str:
    """Return the tail of any record, whatever its event; ``v``, ``n`` and ``crc`` are the file's to say."""
    words = (made.trace_id, made.span_id, made.parent_span_id)
    names = ("trace_id", "span_id", "parent_span_id")
    ids = ids_of(made.run_id, made.attempt, made.session_id)
    parts = chain(
        (f'{quote(made.event)},"ts":{quote(made.ts)},"mono_ns":{_whole(made.mono_ns)},{ids.full}',),
        (f',"{name}":{quote(word)}' for name, word in zip(names, words, strict=True) if word),
        (_links(made.links) if made.links else "",),
        ("" if made.sampled is None else f',"sampled":{"true" if made.sampled else "false"}',),
        (f',"thread":{quote(made.thread)}' if made.thread else "",),
        (f',"kind":{quote(made.kind)}' if made.kind else "",),
        (f',"status":{quote(made.status)}' if made.status else "",),
        (_detail(made.detail),),
        (_duration(made.duration_ns),),
        (_payload(made.payload, _LOG_PAYLOAD_CAP if made.event == "log" else PAYLOAD_CAP), _error(made.error)),
        (f',"source":{quote(made.source)}',),
    )
    return "".join(parts)


def _whole(number: Any) -> int:
    return int.__pos__(number) if issubclass(type(number), int) else 0


def own(event: str, ids: Ids, payload: dict[str, Any], *, at: tuple[int, int] | None = None, **fields: Any) -> str:
    """Return the tail of a record of the ledger's own (``run.begin``, ``drop`` …); ``at`` is (ts_ns, mono_ns)."""
    ts_ns, mono_ns = at or (time.time_ns(), time.monotonic_ns())
    words = "".join(f',"{name}":{quote(fields[name])}' for name in ("trace_id", "parent_span_id") if fields.get(name))
    error = fields.get("error")
    return (
        f'"{event}","ts":"{stamp(ts_ns)}","mono_ns":{mono_ns},{ids.full}{words}{_payload(payload)}'
        f'{_error(error) if isinstance(error, ErrorInfo) else ""},"source":"obs"'
    )
