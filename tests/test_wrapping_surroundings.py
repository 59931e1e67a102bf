"""What a row may declare of a call's surroundings: rows by arguments, callables handed on, runs, errors that are answered."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from opentelemetry import baggage
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context

from codeintel_obs import FieldClass, LibraryInstrumentor, Outcome, Point, Status, StepEvent
from codeintel_obs.context import suppress
from codeintel_obs.incoming import asked_place, carrier_in, is_trusted, sound
from codeintel_obs.recorder import Listeners
from codeintel_obs.steps import Link, RunRequest
from codeintel_obs.testing import recording

LIBRARY = "codeintel_desk"
FIELDS = {"status": FieldClass.CODE, "name": FieldClass.NAME}


@pytest.fixture(autouse=True)
def desk(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "libraries"))
    import codeintel_desk

    return codeintel_desk


def point(name, kind=None, **declared):
    return Point(module=LIBRARY, name=name, kind=kind, **declared)


def watching(*points, plugin="desk", fields=FIELDS):
    body = {"plugin": plugin, "library": LIBRARY, "points": points, "fields": fields}
    return type("DeskInstrumentor", (LibraryInstrumentor,), body)


async def work(request):
    if "raise" in request:
        raise request["raise"]
    return {"status": request.get("status", 200)}


def ended(_call, result):
    return Outcome(result, Status.FAILED if result["status"] >= 500 else Status.COMPLETED)


SERVES = point("Desk.serve", "desk.serve", after=ended)


# -- callables that are handed on --------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_name", [False, True])
async def test_a_callable_argument_is_watched_from_there_on(desk, by_name):
    """The library gets one that is watched in the place of the application's, by position or by name."""
    hires = point("Desk.__init__", hands_on=(("0:worker", "worker"),))
    with recording(watching(hires, point("worker", "desk.work", handed_on=True))) as told:
        made = desk.Desk(worker=work) if by_name else desk.Desk(work)
        assert await made.serve({}) == {"status": 200}
    assert told.kinds == ["desk.work"]


async def test_an_attribute_is_watched_after_the_call(desk):
    """What the library keeps in an attribute is exchanged once the call has returned; what is no callable stays."""
    hires = point("Desk.__init__", hands_on=((".night_worker", "worker"), (".missing", "worker")))
    with recording(watching(hires, point("worker", "desk.work", handed_on=True))) as told:
        made = desk.Desk(work)
        await made.night_worker({})
        await made.worker({})
    assert told.kinds == ["desk.work"]
    with recording(watching(hires, point("worker", "desk.work", handed_on=True))):
        assert desk.Desk(None).night_worker is None


async def test_a_callable_that_was_handed_on_is_itself_again_without_a_plugin(desk):
    """Uninstrumented, what the library holds of ours calls the application's at once."""
    hires = point("Desk.__init__", hands_on=(("0:worker", "worker"),))
    with recording(watching(hires, point("worker", "desk.work", handed_on=True))):
        made = desk.Desk(work)
    with recording() as told:
        await made.serve({})
    assert told.steps == []


# -- which row describes a call ----------------------------------------------------------------------------------------

BY_DAY = point("by day", "desk.day", handed_on=True)
BY_NIGHT = point("by night", "desk.night", handed_on=True)
CHOOSES = point("Desk.serve", stands_for=lambda call: call.args[0].get("when"))


@pytest.mark.parametrize(
    ("when", "kinds"), [("by day", ["desk.day"]), ("by night", ["desk.night"]), ("never", []), (None, [])]
)
async def test_the_arguments_choose_the_row(desk, when, kinds):
    """A row may stand for others; for none of them nothing is recorded, and the call is the same."""
    with recording(watching(CHOOSES, BY_DAY, BY_NIGHT)) as told:
        assert await desk.Desk(work).serve({"when": when}) == {"status": 200}
    assert told.kinds == kinds


async def test_nothing_is_chosen_while_suppressed(desk):
    """Our own use of a library is not recorded through such a row either."""
    with recording(watching(CHOOSES, BY_DAY, BY_NIGHT)) as told, suppress():
        await desk.Desk(work).serve({"when": "by day"})
    assert told.begun == []


async def test_what_is_about_the_same_is_one_step_at_any_depth(desk):
    """A call inside a step of its kind, with another between them, is part of it only when it is about the same."""
    serves = point("Desk.serve", "desk.serve", same=lambda call: call.args[0]["about"])
    with recording(watching(serves, point("Desk.open", "desk.open"))) as told:
        inner = desk.Desk(work)
        about = object()
        await desk.Desk(inner.open).serve({"about": about})
        first = list(told.kinds)

        async def again(_request):
            return await inner.open({"about": object()})

        await desk.Desk(again).serve({"about": about})
    assert first == ["desk.open", "desk.serve"]
    assert told.kinds[2:] == ["desk.serve", "desk.open", "desk.serve"]


# -- errors that a framework answers -----------------------------------------------------------------------------------

ANSWERS = point("answered", handled_error=lambda call, exc: call.args[1] if exc is None else None)
LEAVES = point("worker", handed_on=True, handled_error=lambda _call, exc: exc)
HIRES = point("Desk.__init__", hands_on=(("0:worker", "worker"),))


@pytest.mark.parametrize("table", [(SERVES, ANSWERS), (SERVES, HIRES, LEAVES)], ids=["handed over", "left a call"])
@pytest.mark.parametrize(("answer", "status"), [(500, "failed"), (404, "completed")])
async def test_an_answered_exception_is_the_error_of_a_failed_step(desk, table, answer, status):
    """A step that ends as failed failed with the very exception; one that is completed has none, and holds none."""
    raised = LookupError("no such book")
    with recording(watching(*table)) as told:
        await desk.Desk(work).serve({"raise": raised, "answer": answer})
    step = told.only("desk.serve")
    assert str(step.status) == status
    assert (step.error is not None and step.error.message == "no such book") is (status == "failed")
    assert step.handled is None


async def test_a_wrapping_does_not_take_the_place_of_what_it_wraps(desk):
    """A framework that raises its own error from the first is told with the first."""
    first = ValueError("the cause")

    async def wraps(request):
        try:
            await inner(request)
        except ValueError as exc:
            raise LookupError("wrapped") from exc

    async def inner(_request):
        raise first

    with recording(watching(SERVES, HIRES, LEAVES)) as told:
        made = desk.Desk(wraps)
        inner = desk.Desk(inner).worker
        await made.serve({})
    assert told.only("desk.serve").error.message == "the cause"


async def test_an_answered_time_out_is_a_time_out(desk):
    """The framework's answer changes nothing about what the exception is."""

    class SlowError(TimeoutError, LookupError):
        pass

    with recording(watching(SERVES, ANSWERS)) as told:
        await desk.Desk(work).serve({"raise": SlowError()})
    assert told.only("desk.serve").status is Status.TIMED_OUT


async def test_a_result_that_says_it_timed_out_has_the_answered_exception(desk):
    """The library's word decides; the exception that was handed over is still the step's error."""
    raised = LookupError("no such book")
    late = point("Desk.serve", "desk.serve", after=lambda _call, _result: Outcome({}, Status.TIMED_OUT))
    with recording(watching(late, ANSWERS)) as told:
        await desk.Desk(work).serve({"raise": raised})
    step = told.only("desk.serve")
    assert (step.status, step.error.message) == (Status.TIMED_OUT, "no such book")


async def test_an_exception_that_nobody_answers_is_the_steps_own(desk):
    """What leaves the step is its error, and not what was handed over before."""

    async def raises(request):
        await desk.answered(request, LookupError("answered before"))
        raise OSError("left")

    with recording(watching(SERVES, ANSWERS)) as told, pytest.raises(OSError, match="left"):
        await desk.Desk(raises).serve({})
    assert told.only("desk.serve").error.message == "left"


# -- runs of calls that are no steps -----------------------------------------------------------------------------------


def asks(name="door", **more):
    return point("Desk.open", run=lambda call: RunRequest(name, **more) if call.step is None else None)


async def test_such_a_run_begins_with_its_first_record(desk):
    """It has the name that was asked for, hangs from the process run, and ends as its first step did."""
    with recording(watching(asks(run_id="mine"), SERVES)) as told:
        await desk.Desk(work).open({"status": 503})
    (run,) = told.ended_runs
    assert (run.run_id, run.name, run.outcome) == ("mine", "door", "failed")
    assert told.only("desk.serve").run is run
    assert run.parent_run_id


async def test_a_run_without_a_record_never_begins(desk):
    """Nothing recorded, nothing begun; nothing of it stays current."""
    with recording(watching(asks())) as told:
        await desk.Desk(work).open({})
        await desk.Desk(work).open({})
    assert (told.runs, told.ended_runs) == ([], [])


async def test_such_a_run_fails_with_what_leaves_the_call(desk):
    """An exception on its way out ends the run."""
    with recording(watching(asks(), SERVES)) as told, pytest.raises(OSError, match="gone"):
        await desk.Desk(work).open({"raise": OSError("gone")})
    (run,) = told.ended_runs
    assert (run.outcome, run.end_error.message) == ("failed", "gone")


@pytest.mark.parametrize(("level", "name"), [("none", "desk.serve"), ("messages", "the name of a customer")])
async def test_a_runs_name_is_kept_as_a_name_is(desk, level, name):
    """At `none` a run is called after its step."""
    serves = point("Desk.serve", "desk.serve", run=lambda _call: RunRequest("the name of a customer"))
    with recording(watching(serves), content=level) as told:
        await desk.Desk(work).serve({})
    assert told.ended_runs[0].name == name


# -- results, instants, flushes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("carriers", "expected"), [(True, {"status": 200, "ours": 1}), (False, {"status": 200})])
async def test_a_result_may_be_a_new_mapping_with_our_keys(desk, carriers, expected):
    """Only such a row exchanges a result, and the carriers' switch is its off switch."""
    serves = point("Desk.serve", "desk.serve", returns=lambda _call, result: {**result, "ours": 1})
    with recording(watching(serves), carriers=carriers):
        assert await desk.Desk(work).serve({}) == expected


async def test_a_begin_may_tell_instants_and_links(desk):
    """They stand under the step, after its begin; the link is in its begin."""
    place = Link("other", "0" * 31 + "1", "0" * 15 + "1")
    said = Outcome({"name": "x"}, events=(StepEvent("desk.hello"),), links=(place,))
    serves = point("Desk.serve", "desk.serve", before=lambda _call: said)
    with recording(watching(serves)) as told:
        await desk.Desk(work).serve({})
    hello, step = told.steps
    assert (hello.kind, hello.parent, step.links) == ("desk.hello", step, (place,))
    assert told.payload(step) == {"name": "x"}
    assert hello.mono_ns >= step.mono_ns


@pytest.mark.parametrize("inside", [True, False], ids=["inside a step", "at the top"])
async def test_a_row_without_a_kind_may_tell_instants(desk, inside):
    """They stand under the step around the call, with the error that they cite; of the call itself nothing is told."""

    def after(call, _result):
        return Outcome(events=(StepEvent("desk.answered", payload={"status": 500}, error=call.args[1]),))

    with recording(watching(SERVES, point("answered", after=after))) as told:
        if inside:
            await desk.Desk(work).serve({"raise": LookupError("no such book")})
        else:
            await desk.answered({}, LookupError("no such book"))
        with suppress():
            await desk.answered({}, LookupError("our own"))
    instant = told.only("desk.answered")
    assert (told.payload(instant), instant.error.message) == ({"status": 500}, "no such book")
    assert instant.parent is (told.only("desk.serve") if inside else None)


async def test_a_failure_may_tell_instants_with_its_error(desk):
    """The instant carries the step's error, with the message that the row lets through."""

    def failed(_call, exc):
        return Outcome({"status": 1}, events=(StepEvent("desk.oops", Status.FAILED, error=exc),))

    serves = point("Desk.serve", "desk.serve", failed=failed, message=lambda _exc: "hidden")
    with recording(watching(serves)) as told, pytest.raises(OSError, match="secret"):
        await desk.Desk(work).serve({"raise": OSError("secret")})
    oops, step = told.steps
    assert oops.error.id == step.error.id
    assert oops.error.message == step.error.message == "hidden"
    assert told.payload(step) == {"status": 1}


@pytest.mark.parametrize(("name", "kind"), [("closing", None), ("closing", "desk.close"), ("failing", "desk.close")])
async def test_every_sink_is_flushed_when_the_call_has_ended(desk, name, kind):
    """After the step's end was told, also where the call failed: nothing may come after it."""
    heard = []
    listeners = Listeners(step_ended=(lambda step: heard.append(step.kind),), flush=(heard.append,))
    with recording(watching(point(name, kind, flushes=True)), listeners=[listeners]):
        try:
            await getattr(desk, name)()
        except OSError:
            assert name == "failing"
    assert heard == [*([kind] if kind else []), 5.0]


# -- what comes from outside -------------------------------------------------------------------------------------------


def test_a_carrier_is_read_from_baggage():
    """Ours among the sender's other entries, decoded; properties are no part of it, and none means nothing to join."""
    header = "tenant=acme, codeintel.run = a%20b ;p=1,codeintel.day=2026-11-22,broken"
    assert carrier_in(header) == {"run": "a b", "day": "2026-11-22"}
    assert carrier_in("tenant=acme") is carrier_in(None) is carrier_in("") is None


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("friend", True),
        ("localhost.evil.example", False),
        ("", False),
        (None, False),
    ],
)
def test_who_may_join_a_run(peer, trusted):
    """This machine, and who is named; a name that only looks like this machine is a name."""
    assert is_trusted(peer, ("friend",)) is trusted


def test_a_place_that_was_asked_for_is_a_link():
    """With what is known of it; a hostile id as it would be stored, a malformed place not at all."""
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert asked_place("mine", parent) == (Link("mine", "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"),)
    assert asked_place(None, "nonsense") == ()
    ((link),) = asked_place("../x", None)
    assert link.run_id.startswith("x-")


ALPHABET = "ab=;, \t\"\\%é\x00\x7f#()[]{}:/?@<>-_.~'"


def test_nobody_writes_into_the_applications_log_by_baggage(caplog):
    """What OpenTelemetry would leave out with a warning that repeats it never comes to it; the rest means the same."""
    dice = random.Random(11)
    made = ["".join(dice.choices(ALPHABET, k=dice.randint(1, 40))) for _ in range(1500)]
    made += [f"a={''.join(dice.choices(ALPHABET, k=dice.randint(1, 6)))},b=1" for _ in range(500)]
    made += ["a=" + "x" * 5000, "a=1," * 300, "x=1," * 4000, "a=1;p=2;q", "a = 1 ; p = 2 ;q", "tenant=acme,,user=me"]
    read = W3CBaggagePropagator().extract
    kept = 0
    for header in made:
        caplog.clear()
        after = dict(baggage.get_all(read({"baggage": sound(header)}, Context())))
        assert caplog.records == []
        kept += after == dict(baggage.get_all(read({"baggage": header}, Context()))) != {}
        assert set(after.items()) <= set(baggage.get_all(read({"baggage": header}, Context())).items())
    assert kept > 100
