"""Writes the plan that applies to a run or a call, once, as soon as its name is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from codeintel_obs.hookspecs import hookimpl

if TYPE_CHECKING:
    from codeintel_obs.recorder import Recorder
    from codeintel_obs.runs import Run
    from codeintel_obs.seams import Plan
    from codeintel_obs.settings import Settings
    from codeintel_obs.steps import Step


class PlansSink:
    """Built in and inline, and only there when the settings declare plans."""

    _active: Recorder
    _plans: dict[str, list[Plan]]

    @staticmethod
    def wanted(settings: Settings) -> bool:
        """Whether there is anything for it to do."""
        return bool(settings.plans)

    def configure(self, settings: Settings, active: Recorder, _manifest: Callable[[], Any]) -> None:
        """Called once by launch, before the first event."""
        self._active, self._plans = active, {}
        for plan in settings.plans:
            self._plans.setdefault(plan.match, []).append(plan)

    @hookimpl(trylast=True)  # the ledger has to have the run's file
    def obs_run_begun(self, run: Run) -> None:
        """Write the plans of the run's name; a process that joins leaves that to the run's beginner."""
        if getattr(run.ledger, "begins", True):
            self._tell(run.name, run, None)

    @hookimpl(trylast=True)
    def obs_step_begun(self, step: Step) -> None:
        """Write the plans of a tool's name, or of a seam's kind: each covers its call."""
        tool = (step.payload or {}).get("tool") if step.kind == "tool.call" else None
        self._tell(tool or step.kind, step.run, step)

    def _tell(self, name: Any, run: Run, step: Step | None) -> None:
        for plan in self._plans.get(name, ()):
            covered = {"parent_span_id": step.span_id, "trace_id": step.trace_id} if step is not None else {}
            self._active.record("plan", {"match": plan.match, "kinds": list(plan.kinds)}, run, **covered)
