"""One watched call, from its begin to what is said of its end; the wrappers call the library, this module never."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from codeintel_obs import exchange, guard, recorder, surroundings
from codeintel_obs.beside import Beside
from codeintel_obs.collecting import apart, is_here
from codeintel_obs.context import current, leave
from codeintel_obs.guard import quietly
from codeintel_obs.recorder import Recorder
from codeintel_obs.steps import Call, Link, Outcome, Status, Step, StepEvent
from codeintel_obs.wiring import Begun, Wiring

_trail: Beside[tuple[Link, ...]] = Beside()
delegates: dict[type, Callable[[Begun, Any], Any]] = {}
"""How a stream that a call returned is delegated, by its type; filled by `codeintel_obs.wrapping`."""


def begin(wiring: Wiring, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Begun | None:
    """Begin what ``wiring`` says of this call, and make it current; None when the call is not to be recorded."""
    active = recorder.active
    if active is None:
        return None
    point = wiring.point
    around = current.get()
    call = Call(point.name, instance, args, kwargs)
    begun = Begun(wiring, active, call, around)
    subject = id(instance) if instance is not None else 0
    if wiring.asks:
        found = surroundings.described(begun, subject)
        if found is None:
            return None
        wiring, point, subject = begun.wiring, begun.wiring.point, found
    if wiring.ends and point.key is not None:
        # now, not at the end: a call that ends a step may let go of the object that ties both (GitPython's _terminate)
        begun.key = quietly(point.key, call, None)
    if wiring.special and _settled(begun):
        return begun if wiring.lasts else None
    if subject and isinstance(around, Step) and around.subject == subject and around.kind == wiring.kind:
        return begun if wiring.ends else None  # a method that calls its parent class's: one call, one step
    payload: Any = quietly(point.before, call) if point.before is not None else None
    try:
        said = payload if type(payload) is Outcome else None
        _open(begun, active, said.payload if said is not None else payload, subject)
        if said is not None:
            surroundings.add_first_words(begun, said)
    except BaseException:
        _abandon(begun)
        raise
    return begun


def _open(begun: Begun, active: Recorder, said: Mapping[str, Any] | None, subject: int) -> None:
    """Begin the step of a call, in a run of its own where the point says so, and make it current."""
    wiring, point, call = begun.wiring, begun.wiring.point, begun.call
    payload = guard.call(wiring.keep(active).keep, said) if said is not None else None
    if point.baggage is not None:
        begun.baggage = exchange.attached(quietly(point.baggage, call))
    if point.run is not None:
        surroundings.enter_run(begun, quietly(point.run, call))
    begun.step = step = active.begin(
        wiring.kind or "", wiring.source, payload, subject, point.annotate, point.span_kind
    )
    call.step = step
    if point.follows is not None:
        step.links += _trail.get(quietly(point.follows, call)) or ()
    begun.announced = active.listeners.step_begun
    if begun.run is not None:
        current.set(begun.around)  # the step knows its run; left current, it would be a stream's consumer's too
    begun.token = current.set(step)
    if point.carrier is not None and active.settings.carriers:
        begun.call = _carried(guard.call(point.carrier, call), call)
    if point.sent is not None or point.received is not None:
        begun.call = exchange.messages(point, call, change=active.settings.carriers)
    if active.spans.adopted is not None:
        begun.otel_token = active.spans.make_current(step)


def _abandon(begun: Begun) -> None:
    """Leave nothing behind of a begin that something interrupted: an error of ours, or the application's deadline."""
    exit_(begun)
    if current.get() is not begun.around:
        current.set(begun.around)
    if begun.step is not None:
        begun.step.run.open.pop(begun.step.span_id, None)
    if begun.run is not None:
        guard.call(begun.active.end_run, begun.run, "unknown")


def forget(around: Any) -> None:
    """Leave nothing current of a begin that a signal's handler cut off from its wrapper: the wrapper saw ``around``."""
    left = current.get()
    if left is not around:
        current.set(around)
        if isinstance(left, Step):
            left.run.open.pop(left.span_id, None)


def _carried(changed: Any, call: Call) -> Call:
    """Return the call that a carrier made of ``call``; a carrier that returns no call has changed nothing."""
    return changed if type(changed) is Call else call


def _settled(begun: Begun) -> bool:
    """Whether a call at a special point is no step: the end of another's step, or one to skip."""
    wiring, point = begun.wiring, begun.wiring.point
    if wiring.kind is not None:
        return point.skip_when is not None and bool(quietly(point.skip_when, begun.call))
    surroundings.enter(begun)
    return True


def enter(begun: Begun) -> None:
    """Make the step of ``begun`` the current one of this context."""
    if begun.step is not None and not is_here():
        begun.around = current.get()
        begun.token = current.set(begun.step)
        begun.otel_token = begun.active.spans.make_current(begun.step)


def exit_(begun: Begun) -> None:
    """Undo `enter`."""
    if begun.token is not None:
        leave(begun.token, begun.around)
        begun.token = None
    if begun.otel_token is not None:
        begun.active.spans.restore(begun.otel_token)
        begun.otel_token = None
    if begun.baggage is not None:
        begun.active.spans.restore(begun.baggage)
        begun.baggage = None


def finish(begun: Begun, result: Any) -> Any:
    """Say how a call that returned ended; return its result, or a stream of the same sort that tells its own end."""
    if begun.token is not None or begun.baggage is not None:
        exit_(begun)
    delegate = delegates.get(type(result))
    if delegate is not None and (begun.step is not None or begun.wiring.ends):
        return delegate(begun, result)
    if begun.wiring.ends:
        if _is_end(begun, result):
            guard.call(_end_deferred, begun, result, None)
    elif begun.wiring.kind is None:
        guard.call(surroundings.finish, begun, result)
    if begun.step is not None:
        guard.call(_finish if begun.wiring.point.ends_at else complete, begun, result)
        if begun.wiring.point.returns is not None and begun.active.settings.carriers:
            changed = quietly(begun.wiring.point.returns, begun.call, result)
            return result if changed is None else changed
    return result


def _is_end(begun: Begun, result: Any) -> bool:
    decide = begun.wiring.point.ends_when
    return decide is None or bool(quietly(decide, begun.call, result))


def _finish(begun: Begun, result: Any) -> None:
    point = begun.wiring.point
    if point.ends_at and point.key is not None:
        key = quietly(point.key, begun.call, result)
        if key is not None and begun.wiring.deferred.hold(key, begun):
            # its end is described by another call: this one's arguments are the application's to let go of
            notes, begun.call = begun.call.notes, Call(point.name, None, (), {})
            begun.call.notes = notes
            return
    complete(begun, result)


def complete(
    begun: Begun,
    result: Any,
    detail: str | None = None,
    items: int | None = None,
    describing: Wiring | None = None,
    call: Call | None = None,
) -> None:
    """Describe a call that returned (or a stream that ended) and end its step; the wrapper tells ``begun.ended``."""
    wiring = describing or begun.wiring
    outcome: Any = None
    if wiring.point.after is not None:
        outcome = quietly(wiring.point.after, call or begun.call, result)
    status = Status.COMPLETED
    links: tuple[Link, ...] = ()
    events: Sequence[StepEvent] = ()
    payload = outcome
    if type(outcome) is Outcome:
        status = guard.call(Status, outcome.status) or status
        links, events, payload = outcome.links, outcome.events, outcome.payload
        detail = outcome.detail or detail
    kept = guard.call(wiring.keep(begun.active).keep, payload) if payload else None
    if items is not None:
        kept = {**(kept or {}), "items": items}
    if wiring.point.leads is not None:
        _lead(begun, quietly(wiring.point.leads, call or begun.call, result))
    begun.step.links += links
    if events:
        surroundings.tell_instants(begun, wiring, events)
    error = None
    if begun.step.handled is not None:
        status, error = surroundings.take_handled(begun, wiring.point, status)
    if begun.active.end(begun.step, status, kept, detail, error):
        begun.ended = begun.active.listeners.step_ended
        if begun.run is not None:
            tell(begun)
            _leave_run(begun)
        elif begun.step.parent is None:
            surroundings.decide_outcome(begun.step)


def _lead(begun: Begun, thing: Any) -> None:
    """Let later steps that work on ``thing`` link this one, or what this one passes on."""
    step = begun.step
    passed = step.links if begun.wiring.point.passes_on else ()
    for each in thing if type(thing) is tuple else (thing,):
        if each is not None:
            _trail.put(each, passed or (Link(step.run.run_id, step.trace_id, step.span_id),))


def _leave_run(begun: Begun) -> None:
    """End the run that this call began, with the outcome of its step."""
    if begun.run is not None:
        begun.active.end_run(begun.run, str(begun.step.status), begun.step.error)


def fail(begun: Begun, exc: BaseException) -> None:
    """Say that the call raised ``exc``: the application's exception, which the wrapper raises again."""
    exit_(begun)
    if is_here():  # a coroutine that the garbage collector closes
        apart(fail, begun, exc)
        return
    if begun.wiring.ends:
        guard.call(_end_deferred, begun, None, exc)
    elif begun.wiring.kind is None:
        guard.call(surroundings.fail, begun, exc)
    if begun.step is not None:
        guard.call(fail_step, begun, exc)


def fail_step(
    begun: Begun,
    exc: BaseException,
    items: int | None = None,
    describing: Wiring | None = None,
    call: Call | None = None,
) -> None:
    """End the step of ``begun`` with ``exc`` and tell the sinks."""
    wiring = describing or begun.wiring
    point = wiring.point
    payload: Any = quietly(point.failed, call or begun.call, exc) if point.failed is not None else None
    if type(payload) is Outcome:
        surroundings.tell_instants(begun, wiring, payload.events)
        payload = payload.payload
    begun.step.handled = None
    if point.leads is not None:
        thing = quietly(point.leads, call or begun.call, None)
        for each in thing if type(thing) is tuple else (thing,):
            _trail.forget(each)
    kept = guard.call(wiring.keep(begun.active).keep, payload) if payload else None
    if items is not None:
        kept = {**(kept or {}), "items": items}
    recorder.finish_failed(begun.active, begun.step, exc, kept, surroundings.decided(point, exc), point.message)
    if begun.run is not None:
        _leave_run(begun)
    elif begun.step.parent is None:
        surroundings.decide_outcome(begun.step)


def finish_stream(begun: Begun, detail: str | None, items: int) -> None:
    """Say that a stream ended: exhausted, or closed by its consumer as ``detail`` says; tell the sinks."""
    if is_here():
        apart(finish_stream, begun, detail, items)
        return
    if begun.wiring.ends:
        guard.call(_end_deferred, begun, None, None, detail)
    if begun.step is not None:
        guard.call(complete, begun, None, detail, items)
        tell(begun)


def fail_stream(begun: Begun, exc: BaseException, items: int) -> None:
    """Say that a stream raised ``exc`` after so many ``items``."""
    if is_here():
        apart(fail_stream, begun, exc, items)
        return
    if begun.wiring.ends:
        guard.call(_end_deferred, begun, None, exc)
    if begun.step is not None:
        guard.call(fail_step, begun, exc, items)


def tell(begun: Begun) -> None:
    """Tell the sinks of an end that `complete` prepared; for those who end a step outside its wrapper."""
    if begun.ended is not None:
        guard.each(begun.ended, begun.step)
        begun.ended = None


def _end_deferred(begun: Begun, result: Any, exc: BaseException | None, detail: str | None = None) -> None:
    """End the step that waits for this very call."""
    key, begun.key = begun.key, None
    waiting = begun.wiring.deferred.take(key) if key is not None else None
    if waiting is None:
        return
    if exc is not None:
        fail_step(waiting, exc, describing=begun.wiring, call=begun.call)
        return
    complete(waiting, result, detail, describing=begun.wiring, call=begun.call)
    tell(waiting)
