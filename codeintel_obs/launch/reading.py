"""A report with what a team's own plugins add: hints by `obs_runbook`, sections by `obs_report_sections`.

Only readers do this, in a process of their own: the sinks are loaded for these two hooks, and get no records.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from codeintel_obs import guard
from codeintel_obs.hookspecs import PROJECT
from codeintel_obs.launch import entry_points
from codeintel_obs.report.hints import hinted
from codeintel_obs.report_model import ReportStep, RunReport, Told
from codeintel_obs.settings import Settings, load

if TYPE_CHECKING:
    from codeintel_obs.launch.entry_points import EntryPoint

_OURS: Final = "codeintel_obs.sinks."
_MOST: Final = 20


def completed(report: RunReport, settings: Settings | None = None) -> RunReport:
    """Return ``report`` with the hints and sections of this environment's sinks; a hook that raises is a warning."""
    settings = settings or load()
    sinks = list(_sinks(settings, report))
    if not sinks:
        return report

    def own(step: ReportStep) -> Iterator[Told]:
        for name, sink in sinks:
            found = _asked(report, name, getattr(sink, "obs_runbook", None), step)
            yield from (Told(message=str(each), evidence=step.evidence) for each in _listed(found)[:_MOST])

    hinted(report, own)
    for name, sink in sinks:
        found = _asked(report, name, getattr(sink, "obs_report_sections", None), report)
        report.sections += [each for each in _listed(found) if isinstance(each, dict)][:_MOST]
    return report


def _sinks(settings: Settings, report: RunReport) -> Iterator[tuple[str, Any]]:
    """Yield the strangers' sinks that have one of the two hooks; ours have none."""
    for point in entry_points.find():
        if (
            point.group == entry_points.SINKS
            and not point.value.startswith(_OURS)
            and settings.denied(point.name) is None
        ):
            sink = _asked(report, point.name, _loaded, point)
            if sink is not None:
                yield point.name, sink


def _loaded(point: EntryPoint) -> Any:
    found = point.load()
    sink = found() if inspect.isclass(found) else found
    marked = [getattr(sink, hook, None) for hook in ("obs_runbook", "obs_report_sections")]
    return sink if any(hasattr(each, f"{PROJECT}_impl") for each in marked) else None


def _asked(report: RunReport, name: str, hook: Callable[..., Any] | None, subject: Any) -> Any:
    """Return what a stranger's ``hook`` says of ``subject``; when it raises, the report says that instead."""
    if hook is None:
        return None
    before = guard.counts.total()
    found = guard.call(_answer, hook, subject)
    if guard.counts.total() > before:
        message = f"sink {name} raised an error when it was asked for the report: what it adds is not there"
        if all(each.message != message for each in report.warnings):
            report.warnings.append(Told(message=message, evidence=[]))
    return found


def _answer(hook: Callable[..., Any], subject: Any) -> Any:
    return hook(subject) if inspect.signature(hook).parameters else hook()


def _listed(found: Any) -> list[Any]:
    return list(found) if isinstance(found, (list, tuple)) else []
