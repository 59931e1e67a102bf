"""Which steps a report tells of under which heading: the same for every form that it takes."""

from __future__ import annotations

from collections.abc import Iterator

from codeintel_obs.report.fold import FAILURES, NOT_COUNTED
from codeintel_obs.report_model import ReportStep, RunReport


def innermost(report: RunReport) -> list[ReportStep]:
    """Return the steps in flight that no other step in flight stands under."""
    open_steps = set(report.in_flight)
    outer = {step.parent for step in report.steps if step.id in open_steps}
    return [step for step in report.steps if step.id in open_steps and step.id not in outer]


def handled(report: RunReport) -> list[ReportStep]:
    """Return the failures whose exception went nowhere, as far as their steps are kept."""
    by_id = {step.id: step for step in report.steps}
    return [by_id[each] for each in report.handled_failures if each in by_id]


def unexplained(report: RunReport) -> list[ReportStep]:
    """Return the failures that neither stopped the run nor are known to have gone nowhere."""
    stop = report.stopped_because
    on_the_way = {raised.error_id for raised in stop.trail} if stop else set()
    known = {*report.handled_failures, stop.step if stop else None}
    return [
        step
        for step in failures(report)
        if step.id not in known and not (step.error and step.error.id in on_the_way)
    ]  # fmt: skip


def failures(report: RunReport) -> Iterator[ReportStep]:
    """Yield the steps that failed or timed out; what only tells of another's failure is none."""
    return (step for step in report.steps if step.status in FAILURES and step.kind not in NOT_COUNTED)
