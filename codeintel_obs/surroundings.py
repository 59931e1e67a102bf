"""What belongs to a watched call besides its own begin and end: its run, its instants, what its framework was handed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

from codeintel_obs import exchange, failures, guard
from codeintel_obs.context import current, enclosing, suppress, suppressed
from codeintel_obs.guard import quietly
from codeintel_obs.recorder import Recorder
from codeintel_obs.redact import clean
from codeintel_obs.runs import Run, join
from codeintel_obs.steps import Call, Content, ErrorInfo, Outcome, Point, RunRequest, Status, Step, StepEvent
from codeintel_obs.wiring import Begun, Wiring

FLUSH_S: Final = 5.0
_NAME_CAP: Final = 128
_ENDED_BADLY: Final = (Status.FAILED, Status.TIMED_OUT)


def described(begun: Begun, subject: int) -> int | None:
    """Settle which row describes this very call, and the identity of what it is about; None: nothing is recorded."""
    call = begun.call
    call.settings = begun.active.settings
    if begun.wiring.point.stands_for is not None:
        name = None if suppressed.get() else quietly(begun.wiring.point.stands_for, call)
        if name is None or name not in begun.wiring.rows:
            return None
        begun.wiring = begun.wiring.rows[name]
    if begun.wiring.point.same is not None:
        subject = id(quietly(begun.wiring.point.same, call))
        if any(step.subject == subject and step.kind == begun.wiring.kind for step in steps(begun)):
            return None
    return subject


def add_first_words(begun: Begun, said: Outcome) -> None:
    """Add what ``before`` said besides a payload: links, and instants that are told after the step's begin."""
    begun.step.links += said.links
    if said.events:
        then = partial(tell_instants, begun, begun.wiring, said.events)
        begun.announced = (*begun.active.listeners.step_begun, then)


def steps(begun: Begun) -> Iterator[Step]:
    """Yield the steps around a call, innermost first."""
    return enclosing(begun.around if isinstance(begun.around, Step) else None)


def enter_run(begun: Begun, request: RunRequest | None) -> None:
    """Make the run that ``request`` asks for the current one; a row without a step leaves its begin to a record."""
    if request is None:
        return
    wiring, active = begun.wiring, begun.active
    run = _asked_for(request, wiring.kind, active)
    if request.traceparent:
        run.continue_trace(request.traceparent)
    begun.run = run
    token = current.set(run)
    if wiring.kind is None:
        begun.token = token
    else:
        active.begin_run(run)


def _asked_for(request: RunRequest, kind: str | None, active: Recorder) -> Run:
    """Return the run to join, or a new one: what its sender calls it is text, which level ``none`` keeps nothing of."""
    tells = active.settings.content is not Content.NONE
    run = join(request.join) if request.join else None
    if run is None:
        run = Run(request.run_id, (request.name if tells else None) or kind, request.session_id)
        run.parent_run_id = active.process_run.run_id
    elif not tells:
        run.name = None
    run.name = clean(run.name, _NAME_CAP) if run.name else None
    run.tells_given = tells
    return run


def tell_instants(begun: Begun, wiring: Wiring, events: Sequence[StepEvent], _step: object = None) -> None:
    """Tell the sinks of the instants that a describe function gave, under the step of ``begun`` or else around it."""
    for event in events:
        guard.call(_tell_instant, begun, wiring, event)


def _tell_instant(begun: Begun, wiring: Wiring, event: StepEvent) -> None:
    made = begun.active.instant(event, wiring.source, wiring.keep(begun.active), begun.step)
    if event.error is not None:
        made.error = begun.active.error(event.error, wiring.point.message)
    guard.each(begun.active.listeners.step_ended, made)


def take_handled(begun: Begun, point: Point, status: Status) -> tuple[Status, ErrorInfo | None]:
    """Return how the step of ``begun`` ends that its framework was handed an exception in, and let go of that one."""
    handled, begun.step.handled = begun.step.handled, None  # it would hold the application's frames
    if status not in _ENDED_BADLY:
        return status, None
    late = failures.timed_out(handled, decided(point, handled))
    return Status.TIMED_OUT if late else status, begun.active.error(handled, point.message)


def decided(point: Point, exc: BaseException) -> bool | None:
    """Return whether the library says that ``exc`` is a time-out; None leaves it to the exception itself."""
    return True if point.timed_out is not None and quietly(point.timed_out, exc) else None


def decide_outcome(step: Step) -> None:
    """Let a run that was begun without a step end as its first step did."""
    run = step.run
    if run.outcome is None and not run.is_process:
        run.outcome, run.end_error = str(step.status), step.error


def flush(begun: Begun) -> None:
    """Let every sink hand on what it holds, where the process may be killed after this call without a further word."""
    if begun.wiring.point.flushes:
        with suppress():
            guard.call(begun.active.flush, FLUSH_S)


# -- calls that are no steps themselves ------------------------------------------------------------------------------


def enter(begun: Begun) -> None:
    """Do at the begin of such a call what its row declares."""
    wiring, point, call = begun.wiring, begun.wiring.point, begun.call
    call.step = begun.around if isinstance(begun.around, Step) else None
    if point.before is not None:
        quietly(point.before, call)
    _hand_over(begun, None)
    if point.hands_on:
        changed = guard.call(exchange.hand_on, call, point.hands_on, wiring.watch)
        begun.call = changed if type(changed) is Call else call
    if point.carrier is not None and begun.active.settings.carriers:
        changed = guard.call(point.carrier, call)
        begun.call = changed if type(changed) is Call else call
    if point.baggage is not None:
        begun.baggage = exchange.attached(quietly(point.baggage, call))
    if point.run is not None:
        enter_run(begun, quietly(point.run, call))


def finish(begun: Begun, result: Any) -> None:
    """Do at the end of such a call that returned what its row declares."""
    point = begun.wiring.point
    if point.after is not None:
        said = quietly(point.after, begun.call, result)
        if type(said) is Outcome and not suppressed.get():
            tell_instants(begun, begun.wiring, said.events)
    if point.hands_on:
        exchange.hand_on_attributes(begun.call, point.hands_on, begun.wiring.watch)
    if begun.run is not None:
        begun.active.end_run(begun.run, begun.run.outcome or str(Status.COMPLETED), begun.run.end_error)


def fail(begun: Begun, exc: BaseException) -> None:
    """Do at the end of such a call that raised what its row declares."""
    point = begun.wiring.point
    _hand_over(begun, exc)
    if begun.run is not None:
        begun.active.end_run(begun.run, str(Status.FAILED), begun.active.error(exc, point.message))


def _hand_over(begun: Begun, exc: BaseException | None) -> None:
    """Note what a framework was handed to answer on the plugin's own step around this call."""
    decide = begun.wiring.point.handled_error
    handed = quietly(decide, begun.call, exc) if decide is not None else None
    if handed is not None:
        holder = next((step for step in steps(begun) if step.source == begun.wiring.source), None)
        # what was raised from the exception that was handed over before is a framework's wrapping of it
        if holder is not None and (holder.handled is None or handed.__cause__ is not holder.handled):
            holder.handled = handed
