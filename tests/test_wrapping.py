"""The wrapper of functions and methods: what is said of a call, and that the call stays what it was."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import sys
import weakref
from pathlib import Path

import pytest

from codeintel_obs import (
    Call,
    FieldClass,
    LibraryInstrumentor,
    Outcome,
    Point,
    Status,
    StepEvent,
    guard,
    recorder,
    step,
)
from codeintel_obs.context import current, suppress
from codeintel_obs.steps import Link, RunRequest
from codeintel_obs.testing import recording

LIBRARY = "codeintel_shapes"
FIELDS = {"value": FieldClass.TEXT, "size": FieldClass.COUNT, "code": FieldClass.CODE}


@pytest.fixture(autouse=True)
def shapes(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "libraries"))
    import codeintel_shapes

    return codeintel_shapes


def watching(*points, fields=FIELDS):
    """Return an instrumentor of the library of shapes with these points, given as names or whole."""
    table = tuple(
        point if isinstance(point, Point) else Point(module=LIBRARY, name=point, kind=f"shapes.{point.split('.')[-1]}")
        for point in points
    )
    body = {"plugin": "shapes", "library": LIBRARY, "points": table, "fields": fields}
    return type("ShapesInstrumentor", (LibraryInstrumentor,), body)


def point(name, **more):
    return Point(module=LIBRARY, name=name, kind=more.pop("kind", f"shapes.{name.split('.')[-1]}"), **more)


# -- results and exceptions ------------------------------------------------------------------------------------------


def test_result_is_the_librarys_object(shapes):
    """A wrapped call returns the very object that the library returned."""
    held = shapes.Answer()
    with recording(watching("plain")) as told:
        assert shapes.plain(held) is held
    assert told.only("shapes.plain").status is Status.COMPLETED


def test_exception_is_the_librarys_object(shapes):
    """A wrapped call raises the very object that the library raised, and says so."""
    raised = LookupError("gone")
    with recording(watching("raises")) as told, pytest.raises(LookupError) as caught:
        shapes.raises(raised)
    step = told.only("shapes.raises")
    assert caught.value is raised
    assert (step.status, step.error.type, step.error.message) == (Status.FAILED, "LookupError", "gone")


@pytest.mark.parametrize("raised", [KeyboardInterrupt(), SystemExit(3), GeneratorExit(), StopIteration(1)])
def test_exceptions_that_are_no_errors_pass_through(shapes, raised):
    """What is no `Exception` ends the step and is raised all the same."""
    with recording(watching("raises")) as told, pytest.raises(type(raised)) as caught:
        shapes.raises(raised)
    assert caught.value is raised
    assert told.only("shapes.raises").status is Status.FAILED


def test_timeout_error_is_timed_out(shapes):
    """A TimeoutError is a time-out; an error is not, unless the point says so."""
    decides = point("raises", timed_out=lambda exc: "deadline" in str(exc))
    with recording(watching(decides)) as told:
        for exc in (TimeoutError(), LookupError("deadline"), LookupError("other")):
            with pytest.raises(type(exc)):
                shapes.raises(exc)
    assert [step.status for step in told.steps] == ["timed_out", "timed_out", "failed"]


def test_wrong_arguments_raise_the_same_error(shapes):
    """A call that Python itself refuses raises what it raises unwatched."""
    with pytest.raises(TypeError) as bare:
        shapes.plain()
    with recording(watching("plain")), pytest.raises(TypeError) as watched:
        shapes.plain()
    assert str(watched.value) == str(bare.value)


def test_arguments_that_shadow_the_wrappers_names(shapes):
    """Keyword arguments of any name reach the library: none of them collides with the wrapper's own."""
    taken = dict.fromkeys(("self", "args", "kwargs", "wrapped", "instance", "function", "wiring", "times"), 1)
    with recording(watching("Base.made", "plain")):
        with pytest.raises(TypeError, match="unexpected keyword argument"):
            shapes.plain(1, **taken)
        assert shapes.plain(value=1, times=2) == 1


def test_iterator_argument_is_not_consumed(shapes):
    """An argument that can be read once is handed on unread."""
    items = iter([1, 2, 3])
    with recording(watching("plain")):
        assert list(shapes.plain(items)) == [1, 2, 3]


def test_arguments_live_no_longer_than_without_us(shapes):
    """Nothing of a call is kept alive after it: not its arguments and not its result."""
    argument = shapes.Answer()
    gone = weakref.ref(argument)
    with recording(watching("plain")):
        shapes.plain(argument)
        del argument
        assert gone() is None


# -- descriptors -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "call", "expected"),
    [
        ("Base.work", lambda lib: lib.Base().work(4), 4),
        ("Base.work", lambda lib: lib.Base.work(lib.Base(), 4), 4),
        ("Base.made", lambda lib: type(lib.Child.made(4)).__name__, "Child"),
        ("Base.helped", lambda lib: lib.Base().helped(4), 4),
        ("Base.helped", lambda lib: lib.Base.helped(4), 4),
        ("Base.cached", lambda lib: lib.Base().cached(4), 8),
        ("Base.halved", lambda lib: lib.Base().halved(), 0.5),
        ("Base.size", lambda lib: lib.Base().size([1, 2]), 2),
        ("length", lambda lib: lib.length([1, 2]), 2),
    ],
)
def test_every_descriptor_is_called_as_it_was(shapes, name, call, expected):
    """Methods, class methods, static methods and callables that are no functions keep their binding; one step each."""
    assert call(shapes) == expected
    with recording(watching(name)) as told:
        assert call(shapes) == expected
    assert told.kinds == [f"shapes.{name.split('.')[-1]}"]


def test_class_of_a_class_method_is_the_instance(shapes):
    """Describe functions see what a call is bound to: the instance, the class, or nothing."""
    seen = []
    names = ("Base.work", "Base.made", "Base.helped", "plain")
    points = [point(name, before=lambda call: seen.append((call.name, call.instance, call.args))) for name in names]
    base = shapes.Base()
    with recording(watching(*points)):
        base.work(1)
        shapes.Child.made(2)
        base.helped(3)
        shapes.plain(4)
    assert [name for name, *_ in seen] == list(names)
    assert seen[0][1] is base
    assert seen[1][1:] == (shapes.Child, (2,))
    assert (seen[2][2], seen[3][1:]) == ((3,), (None, (4,)))


def test_method_that_calls_its_parents_is_one_step(shapes):
    """A method that calls its parent class's is one call and one step."""
    with recording(watching("Base.work", "Child.work")) as told:
        assert shapes.Child().work(1) == 2
    assert told.kinds == ["shapes.work"]


def test_inherited_method_is_wrapped_once_at_its_owner(shapes):
    """A point on a class that only inherits the method wraps the class that has it, and counts a call once."""
    with recording(watching("Base.more", "Child.more")) as told:
        assert shapes.Child().more() == "more"
    assert told.kinds == ["shapes.more"]


def test_every_class_wraps_each_own_slot(shapes):
    """``every_class`` finds the method wherever a class of the module defines it itself."""
    with recording(watching(point("work", every_class=True))) as told:
        shapes.Base().work(1)
        shapes.Child().work(1)
        assert "work" in vars(shapes.Child)
    assert told.kinds == ["shapes.work"] * 2


def test_nested_calls_have_parents(shapes):
    """A watched call inside another hangs from it."""
    with recording(watching("nested", "plain")) as told:
        shapes.nested()
    inner, outer = told.steps
    assert (inner.kind, inner.parent_span_id, outer.parent_span_id) == ("shapes.plain", outer.span_id, None)


# -- introspection ---------------------------------------------------------------------------------------------------

NAMES = ["plain", "count", "fetch", "stream", "Base.work", "Base.made", "Base.helped", "Base.awaited", "Base.cached"]


def answers(shapes, name):
    """Return what Python's own questions answer about a callable."""
    owner, _, method = name.rpartition(".")
    holders = [getattr(shapes, owner), getattr(shapes, owner)()] if owner else [shapes]
    questions = [getattr(inspect, each) for each in dir(inspect) if each.startswith("is") and each != "istraceback"]
    found = []
    for holder in holders:
        it = getattr(holder, method)
        found.append([(question.__name__, bool(question(it))) for question in questions])
        found.append([str(inspect.signature(it)), asyncio.iscoroutinefunction(it), callable(it)])
        found.append([getattr(it, dunder) for dunder in ("__name__", "__qualname__", "__module__", "__doc__")])
        found.append([getattr(it, "__defaults__", None), getattr(it, "__kwdefaults__", None)])
        found.append([inspect.getsource(it), getattr(it, "__annotations__", None)])
        found.append([it == getattr(holder, method), hash(it) == hash(getattr(holder, method))])
    return found


@pytest.mark.filterwarnings("ignore:.*iscoroutinefunction.*:DeprecationWarning")  # 3.14 prefers inspect's own
@pytest.mark.parametrize("name", NAMES)
def test_answers_to_pythons_questions_stay(shapes, name):
    """Signature, names, documentation, source and every ``inspect.is*`` answer are those of the original."""
    before = answers(shapes, name)
    with recording(watching(name)):
        assert answers(shapes, name) == before


def test_classes_stay_their_types(shapes):
    """A class is not replaced: its instances, subclasses and identity stay."""
    cls, made = shapes.Base, shapes.Base()
    with recording(watching("Base.work", "Base.made")):
        assert shapes.Base is cls
        assert type(shapes.Base()) is cls
        assert isinstance(made, shapes.Base)
        assert issubclass(shapes.Child, shapes.Base)


# -- what is said of a call ------------------------------------------------------------------------------------------


def test_outcome_gives_status_links_and_instants(shapes):
    """``after`` may say that a result failed or was skipped, link it, and tell instants of its own under the step."""
    outcome = Outcome({"size": 2}, Status.SKIPPED, "nothing to do", (StepEvent("shapes.note"),), (Link(run_id="r"),))
    with recording(watching(point("plain", after=lambda _call, _result: outcome))) as told:
        shapes.plain(1)
    step, note = told.only("shapes.plain"), told.only("shapes.note")
    assert (step.status, step.detail, told.payload(step)) == ("skipped", "nothing to do", {"size": 2})
    assert step.links == (Link(run_id="r"),)
    assert (note.instant, note.parent_span_id) == (True, step.span_id)


def test_failed_describes_the_exception(shapes):
    """``failed`` adds a payload to a call that raised."""
    described = point("plain", before=lambda _call: {"size": 1}, failed=lambda _call, exc: {"code": len(exc.args)})
    with recording(watching(described)) as told, pytest.raises(LookupError):
        shapes.plain("fail")
    assert told.payload(told.only("shapes.plain")) == {"size": 1, "code": 1}


def test_message_drops_what_the_library_echoes_below_all(shapes):
    """``message`` replaces the error's text below content level ``all``, and only there."""
    spoken = point("raises", message=lambda exc: type(exc).__name__)
    kept = {}
    for level in ("none", "messages", "all"):
        with recording(watching(spoken), content=level) as told, pytest.raises(LookupError):
            shapes.raises(LookupError("select secret"))
        kept[level] = told.only("shapes.raises").error.message
    assert kept == {"none": None, "messages": "LookupError", "all": "select secret"}


def test_skip_when_leaves_a_call_unrecorded(shapes):
    """A call for which ``skip_when`` gives a reason is no step, and runs all the same."""
    skipping = point("plain", skip_when=lambda call: "odd" if call.args[0] % 2 else None)
    with recording(watching(skipping)) as told:
        assert [shapes.plain(number) for number in range(4)] == [0, 1, 2, 3]
    assert told.kinds == ["shapes.plain"] * 2


def test_own_use_of_a_library_is_not_recorded(shapes):
    """What a describe function calls of a watched library is no step of the application."""
    curious = point("answer", before=lambda _call: {"size": shapes.plain(1)})
    with recording(watching(curious, "plain")) as told:
        shapes.answer()
    assert told.kinds == ["shapes.answer"]


def test_log_point_writes_a_log_entry_and_no_step(shapes):
    """A point that emits logs describes a log record; what is logged meanwhile is not recorded."""
    described = point(
        "log",
        emits="log",
        before=lambda call: {
            "logger": "app",
            "level": "INFO",
            "number": 20,
            "text": lambda: shapes.plain(call.args[0]),
            "ts_ns": 1,
            "exc": None,
        },
    )
    with recording(watching(described, "plain")) as told:
        assert shapes.log("hello") == "hello"
    assert [(entry.logger, entry.level, entry.text) for entry in told.logs] == [("app", "INFO", "hello")]
    assert told.kinds == []


# -- errors of ours --------------------------------------------------------------------------------------------------


def boom(*_):
    raise ZeroDivisionError("ours")


class Awkward:
    """A value whose every answer is an error."""

    def __str__(self):
        raise ZeroDivisionError

    __repr__ = __str__


@pytest.mark.parametrize(
    "part", ["before", "after", "failed", "timed_out", "message", "skip_when", "key", "run", "carrier"]
)
def test_error_in_a_declared_function_is_counted_and_harms_nobody(shapes, part):
    """Whichever function of a point raises: the call goes on, its step begins and ends, and the error is counted."""
    broken = point("plain", **{part: boom}, **({"ends_at": ("answer",)} if part == "key" else {}))
    faults = guard.counts.total()
    with recording(watching(broken, "answer"), strict=False) as told:
        assert shapes.plain(1) == 1
        with pytest.raises(LookupError):
            shapes.plain("fail")
    assert [step.status for step in told.of("shapes.plain")] == ["completed", "failed"]
    assert guard.counts.total() > faults
    assert told.open == []


@pytest.mark.parametrize("said", ["text", 7, [1], {"size": Awkward()}, {7: 1}, {"size": {Awkward(): 1}}])
@pytest.mark.parametrize("part", ["before", "after", "failed"])
def test_nonsense_from_a_describe_function_harms_nobody(shapes, part, said):
    """A describe function that returns what it must not still leaves a step with a begin and an end."""
    with recording(watching(point("plain", **{part: lambda *_: said})), strict=False) as told:
        assert shapes.plain(1) == 1
        with pytest.raises(LookupError):
            shapes.plain("fail")
    assert [step.status for step in told.steps] == ["completed", "failed"]


def test_message_that_raises_does_not_give_the_text_away(shapes):
    """When ``message`` raises, the error is recorded without a text: never with the one it was to hide."""
    with recording(watching(point("raises", message=boom)), strict=False) as told, pytest.raises(LookupError):
        shapes.raises(LookupError("select secret"))
    error = told.only("shapes.raises").error
    assert (error.type, error.message) == ("LookupError", None)


def test_carrier_that_returns_nonsense_changes_nothing(shapes):
    """A carrier that returns no call leaves the arguments as they were."""
    with recording(watching(point("send", carrier=lambda _call: {"headers": 1})), strict=False) as told:
        assert shapes.send({"a": 1}) == {"a": 1}
    assert told.kinds == ["shapes.send"]


def test_event_with_a_status_that_is_none_harms_nobody(shapes):
    """An instant with a status that does not exist is an error of the plugin: counted, and never the application's."""
    outcome = Outcome(events=(StepEvent("shapes.note", status="splendid"),))
    with recording(watching(point("plain", after=lambda *_: outcome)), strict=False) as told:
        assert shapes.plain(1) == 1
    assert told.kinds == ["shapes.plain"]


# -- runs and carriers -----------------------------------------------------------------------------------------------


def test_run_point_begins_and_ends_a_run(shapes):
    """A run point's step and everything under it belong to the run; afterwards the context is what it was."""
    served = point("serve", run=lambda _call: RunRequest("GET /", "run-7"))
    with recording(watching(served, "plain")) as told:
        before = current.get()
        shapes.serve(lambda: shapes.plain(1))
        assert current.get() is before
        shapes.plain(2)
    (run,) = told.ended_runs
    assert (run.run_id, run.name, run.outcome) == ("run-7", "GET /", "completed")
    assert [step.run.run_id == "run-7" for step in told.steps] == [True, True, False]


def test_run_point_that_fails_ends_its_run_and_leaves_the_context(shapes):
    """A run whose call raises ends as failed with that error, and is not current afterwards."""
    served = point("raises", run=lambda _call: RunRequest("GET /"))
    with recording(watching(served)) as told:
        with pytest.raises(LookupError):
            shapes.raises(LookupError("x"))
        assert current.get() is None
    (run,) = told.ended_runs
    assert (run.outcome, run.end_error.type) == ("failed", "LookupError")


def test_carrier_may_hand_on_new_arguments(shapes):
    """Only a carrier point changes what a call gets; the caller's own mapping stays as it is."""

    def carry(call):
        call.args = ({**call.args[0], "run": current.get().run.run_id},)
        return call

    mine = {"a": "1"}
    with recording(watching(point("send", carrier=carry))) as told:
        sent = shapes.send(mine)
    assert sent == {"a": "1", "run": told.only("shapes.send").run.run_id}
    assert mine == {"a": "1"}


def test_carriers_can_be_switched_off(shapes):
    """With the setting off, a carrier point passes on what it got."""
    with recording(watching(point("send", carrier=boom)), carriers=False) as told:
        mine = {"a": "1"}
        assert shapes.send(mine) is mine
    assert told.kinds == ["shapes.send"]


def test_an_optional_row_of_a_module_that_nobody_imported_leaves_its_kind_wrapped(shapes):
    """Nothing of it can be called; a kind that has no other row is not imported."""
    elsewhere = {"module": "codeintel_nowhere", "optional": True}
    table = (
        point("plain"),
        Point(name="plain", kind="shapes.plain", **elsewhere),
        Point(name="other", kind="shapes.other", **elsewhere),
    )
    made = watching(*table)()
    made.instrument()
    try:
        assert made.kinds() == {"shapes.plain": "wrapped", "shapes.other": "not imported"}
    finally:
        made.uninstrument()


@pytest.mark.parametrize(("carriers", "expected"), [(True, {"a": "1", "kind": "shapes.nested"}), (False, {"a": "1"})])
def test_a_row_that_only_looks_may_carry_too(shapes, carriers, expected):
    """It knows the step around it, and records nothing of its own; the carriers' switch is its off switch."""

    def carry(call):
        kind = call.step.kind if call.step is not None else None
        return Call(call.name, call.instance, ({**call.args[0], "kind": kind},), call.kwargs)

    with recording(watching(point("send", kind=None, carrier=carry)), carriers=carriers) as told, step("shapes.nested"):
        assert shapes.send({"a": "1"}) == expected
    assert told.kinds == ["shapes.nested"]


class Deadline(Exception):  # noqa: N818 - what an application would call it
    """What the application's own signal handler raises."""


def expire(*_):
    raise Deadline


@pytest.mark.parametrize("part", ["before", "carrier", "run", "after"])
def test_deadline_that_lands_in_our_code_leaves_the_context(shapes, part):
    """The application's deadline comes out of the call; no step or run of it stays current or open afterwards."""
    import signal

    interrupted = point("plain", **{part: lambda *_: signal.raise_signal(signal.SIGALRM)})
    handler = signal.signal(signal.SIGALRM, expire)
    try:
        with recording(watching(interrupted), strict=False) as told:
            with pytest.raises(Deadline):
                shapes.plain(1)
            assert current.get() is None
            assert [run for run in told.runs if run.open and part != "after"] == []
    finally:
        signal.signal(signal.SIGALRM, handler)


def test_deadline_between_our_begin_and_its_wrapper_leaves_the_context(shapes):
    """An exception that lands when a step has begun, and before its wrapper knows of it, leaves nothing current."""
    begun = []

    def interrupt(frame, event, _arg):
        if frame.f_code.co_name == "begin" and frame.f_globals["__name__"] == "codeintel_obs.calls":
            if event == "return":
                begun.append(current.get())
                raise KeyboardInterrupt
            return interrupt
        return None

    with recording(watching("plain")) as told:
        sys.settrace(interrupt)
        try:
            with pytest.raises(KeyboardInterrupt):
                shapes.plain(1)
        finally:
            sys.settrace(None)
        assert (len(begun), begun[0].kind, current.get()) == (1, "shapes.plain", None)
    assert (told.begun, [run.open for run in told.runs if run.open]) == ([], [])


@pytest.mark.parametrize("declared", [{}, {"run": lambda _call: RunRequest("GET /")}])
def test_recorder_that_fails_leaves_the_context(shapes, declared):
    """Where a step cannot begin, the call goes on unrecorded and nothing of it stays current."""
    with recording(watching(point("plain", **declared)), strict=False) as told:
        recorder.active.spans.start = boom
        assert shapes.plain(1) == 1
        assert current.get() is None
    assert (told.begun, [run.open for run in told.runs if run.open]) == ([], [])


# -- calls whose end is elsewhere ------------------------------------------------------------------------------------


def process_points(end="Process.wait", **more):
    key = lambda call, result: result if result is not None else call.instance  # noqa: E731
    return (
        point("start", ends_at=(end,), key=key),
        point(end, kind=None, key=key, **more),
    )


def test_deferred_step_ends_at_the_other_call(shapes):
    """A step whose end is another call ends there, described by that call, and is not current in between."""
    with recording(watching(*process_points(after=lambda _call, code: {"code": code}))) as told:
        process = shapes.start(3)
        assert (told.steps, current.get()) == ([], None)
        assert process.wait() == 3
        assert process.wait() == 3
    step = told.only("shapes.start")
    assert (step.status, told.payload(step)) == ("completed", {"code": 3})


def test_deferred_step_fails_where_its_end_raises(shapes):
    """An end that raises fails the step that waits for it, with that exception."""
    with recording(watching(*process_points())) as told, pytest.raises(OSError, match="killed"):
        shapes.start(-9).wait()
    step = told.only("shapes.start")
    assert (step.status, step.error.type) == ("failed", "OSError")


async def test_deferred_step_ends_at_a_coroutine(shapes):
    """The call that ends a step may be a coroutine: it ends when that has returned."""
    with recording(watching(*process_points("Process.wait_async"))) as told:
        process = shapes.start(3)
        waiting = process.wait_async()
        assert told.steps == []
        assert await waiting == 3
    assert told.only("shapes.start").status == "completed"


def test_deferred_step_stays_in_flight_when_its_object_is_collected(shapes):
    """An object that goes away without an end leaves its step in flight: nobody writes an end that nobody saw."""
    with recording(watching(*process_points())) as told:
        process = shapes.start()
        gone = weakref.ref(process)
        del process
        gc.collect()
        assert gone() is None
        assert [step.kind for step in told.open] == ["shapes.start"]


def test_deferred_step_does_not_keep_its_call_alive(shapes):
    """While a step waits for its end, the arguments of its call are not held."""
    key = lambda call, result: result if result is not None else call.instance  # noqa: E731
    waiting = point("Base.made", ends_at=("Base.more",), key=key)
    argument = shapes.Answer()
    gone = weakref.ref(argument)
    with recording(watching(waiting, point("Base.more", kind=None, key=key))):
        made = shapes.Base.made(argument)
        made.value = argument = None
        assert gone() is None


def test_key_that_cannot_be_held_weakly_ends_at_return(shapes):
    """An object that takes no weak reference cannot tie an end to its begin: the step ends at return."""
    key = lambda call, result: result if result is not None else call.instance  # noqa: E731
    points = (
        point("start_slotted", ends_at=("Slotted.wait",), key=key),
        point("Slotted.wait", kind=None, key=key),
    )
    with recording(watching(*points)) as told:
        shapes.start_slotted()
        assert told.kinds == ["shapes.start_slotted"]


def test_skipped_call_still_ends_the_step_that_waits_for_it(shapes):
    """A call that is itself no step, by ``skip_when``, ends the step that waits for it."""
    with recording(watching(*process_points(skip_when=lambda _call: "always"))) as told:
        shapes.start().wait()
    assert told.kinds == ["shapes.start"]


# -- the library's view ----------------------------------------------------------------------------------------------


def test_library_sees_the_callers_locals(shapes):
    """A library that looks a name up in the calling frame finds the caller's."""
    treasure = object()
    with recording(watching("caller_locals")):
        assert shapes.caller_locals("treasure") is treasure


def test_a_point_may_go_without_the_callers_frame(shapes):
    """``frame_transparent=False`` calls the original from the wrapper: the library then sees that frame's locals."""
    shown = point("caller_locals", frame_transparent=False)
    with recording(watching(shown)), pytest.raises(KeyError):
        shapes.caller_locals("treasure")


def test_a_call_that_nobody_records_meets_no_frame_of_ours(shapes):
    """While recording is suppressed, and when no recorder is installed, the library is called by its caller."""
    frames = lambda: shapes.callers(3)  # noqa: E731 - two lines would be two frames to tell apart
    unwatched = frames()
    with recording(watching("callers")) as told:
        with suppress():
            assert frames() == unwatched
        recorded = frames()
        active, recorder.active = recorder.active, None
        assert frames() == unwatched
        recorder.active = active
    assert (told.kinds, len(recorded)) == (["shapes.callers"], 3)


def test_warning_is_located_at_the_caller(shapes):
    """A warning with ``stacklevel=2`` names the file and line of the caller, watched or not."""
    places = []
    for watched in (contextlib.nullcontext(), recording(watching("warn"))):
        with watched, pytest.warns(DeprecationWarning) as caught:
            shapes.warn()
        places.append([(Path(each.filename).name, each.lineno) for each in caught])
    assert places[0] == places[1]
    assert places[0][0][0] == "test_wrapping.py"


def test_decorated_generator_function_is_called_as_it_is(shapes):
    """What a callable *is* decides its wrapper, not what it wraps: a context manager stays one."""
    with recording(watching("opened_file")) as told, shapes.opened_file("a") as opened:
        assert opened == "A"
    assert told.kinds == ["shapes.opened_file"]


def test_function_around_a_coroutine_function_is_called_as_it_is(shapes):
    """A synchronous function that wraps a coroutine function returns its value, not a coroutine."""
    with recording(watching("fetch_now")) as told:
        assert shapes.fetch_now(5) == 5
    assert told.kinds == ["shapes.fetch_now"]
