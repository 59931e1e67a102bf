"""Builds the Run Report of one attempt: a pure fold over its records and what surrounds them on disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from codeintel_obs.report.absences import did_not_run
from codeintel_obs.report.causes import Causes
from codeintel_obs.report.entries import Source, cite
from codeintel_obs.report.fold import KEPT_STEPS, Fold, fold, process_name
from codeintel_obs.report.handled import handled_failures
from codeintel_obs.report.outcome import Ending, ending, exit_status
from codeintel_obs.report.parts import log_of, span_of, step_of, warnings_of
from codeintel_obs.report.watched import watched
from codeintel_obs.report_model import Exit, IntegrityFacts, ProcessFacts, Recovery, ReportStep, RunReport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from codeintel_obs.steps import Record


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a report says that is in no record: which attempt this is, and what was found on disk.

    ``integrity`` is asked after the records were read, which may be what finds it out.
    ``alive`` and ``manifests`` are by process name; ``alive`` is None where it cannot be known.
    """

    run_id: str
    token: str
    integrity: Callable[[], IntegrityFacts]
    number: int = 1
    total: int = 1
    ledger_path: str | None = None
    alive: Mapping[str, bool | None] = field(default_factory=dict)
    manifests: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def build(source: Source, around: Surroundings, keep: int = KEPT_STEPS) -> RunReport:
    """Return the report of the attempt whose records ``source`` gives; ``keep`` caps completed steps."""
    state = fold(source, keep)
    end = ending(state, around.alive)
    causes = Causes(state, end)
    stop = causes.stopped_because()
    facts = watched(around.manifests, state.activations, state.processes)
    steps = _steps(state)
    begin, payload = _begin(state)
    started, ended = begin.ts if begin else None, _ended(state)
    intact = around.integrity()
    whole = not (intact.gaps or intact.bad_crc or intact.dropped)
    return RunReport(
        run_id=around.run_id,
        raw_run_id=payload.get("raw_run_id"),
        parent_run_id=payload.get("parent_run_id"),
        session_id=begin.session_id if begin else None,
        name=_name(state),
        attempt=around.number,
        attempts=around.total,
        token=around.token,
        trace_ids=list(state.trace_ids),
        started_at=started,
        ended_at=ended.ts if ended else None,
        duration_ns=ended.mono_ns - begin.mono_ns if ended and begin else None,
        outcome=end.outcome,
        outcome_evidence=end.evidence,
        exit=_exit(state),
        stopped_because=stop,
        steps=steps,
        steps_total=state.total,
        steps_omitted=state.total - len(steps),
        steps_sample=_sample(state, steps),
        ran=_ran(state),
        did_not_run=did_not_run(state, facts, over=_over(state, end), whole=whole),
        in_flight=list(state.open),
        handled_failures=handled_failures(state, causes),
        recovered=_recovered(state),
        spans=[span_of(span_id, held) for span_id, held in state.spans.items()],
        logs=[log_of(entry) for entry in state.logs],
        logs_total=state.logs_total,
        disagreements=[],
        integrity=intact,
        processes=_processes(state, around.alive),
        plugins=facts.plugins(),
        warnings=warnings_of(state, causes.basis),
        hints=[],
        sections=[],
        ledger_path=around.ledger_path,
    )


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
    """Return the record that ended the attempt: the process's exit as witnessed, else the run's own end."""
    entry = state.run_end or state.exit
    return entry[1] if entry else None


def _over(state: Fold, end: Ending) -> bool:
    return state.run_end is not None or end.outcome not in {"in_progress", "unknown"}


def _exit(state: Fold) -> Exit | None:
    if state.exit is None:
        return None
    code, signal = exit_status(state.exit[1])
    pid = (state.exit[1].payload or {}).get("pid")
    return Exit(pid=pid if isinstance(pid, int) else None, code=code, signal=signal, evidence=[cite(state.exit)])


def _steps(state: Fold) -> list[ReportStep]:
    """Return the kept steps by begin: of one host by its monotonic clock, else by the wall clock."""
    hosts = {(entry[1].payload or {}).get("host") for entry in state.writers}
    held = [each for each in state.kept.values() if each.begin or each.end]
    if len(hosts) > 1:
        held.sort(key=lambda each: (each.first.ts, each.first.n))
    else:
        held.sort(key=lambda each: (each.first.mono_ns, each.first.n))
    return [step_of(each, state) for each in held]


def _sample(state: Fold, steps: list[ReportStep]) -> str | None:
    if state.total == len(steps):
        return None
    return f"failures, steps in flight, the steps around them, and the first {state.keep} steps of the ledger"


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
    """Return one entry per file's writer: later segments of a writer are told by their own records."""
    found = []
    for place, record in state.writers:
        payload = record.payload or {}
        if payload.get("predecessor"):
            continue
        name = process_name(payload)
        found.append(ProcessFacts(
            process=name, writer=payload.get("writer"), host=payload.get("host"), pid=payload.get("pid"),
            service=payload.get("service"), began=record.event == "run.begin", closed=place in state.closed,
            alive=alive.get(name) if name else None, evidence=[f"{place}:{record.n}"],
        ))  # fmt: skip
    return found
