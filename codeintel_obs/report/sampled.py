"""From sampled spans to reports: what spans alone can tell of a run, and where they and the ledger disagree."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from codeintel_obs.errors import CodeIntelObsError, RunNotFoundError
from codeintel_obs.ledger.attempts import entries
from codeintel_obs.report.build import Surroundings, build
from codeintel_obs.report.entries import batched, cite
from codeintel_obs.report.otlp import STEP_EVENT, SampledSpan, SpanEvent, spans_in
from codeintel_obs.report_model import Disagreement, IntegrityFacts, RunReport, Told
from codeintel_obs.runs import accept_id
from codeintel_obs.steps import ErrorInfo, Record

if TYPE_CHECKING:
    from codeintel_obs.report.attempts import Attempt
    from codeintel_obs.report.entries import Entry

_KEPT_SPANS: Final = 100_000
_KEPT_DISAGREEMENTS: Final = 1_000
_NAMED_RUNS: Final = 10
_ALONE: Final = (
    "made from sampled spans alone: they do not hold what was in flight, how the process ended, or which exception "
    "was which, and a step without a span may have run"
)


class Sampled(NamedTuple):
    """The spans of one attempt, by begin; ``left_out`` of them are more than are kept."""

    run_id: str
    token: str
    number: int
    total: int
    spans: list[SampledSpan]
    left_out: int


def sampled(path: str, run: str | None, number: int | None = None, token: str | None = None) -> Sampled:
    """Return the spans in the file ``path`` of one attempt of ``run``, by its ``number`` (default: the newest) or token.

    Without ``run`` the file may hold only one run. Raises RunNotFoundError, or CodeIntelObsError for what is no OTLP.
    """
    tokens = _attempts(path, run)
    if token is None:
        if number is not None and not 1 <= number <= len(tokens):
            raise RunNotFoundError(f"{path} has attempts 1 to {len(tokens)} of that run, and no {number}")
        token = tokens[(number or len(tokens)) - 1][1]
    own = [name for name in tokens if name[1] == token]
    run_id = own[0][0] if own else tokens[0][0]
    found = _of_attempt(path, run_id, token)
    spans = sorted(islice(found, _KEPT_SPANS), key=lambda span: span.start_ns)
    where = [index for index, name in enumerate(tokens, 1) if name[1] == token]
    return Sampled(run_id, token, where[0] if where else len(tokens), len(tokens), spans, sum(1 for _ in found))


def _of_attempt(path: str, run_id: str, token: str) -> Iterator[SampledSpan]:
    """Yield the attempt's own spans, and those of others in a trace that is the attempt's alone."""
    traces: dict[str, set[str | None]] = {}
    for span in spans_in(path):
        if span.step is not None and (span.trace_id in traces or len(traces) < _KEPT_SPANS):
            traces.setdefault(span.trace_id, set()).add(span.run[1])
    for span in spans_in(path):
        if span.run == (run_id, token) or (span.step is None and traces.get(span.trace_id) == {token}):
            yield span


def _attempts(path: str, run: str | None) -> list[tuple[str, str]]:
    """Return id and token of each attempt of ``run`` in the file, oldest first."""
    begun: dict[tuple[str, str], int] = {}
    for span in spans_in(path):
        run_id, token = span.run
        if run_id is not None and token is not None:
            begun[run_id, token] = min(begun.get((run_id, token), span.start_ns), span.start_ns)
    asked = {run, accept_id(run)[0]} if run is not None else {run_id for run_id, _ in begun}
    found = sorted((each for each in begun if each[0] in asked), key=lambda each: begun[each])
    if not found:
        raise RunNotFoundError(f"{path} has no span of {f'run {run!r}' if run is not None else 'any run'}")
    ids = sorted({run_id for run_id, _ in found})
    if len(ids) > 1 and run is None:
        raise CodeIntelObsError(f"{path} has spans of {len(ids)} runs: name one: {', '.join(ids[:_NAMED_RUNS])}")
    return found


# -- spans alone ------------------------------------------------------------------------------------------------------------


def report_of_spans(found: Sampled) -> RunReport:
    """Return what the spans of an attempt tell by themselves; what they cannot tell is unknown."""
    made = [each for span in found.spans for each in _records(span, found)]
    made.sort(key=lambda entry: entry[1].mono_ns)
    facts = IntegrityFacts(
        complete=None, files=0, records=len(found.spans), gaps=[], bad_crc=[], torn_tail=[], duplicates=[], dropped=0
    )
    around = Surroundings(
        run_id=found.run_id,
        token=found.token,
        integrity=lambda: facts,
        problems=lambda: [Told(message=_ALONE, evidence=[]), *_left_out(found)],
        number=found.number,
        total=found.total,
    )
    return build(lambda: batched(made), around)


def _left_out(found: Sampled) -> list[Told]:
    said = f"{found.left_out:,} more spans of this run are in the file and were not looked at"
    return [Told(message=said, evidence=[])] if found.left_out else []


def _records(span: SampledSpan, found: Sampled) -> Iterator[Entry]:
    """Yield what a ledger would have said, as far as the span says it. Number 0: the span itself is the evidence."""
    own = _own_event(span)
    for index, event in enumerate(span.events):
        if event.name == STEP_EVENT and event is not own:
            yield _entry(span, found, "step", event.ns, span_id=f"{span.span_id}/event-{index}",
                         parent_span_id=span.span_id, **_said(event))  # fmt: skip
    if span.step is None:
        named = {"name": span.name, "scope": span.scope}
        common = {"span_id": span.span_id, "parent_span_id": span.parent}
        yield _entry(span, found, "span.begin", span.start_ns, payload=named, **common)
        status = "error" if span.failed else "ok"
        took = span.end_ns - span.start_ns
        yield _entry(span, found, "span.end", span.end_ns, status=status, duration_ns=took, **common)
        return
    said = _said(own) if own is not None else {"kind": span.name, "status": "failed" if span.failed else "completed"}
    parent = span.attributes.get("codeintel.step.parent") or span.parent
    common = {"span_id": span.step, "kind": said["kind"]}
    yield _entry(span, found, "step.begin", span.start_ns, parent_span_id=parent, **common)
    end = {"duration_ns": span.end_ns - span.start_ns, "error": _error(span, said), **said}
    yield _entry(span, found, "step.end", span.end_ns, **{**common, **end})


def _own_event(span: SampledSpan) -> SpanEvent | None:
    """Return the event with which the step of ``span`` ended: the last, at the span's end and of its name."""
    last = span.events[-1] if span.events else None
    if last is None or last.name != STEP_EVENT or span.step is None:
        return None
    return last if last.attributes.get("codeintel.step.kind") == span.name or last.ns == span.end_ns else None


def _said(event: SpanEvent) -> dict[str, Any]:
    told = event.attributes
    return {
        "kind": told.get("codeintel.step.kind"),
        "status": told.get("codeintel.step.status"),
        "detail": told.get("codeintel.step.detail"),
        "payload": _payload(told.get("codeintel.step.payload")),
    }


def _payload(text: Any) -> dict[str, Any] | None:
    """Return a payload; None where there is none, or an attribute's limit has cut it."""
    try:
        told = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return told if isinstance(told, dict) else None


def _error(span: SampledSpan, said: dict[str, Any]) -> ErrorInfo | None:
    """Return the exception's type and message as the span has them; it has no identity."""
    name = span.attributes.get("error.type")
    if not span.failed or not isinstance(name, str):
        return None
    return ErrorInfo(type=name, message=None if span.message == said.get("detail") else span.message)


def _entry(span: SampledSpan, found: Sampled, event: str, ns: int, **fields: Any) -> Entry:
    moment = datetime.fromtimestamp(ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    ts = f"{moment}.{ns % 1_000_000_000 // 1_000:06d}Z"
    values = {"run_id": found.run_id, "attempt": found.token, "trace_id": span.trace_id, "source": "span", **fields}
    return span.evidence, Record(v=1, n=0, event=event, ts=ts, mono_ns=ns, **values)


# -- spans beside a ledger -------------------------------------------------------------------------------------------------


def beside(path: str, attempt: Attempt, report: RunReport) -> RunReport:
    """Return ``report``, made from the ledger of ``attempt``, with where the spans in the file ``path`` disagree."""
    try:
        found = sampled(path, attempt.run_id, token=attempt.files.attempt)
    except RunNotFoundError:
        found = Sampled(attempt.run_id, attempt.files.attempt, attempt.number, attempt.total, [], 0)
    report.disagreements = disagreements(found, entries(attempt.files))
    report.warnings += _left_out(found)
    return report


def disagreements(found: Sampled, records: Iterable[Entry]) -> list[Disagreement]:
    """Return where the ledger's ``records`` and the sampled spans say different things of one step."""
    waiting = {span.step: span for span in found.spans if span.step is not None}
    begun: dict[str, Entry] = {}
    told: list[Disagreement] = []
    seen: set[str] = set()
    for entry in records:
        record = entry[1]
        step = record.span_id or ""
        if record.event == "step.begin":
            if step in waiting or record.sampled:
                begun[step] = entry
        elif record.event == "step.end" and len(told) < _KEPT_DISAGREEMENTS:
            begin = begun.pop(step, None)
            span = waiting.get(step)
            if span is not None:
                seen.add(step)
                told += _differences(span, begin, entry)
            elif begin is not None and not found.left_out:
                what = "the ledger has it as sampled, and no span of it is here"
                told.append(Disagreement(step=step, what=what, evidence=[cite(begin), cite(entry)]))
    told += [_only_in(span, begun.get(step)) for step, span in waiting.items() if step not in seen]
    return told[:_KEPT_DISAGREEMENTS]


def _only_in(span: SampledSpan, begin: Entry | None) -> Disagreement:
    what = "the span ended, and the ledger has no end of the step" if begin else "the ledger has no such step"
    return Disagreement(step=span.step or "", what=what, evidence=[*([cite(begin)] if begin else []), span.evidence])


def _differences(span: SampledSpan, begin: Entry | None, end: Entry) -> Iterator[Disagreement]:
    evidence = [*([cite(begin)] if begin else []), cite(end), span.evidence]
    for what, ledger, spans in _pairs(span, begin[1] if begin else None, end[1]):
        if ledger != spans:
            said = f"{what}: the ledger says {_shown(ledger)}, the span {_shown(spans)}"
            yield Disagreement(step=span.step or "", what=said, evidence=evidence)


def _pairs(span: SampledSpan, begin: Record | None, end: Record) -> Iterator[tuple[str, Any, Any]]:
    """Yield what both tell: name, in the ledger, in the span."""
    own = _own_event(span)
    yield "failed", end.status in {"failed", "timed_out"}, span.failed
    if span.failed and end.error is not None and "error.type" in span.attributes:
        yield "error.type", end.error.type, span.attributes["error.type"]
    if begin is not None:
        yield "parent", begin.parent_span_id, span.attributes.get("codeintel.step.parent") or span.parent
        yield "trace", begin.trace_id, span.trace_id
    if own is None:
        return
    said = _said(own)
    yield "kind", end.kind, said["kind"]
    yield "status", end.status, said["status"]
    yield "detail", end.detail, said["detail"]
    payload = {**((begin.payload if begin else None) or {}), **(end.payload or {})}
    text = own.attributes.get("codeintel.step.payload")
    if begin is not None and (said["payload"] is not None or text is None):
        payload.pop("late", None)
        yield "payload", payload, said["payload"] or {}


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 200 else f"{text[:199]}…"  # noqa: PLR2004 - one line, twice
