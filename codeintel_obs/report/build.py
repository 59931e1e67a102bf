"""Builds the Run Report of one attempt: a pure fold over its records and what surrounds them on disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from codeintel_obs.report.absences import did_not_run
from codeintel_obs.report.causes import Causes
from codeintel_obs.report.entries import Entry, Source, cite, text_in
from codeintel_obs.report.fold import KEPT_STEPS, Fold, fold, predecessor_of, process_name
from codeintel_obs.report.handled import handled_failures
from codeintel_obs.report.outcome import Ending, ending, exit_status
from codeintel_obs.report.parts import log_of, span_of, step_of, warnings_of
from codeintel_obs.report.watched import Watched, watched
from codeintel_obs.report_model import (
    Exit,
    IntegrityFacts,
    ProcessFacts,
    Recovery,
    ReportStep,
    RunReport,
    StopReason,
    Told,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from codeintel_obs.steps import Record


_NO_END: Final = 1 << 63


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a report says that is in no record: which attempt this is, and what was found on disk.

    ``integrity``, and the ``problems`` that it does not name, are asked after the records were read, which may be
    what finds them out.
    ``alive`` and ``manifests`` are by process name; ``alive`` is None where it cannot be known. ``earlier`` gives what
    the processes told of their plugins in the run that a request's run names as its parent, up to a monotonic time.
    """

    run_id: str
    token: str
    integrity: Callable[[], IntegrityFacts]
    problems: Callable[[], list[Told]] = list
    number: int = 1
    total: int = 1
    ledger_path: str | None = None
    alive: Mapping[str, bool | None] = field(default_factory=dict)
    manifests: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    earlier: Callable[[str, int], Iterable[tuple[str, Entry]]] = lambda _parent, _until: ()


@dataclass(frozen=True, slots=True)
class _Findings:
    """What follows from the records: each part of a report is said from these."""

    state: Fold
    around: Surroundings
    end: Ending
    causes: Causes
    stop: StopReason | None
    facts: Watched
    intact: IntegrityFacts


def build(source: Source, around: Surroundings, keep: int = KEPT_STEPS) -> RunReport:
    """Return the report of the attempt whose records ``source`` gives; ``keep`` caps completed steps."""
    state = fold(source, keep)
    end = ending(state, around.alive)
    causes = Causes(state, end)
    stop = causes.stopped_because()  # before anything is called handled: it finds what is on the way to the stop
    facts = watched(around.manifests, _activations(state, around))
    found = _Findings(state, around, end, causes, stop, facts, around.integrity())
    return RunReport(**_identity(found), **_course(found), **_content(found), **_ground(found))


def _activations(state: Fold, around: Surroundings) -> list[tuple[str, Entry]]:
    """Return what the processes told of their plugins while the attempt lasted, with the process, in their order."""
    own = [(state.processes.get(entry[0]) or "", entry) for entry in state.activations]
    parent = _begin(state)[1].get("parent_run_id")
    if not isinstance(parent, str) or not state.keep:
        return own
    ended = state.run_end
    return [*around.earlier(parent, ended[1].mono_ns if ended else _NO_END), *own]


def _identity(found: _Findings) -> dict[str, Any]:
    around, (begin, payload) = found.around, _begin(found.state)
    return {
        "run_id": around.run_id,
        "raw_run_id": text_in(payload, "raw_run_id"),
        "parent_run_id": text_in(payload, "parent_run_id"),
        "session_id": begin.session_id if begin else None,
        "name": _name(found.state),
        "attempt": around.number,
        "attempts": around.total,
        "token": around.token,
        "trace_ids": list(found.state.trace_ids),
    }


def _course(found: _Findings) -> dict[str, Any]:
    """Say when it ran and how it ended."""
    begin, ended = _begin(found.state)[0], _ended(found.state)
    return {
        "started_at": begin.ts if begin else None,
        "ended_at": ended.ts if ended else None,
        "duration_ns": ended.mono_ns - begin.mono_ns if ended and begin else None,
        "outcome": found.end.outcome,
        "outcome_evidence": found.end.evidence,
        "exit": _exit(found.state),
        "stopped_because": found.stop,
    }


def _content(found: _Findings) -> dict[str, Any]:
    """Say what happened between its begin and its end, and what did not."""
    state, steps = found.state, _steps(found.state)
    over, whole = _over(state, found.end), _whole(found)
    return {
        "steps": steps,
        "steps_total": state.total,
        "steps_omitted": state.total - len(steps),
        "steps_sample": _sample(state, steps),
        "ran": _ran(state),
        "did_not_run": did_not_run(state, found.facts, over=over, whole=whole),
        "in_flight": list(state.open),
        "handled_failures": handled_failures(state, found.causes),
        "recovered": _recovered(state),
        "spans": [span_of(span_id, held) for span_id, held in state.spans.items()],
        "spans_total": state.spans_total,
        "logs": [log_of(entry) for entry in state.logs],
        "logs_total": state.logs_total,
    }


def _ground(found: _Findings) -> dict[str, Any]:
    """Say what the report stands on."""
    return {
        "disagreements": [],
        "integrity": msgspec.structs.replace(found.intact, read=found.state.searched),
        "processes": _processes(found.state, found.around.alive),
        "plugins": found.facts.plugins(),
        "warnings": [*warnings_of(found.state, found.causes.basis), *found.around.problems()],
        "hints": [],
        "sections": [],
        "ledger_path": found.around.ledger_path,
    }


def _begin(state: Fold) -> tuple[Record | None, dict[str, Any]]:
    record = state.run_begin[1] if state.run_begin else None
    return record, (record.payload if record else None) or {}


def _name(state: Fold) -> str | None:
    """Return the run's name: as its end has it, which knows more, else as its begin does."""
    for entry in (state.run_end, state.run_begin):
        name = (entry[1].payload or {}).get("name") if entry else None
        if name:
            return str(name)
    return None


def _ended(state: Fold) -> Record | None:
    """Return the record that ended the attempt: its process's exit where that was witnessed, else the run's own end."""
    entry = state.exit or state.run_end
    return entry[1] if entry else None


def _over(state: Fold, end: Ending) -> bool:
    return state.run_end is not None or end.outcome not in {"in_progress", "unknown"}


def _whole(found: _Findings) -> bool:
    """Whether no record is missing: else a begin that is not there may be one that is lost."""
    intact = found.intact
    return not (intact.gaps or intact.bad_crc or intact.dropped or found.around.problems())


def _pid(payload: Mapping[str, Any]) -> int | None:
    pid = payload.get("pid")
    return pid if isinstance(pid, int) and not isinstance(pid, bool) else None


def _exit(state: Fold) -> Exit | None:
    if state.exit is None:
        return None
    code, signal = exit_status(state.exit[1])
    return Exit(pid=_pid(state.exit[1].payload or {}), code=code, signal=signal, evidence=[cite(state.exit)])


def _steps(state: Fold) -> list[ReportStep]:
    """Return the kept steps by begin."""
    held = [each for each in state.kept.values() if each.begin or each.end]
    moment = _moments(state)
    held.sort(key=lambda each: moment(each.first))
    return [step_of(each, state) for each in held]


def _moments(state: Fold) -> Callable[[Record], tuple[Any, int]]:
    """Return what puts records in the order of time: of one host the monotonic clock, else the wall clock."""
    if len({text_in(entry[1].payload, "host") for entry in state.writers}) > 1:
        return lambda record: (record.ts, record.n)
    return lambda record: (record.mono_ns, record.n)


def _sample(state: Fold, steps: list[ReportStep]) -> str | None:
    if state.total == len(steps):
        return None
    kept = f"the first {state.keep:,} steps of the ledger" if state.keep else "no others"
    return f"failures, what recovered them, steps in flight, the steps around all these, and {kept}"


def _ran(state: Fold) -> dict[str, dict[str, int]]:
    counts = {kind: dict(statuses) for kind, statuses in state.ran.items()}
    for held in state.open.values():
        of_kind = counts.setdefault(held.kind, {})
        of_kind["in_flight"] = of_kind.get("in_flight", 0) + 1
    return dict(sorted(counts.items()))


def _recovered(state: Fold) -> list[Recovery]:
    return [
        Recovery(kind=each.failed.kind, failed=each.failed.id, completed=each.completed.id,
                 evidence=[*each.failed.evidence, *each.completed.evidence])
        for each in state.recoveries.found
    ]  # fmt: skip


def _processes(state: Fold, alive: Mapping[str, bool | None]) -> list[ProcessFacts]:
    """Return one entry per writer, by begin: it has closed when the last of its segments is."""
    found = []
    last, moment = _last_segments(state), _moments(state)
    for place, record in sorted(state.writers, key=lambda entry: moment(entry[1])):
        payload = record.payload or {}
        if payload.get("predecessor"):
            continue
        name = process_name(payload)
        found.append(ProcessFacts(
            process=name, writer=text_in(payload, "writer"), host=text_in(payload, "host"), pid=_pid(payload),
            service=text_in(payload, "service"), began=record.event == "run.begin", closed=last[place] in state.closed,
            alive=alive.get(name) if name else None, evidence=[f"{place}:{record.n}"],
        ))  # fmt: skip
    return found


def _last_segments(state: Fold) -> dict[str, str]:
    """Return the last segment of each file's writer, by the file's place."""
    last: dict[str, str] = {}
    before = {place: predecessor_of((place, record)) for place, record in state.writers}
    for place, _ in reversed(state.writers):
        last.setdefault(place, place)
        previous = before[place]
        if previous is not None:
            last[previous] = last[place]
    return last
