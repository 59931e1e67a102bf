"""Hints: what a rule suggests to look at next. Never facts, never run, and the same for the same report.

The rules stand in `codeintel_obs.report.hint_rules`. A step, or the end of the run where no step tells more, meets the
rules in their order; the first that fits gives its hint, with the evidence that it met.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, Final

from codeintel_obs.report import told
from codeintel_obs.report.hint_rules import END as END_OF_RUN
from codeintel_obs.report.hint_rules import LEDGER as THE_LEDGER
from codeintel_obs.report.hint_rules import RULES, Rule, Subject
from codeintel_obs.report_model import Evidence, ReportStep, RunReport, Told

_MOST: Final = 30
_CITED: Final = 5
_CODES: Final = ("code", "exit_code", "status_code", "errno")
_NEVER_WELL: Final = frozenset({"failed", "timed_out"})


def hinted(report: RunReport, own: Callable[[ReportStep], Iterable[Told]] | None = None) -> RunReport:
    """Return ``report`` with its hints; ``own`` gives a team's for a step that did not do well."""
    found: dict[str, list[str]] = {}
    for subject in _subjects(report):
        rule = first_rule(subject)
        if rule is not None:
            _add(found, rule.hint, subject.evidence)
    if own is not None:
        for step in _failing(report):
            for each in own(step):
                _add(found, each.message, each.evidence)
    report.hints = [Told(message=message, evidence=evidence) for message, evidence in list(found.items())[:_MOST]]
    return report


def first_rule(subject: Subject) -> Rule | None:
    """Return the first rule that fits ``subject``."""
    return next((rule for rule in _rules_of(subject.kind) if rule.fits(subject)), None)


@lru_cache(256)
def _rules_of(kind: str) -> tuple[Rule, ...]:
    return tuple(rule for rule in RULES if rule.is_about(kind))


def _add(found: dict[str, list[str]], message: str, evidence: Evidence) -> None:
    cited = found.setdefault(message, [])
    cited += [each for each in evidence if each not in cited][: _CITED - len(cited)]


def _subjects(report: RunReport) -> Iterator[Subject]:
    """Yield what rules are asked about: why the run stopped first, then its steps in their order, then the ledger."""
    stop = report.stopped_because
    steps = list(_worth_a_hint(report))
    steps.sort(key=lambda step: stop is None or step.id != stop.step)  # stable: the reason first
    yield from map(_of_step, steps)
    yield from _of_end(report)
    if report.integrity.dropped:
        yield Subject(kind=THE_LEDGER, status="dropped", evidence=_evidence_of_drops(report))


def _worth_a_hint(report: RunReport) -> Iterator[ReportStep]:
    recovered = {each.failed for each in report.recovered}
    innermost = (
        {step.id for step in told.innermost(report)} if report.outcome in {"interrupted", "in_progress"} else set()
    )
    raised = _first_raised(report)
    for step in report.steps:
        if step.status in _NEVER_WELL:
            if step.id in raised and step.id not in recovered:
                yield step
        elif step.status != "in_flight" or step.id in innermost:
            yield step


def _first_raised(report: RunReport) -> set[str]:
    """Return the failures that no failure beneath them already tells of: the same exception, one call further in."""
    failing = {step.id: step for step in told.failures(report)}
    passed_on = {
        step.parent
        for step in failing.values()
        if step.parent in failing and step.error and step.error.id and _same(step, failing[step.parent])
    }
    return set(failing) - passed_on


def _same(step: ReportStep, other: ReportStep) -> bool:
    return bool(step.error and other.error and step.error.id == other.error.id)


def _failing(report: RunReport) -> list[ReportStep]:
    kept = _first_raised(report)
    return [step for step in report.steps if step.id in kept]


def _of_step(step: ReportStep) -> Subject:
    error = step.error
    return Subject(
        kind=step.kind,
        status=step.status,
        types=(error.type, *(each.type for each in error.chain)) if error else (),
        said=f"{(error.message if error else None) or ''}\n{step.detail or ''}",
        codes=_codes(step.payload),
        payload=step.payload,
        evidence=step.evidence,
    )


def _codes(payload: dict[str, Any]) -> tuple[int, ...]:
    return tuple(payload[key] for key in _CODES if isinstance(payload.get(key), int))


def _of_end(report: RunReport) -> Iterator[Subject]:
    """Yield the end of the run where it tells more than its steps: an exception that none raised, a signal, a code."""
    stop, exit_ = report.stopped_because, report.exit
    if stop is not None and stop.step is None and stop.error_type:
        types = tuple(dict.fromkeys([stop.error_type, *(each.error_type for each in stop.trail)]))
        yield Subject(END_OF_RUN, report.outcome, types, stop.message or "", (), {}, stop.evidence)
    elif exit_ is not None and exit_.signal is not None:
        yield Subject(END_OF_RUN, report.outcome, (), "", (-exit_.signal,), {}, exit_.evidence)
    elif exit_ is not None and exit_.code and (stop is None or stop.step is None):
        yield Subject(END_OF_RUN, report.outcome, (), "", (exit_.code,), {}, exit_.evidence)


def _evidence_of_drops(report: RunReport) -> Evidence:
    """Return where the ledger tells of records that it lost; where none could be told, the places where it breaks off."""
    said = [
        place for each in report.warnings if "records could not be written" in each.message for place in each.evidence
    ]
    return (said or [*report.integrity.gaps, *report.integrity.torn_tail])[:_CITED]
