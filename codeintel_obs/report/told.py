"""Which steps a report tells of under which heading: the same for every form that it takes."""

from __future__ import annotations

from collections.abc import Iterator

from codeintel_obs.report.fold import FAILURES, NOT_COUNTED
from codeintel_obs.report_model import ReportError, ReportStep, RunReport


def innermost(report: RunReport) -> list[ReportStep]:
    """Return the steps in flight that no other step in flight stands under."""
    open_steps = set(report.in_flight)
    outer = {step.parent for step in report.steps if step.id in open_steps}
    return [step for step in report.steps if step.id in open_steps and step.id not in outer]


def handled(report: RunReport) -> list[ReportStep]:
    """Return the failures whose exception went nowhere, as far as their steps are kept."""
    by_id = {step.id: step for step in report.steps}
    return [by_id[each] for each in report.handled_failures if each in by_id]


def uncaught(report: RunReport) -> list[ReportStep]:
    """Return the failures whose exception ended its thread, or came to the event loop's own handler."""
    ends = _reached_an_end(report)
    return [step for step in _others(report) if step.error and step.error.id in ends]


def unexplained(report: RunReport) -> list[ReportStep]:
    """Return the failures that neither stopped the run nor are known to have gone nowhere, or to an end."""
    ends = _reached_an_end(report)
    return [step for step in _others(report) if not (step.error and step.error.id in ends)]


def _reached_an_end(report: RunReport) -> set[str]:
    threads = (step.error for step in report.steps if step.kind == "error" and step.payload.get("uncaught") is True)
    loops = (log.error for log in report.logs if log.logger == "asyncio" and log.level in {"ERROR", "CRITICAL"})
    return {id_ for error in (*threads, *loops) if error is not None for id_ in _carried(error)}


def _carried(error: ReportError) -> list[str]:
    """Return the ids of an exception and of what it hangs from by cause or group."""
    found = [error.id] if error.id else []
    for link in error.chain:
        if link.via in {"cause", "group"} and (link.of or error.id) in found:
            found.append(link.id)
    return found


def _others(report: RunReport) -> list[ReportStep]:
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
