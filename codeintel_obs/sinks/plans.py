"""Writes the plan that applies to a run or a call, once, as soon as its name is known."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from codeintel_obs.hookspecs import hookimpl

if TYPE_CHECKING:
    from codeintel_obs.recorder import Recorder
    from codeintel_obs.runs import Run
    from codeintel_obs.seams import Plan
    from codeintel_obs.settings import Settings
    from codeintel_obs.steps import Step


class PlansSink:
    """Built in and inline, and only there when the settings, or a plugin whose library is imported, declare plans."""

    _active: Recorder
    _plans: dict[str, list[Plan]]
    _begin_so: tuple[tuple[str, Plan], ...]

    @staticmethod
    def wanted(settings: Settings) -> bool:
        """Whether there is anything for it to do."""
        return bool(settings.plans)

    def configure(self, settings: Settings, active: Recorder, _manifest: Callable[[], Any]) -> None:
        """Called once by launch, before the first event."""
        self._take(settings.plans, active)

    @classmethod
    def add(cls, plans: Iterable[Plan], active: Recorder) -> None:
        """Let these plans be written too, from now on, after what the other sinks do."""
        sink, listeners = cls(), active.listeners
        sink._take(plans, active)
        active.listeners = replace(
            listeners,
            run_begun=(*listeners.run_begun, sink.obs_run_begun),
            step_begun=(*listeners.step_begun, sink.obs_step_begun),
        )

    def _take(self, plans: Iterable[Plan], active: Recorder) -> None:
        self._active, self._plans = active, {}
        for plan in plans:
            self._plans.setdefault(plan.match, []).append(plan)
        self._begin_so = tuple(
            (match[:-1], plan) for match, found in self._plans.items() if match.endswith("*") for plan in found
        )

    @hookimpl(trylast=True)  # the ledger has to have the run's file
    def obs_run_begun(self, run: Run) -> None:
        """Write the plans of the run's name; a process that joins leaves that to the run's beginner."""
        if getattr(run.ledger, "begins", True):
            self._tell(run.name, run, None)
            self._tell_all_that_begin_so(run.name or "", run, None)

    @hookimpl(trylast=True)
    def obs_step_begun(self, step: Step) -> None:
        """Write the plans of a tool's name, or of a step's kind, each covering its call; and of a request that joins."""
        payload = step.payload or {}
        if step.kind == "http.request" and step.run.joins:  # its run has the name of what begun it
            name = f"{payload.get('method')} {payload.get('path')}"
            self._tell_all_that_begin_so(name, step.run, step)
        else:
            name = (payload.get("tool") if step.kind == "tool.call" else None) or step.kind
        self._tell(name, step.run, step)

    def _tell(self, name: Any, run: Run, step: Step | None) -> None:
        for plan in self._plans.get(name, ()):
            self._write(plan, run, step)

    def _tell_all_that_begin_so(self, name: str, run: Run, step: Step | None) -> None:
        for begin, plan in self._begin_so:
            if name.startswith(begin):
                self._write(plan, run, step)

    def _write(self, plan: Plan, run: Run, step: Step | None) -> None:
        covered = {"parent_span_id": step.span_id, "trace_id": step.trace_id} if step is not None else {}
        self._active.record("plan", {"match": plan.match, "kinds": list(plan.kinds)}, run, **covered)
