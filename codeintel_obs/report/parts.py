"""Turns held records into the parts of a report: steps, spans, logs and warnings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codeintel_obs.ledger.verifier import SPANS
from codeintel_obs.report.entries import Entry, Held, cite, text_in
from codeintel_obs.report_model import (
    ChainEntry,
    ReportError,
    ReportLink,
    ReportLog,
    ReportSpan,
    ReportStep,
    Told,
)

if TYPE_CHECKING:
    from codeintel_obs.report.causes import Basis
    from codeintel_obs.report.fold import Fold
    from codeintel_obs.steps import ErrorInfo

_STATUSES = frozenset({"completed", "skipped", "failed", "timed_out"})


def step_of(held: Held, state: Fold) -> ReportStep:
    """Return a step as its records have it; of a payload key that both name, the end's value holds."""
    begin = held.begin[1] if held.begin else None
    end = held.end[1] if held.end else None
    place = (held.begin or held.end or ("",))[0]
    instant = end is not None and end.event == "step"
    payload = {**((begin.payload if begin else None) or {}), **((end.payload if end else None) or {})}
    status: Any = end.status if end is not None and end.status in _STATUSES else "in_flight"
    return ReportStep(
        id=held.id,
        parent=held.first.parent_span_id,
        kind=held.kind,
        status=status,
        detail=end.detail if end else None,
        payload=payload,
        started_at=begin.ts if begin else (end.ts if end and instant else None),
        duration_ns=end.duration_ns if end else None,
        process=state.processes.get(place),
        error=error_of(held.error),
        evidence=held.evidence,
        links=[
            ReportLink(run_id=link.run_id, trace_id=link.trace_id, span_id=link.span_id)
            for record in (begin, end) if record is not None
            for link in record.links or ()
        ],
        late=payload.pop("late", None) is True,
    )  # fmt: skip


def error_of(error: ErrorInfo | None) -> ReportError | None:
    """Return ``error`` in the report's words."""
    if error is None:
        return None
    chain = [ChainEntry(id=link.id, type=link.type, via=link.via, of=link.of) for link in error.chain]
    return ReportError(type=error.type, message=error.message, id=error.id, chain=chain)


def span_of(span_id: str, held: Held) -> ReportSpan:
    """Return a span of somebody else's from its begin and end records."""
    first, end = held.first, held.end[1] if held.end else None
    payload = {**(first.payload or {}), **((end.payload if end else None) or {})}
    return ReportSpan(
        id=span_id,
        parent=first.parent_span_id,
        trace_id=first.trace_id,
        status=end.status if end else None,
        payload=payload,
        started_at=held.begin[1].ts if held.begin else None,
        duration_ns=end.duration_ns if end else None,
        evidence=held.evidence,
    )


def log_of(entry: Entry) -> ReportLog:
    """Return a log record of the application."""
    record = entry[1]
    payload = record.payload or {}
    return ReportLog(
        at=record.ts,
        logger=text_in(payload, "logger"),
        level=text_in(payload, "level"),
        text=text_in(payload, "text"),
        step=record.span_id,
        error=error_of(record.error),
        evidence=[cite(entry)],
    )


def warnings_of(state: Fold, basis: Basis | None) -> list[Told]:
    """Return what a reader should know of the report's own ground: faults, drops, lost begins and tokens."""
    told = [Told(message=_words(entry), evidence=[cite(entry)]) for entry in state.told]
    if state.run_begin is None and state.ranges:
        told.append(Told(message="the record of the run's begin is missing", evidence=state.searched))
    if state.orphan_ends.count:
        message = f"{state.orphan_ends.count} steps ended whose begin is not on record: their parents are unknown"
        told.append(Told(message=message, evidence=state.orphan_ends.evidence))
    if basis is not None and basis.error is not None and basis.error.id is None:
        message = "the exception that ended the run carries no id: it cannot be followed to the step that raised it"
        told.append(Told(message=message, evidence=basis.evidence))
    return [*told, *_left_out(state), *_clock(state)]


def _left_out(state: Fold) -> list[Told]:
    """Tell what a report leaves out of a run that has too much of it; the counts elsewhere are of all."""
    told = []
    if state.loud.omitted:
        kept = len(state.loud) // 2
        message = (
            f"{state.loud.omitted:,} failures between the first and the last {kept:,} are counted and not followed"
        )
        told.append(message)
    if state.told_total > len(state.told):
        told.append(f"{state.told_total - len(state.told):,} more faults and drops are on record")
    if state.spans_total > len(state.spans):
        told.append(f"{state.spans_total - len(state.spans):,} more spans of others are on record")
    return [Told(message=message, evidence=state.searched) for message in told]


def _words(entry: Entry) -> str:
    record = entry[1]
    payload = record.payload or {}
    if record.event == "drop":
        count, reason = payload.get("count", "some"), payload.get("reason", "no reason told")
        if payload.get("sink"):
            return f"{count} events did not reach the sink {payload['sink']}: {reason}; this ledger has them"
        what = "spans of others were not recorded" if payload.get("what") == SPANS else "records could not be written"
        return f"{count} {what}: {reason}"
    if record.event == "fault":
        message = f"an error of the recorder: {payload.get('type')} in {payload.get('where')}"
        message += f" at {payload['at']}" if payload.get("at") else ""
        aside = f"; put aside: {payload['put_aside']}" if payload.get("put_aside") else ""
        return f"{message}: {payload['message']}{aside}" if payload.get("message") else message + aside
    return f"a record of an unknown event: {record.event}"


def _clock(state: Fold) -> list[Told]:
    """Tell when the wall clock went back while the run lasted: times of day are not in order then."""
    begin, last = state.run_begin, state.last
    if begin is None or last is None or last.ts >= begin[1].ts:  # of one form: they sort as texts
        return []
    message = "the wall clock went back during the run: trust durations, not times of day"
    return [Told(message=message, evidence=[cite(begin)])]
