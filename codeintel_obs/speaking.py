"""Steps that code records of itself: what an application, or a team's own library, may say beside the plugins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from codeintel_obs import guard, recorder
from codeintel_obs.collecting import is_here, safely
from codeintel_obs.context import current, leave, suppressed
from codeintel_obs.recorder import Recorder, finish_failed
from codeintel_obs.runs import Run
from codeintel_obs.steps import Status, Step, StepEvent


def current_run() -> Run | None:
    """Return the run that the calling code belongs to, or None when nothing records."""
    active = recorder.active
    if active is None:
        return None
    around = current.get()
    if around is None:
        return active.process_run
    run: Run = around.run if isinstance(around, Step) else around
    return run


def emit_step(event: StepEvent) -> None:
    """Record an instant step of your own; does nothing when nothing records."""
    active = recorder.active
    if active is not None and not suppressed.get():
        made = guard.call(active.instant, event, "app")
        if made is not None:
            safely(guard.each, active.listeners.step_ended, made)


@contextmanager
def step(kind: str, payload: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
    """Record the block as a step of your own; what is put into the yielded dict becomes its end's payload."""
    late: dict[str, Any] = {}
    active = recorder.active
    begun = safely(guard.call, _begin, active, kind, payload) if active is not None and not suppressed.get() else None
    if active is None or begun is None:
        yield late
        return
    previous = current.get()
    token, shown = (None, None) if is_here() else (current.set(begun), active.spans.make_current(begun))
    try:
        yield late
    except BaseException as exc:
        leave(token, previous)
        active.spans.restore(shown)
        safely(guard.call, _fail, active, begun, late, exc)
        raise
    leave(token, previous)
    active.spans.restore(shown)
    safely(guard.call, _end, active, begun, late)


def _begin(active: Recorder, kind: str, payload: Mapping[str, Any] | None) -> Step:
    begun = active.begin(kind, "app", active.free.keep(payload or {}))
    guard.each(active.listeners.step_begun, begun)
    return begun


def _end(active: Recorder, begun: Step, late: Mapping[str, Any], detail: str | None = None) -> None:
    if active.end(begun, Status.COMPLETED, active.free.keep(late), detail):
        guard.each(active.listeners.step_ended, begun)


def _fail(active: Recorder, begun: Step, late: Mapping[str, Any], exc: BaseException) -> None:
    if isinstance(exc, GeneratorExit):  # nothing failed: who read from the generator around the block wants no more
        _end(active, begun, late, "closed by consumer")
    else:
        finish_failed(active, begun, exc, active.free.keep(late))
