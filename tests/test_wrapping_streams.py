"""Coroutines, generators and async generators: each is delegated by one of its sort, and its step tells its own end."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import inspect
import sys
import types
import warnings
from pathlib import Path

import pytest

from codeintel_obs import FieldClass, LibraryInstrumentor, Point
from codeintel_obs.context import current
from codeintel_obs.steps import RunRequest
from codeintel_obs.testing import recording

LIBRARY = "codeintel_shapes"


@pytest.fixture(autouse=True)
def shapes(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "libraries"))
    import codeintel_shapes

    return codeintel_shapes


def point(name, **more):
    return Point(module=LIBRARY, name=name, kind=more.pop("kind", f"shapes.{name.split('.')[-1]}"), **more)


def watching(*points):
    table = tuple(each if isinstance(each, Point) else point(each) for each in points)
    body = {"plugin": "shapes", "library": LIBRARY, "points": table, "fields": {"size": FieldClass.COUNT}}
    return type("ShapesInstrumentor", (LibraryInstrumentor,), body)


def ended(told, kind):
    step = told.only(kind)
    return str(step.status), step.detail, told.payload(step).get("items")


# -- coroutines ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fetch", "later"])
async def test_coroutine_stays_one_and_is_one_step(shapes, name):
    """A coroutine function's coroutine, and one that a function returns, is awaited as one step with its result."""
    held = shapes.Answer()
    with recording(watching(name)) as told:
        pending = getattr(shapes, name)(held)
        assert inspect.iscoroutine(pending)
        assert pending.__name__ == "fetch"
        assert await pending is held
    assert ended(told, f"shapes.{name}") == ("completed", None, None)


async def test_coroutine_that_raises(shapes):
    """A coroutine raises the library's own exception object."""
    raised = LookupError("gone")
    with recording(watching("fetch")) as told, pytest.raises(LookupError) as caught:
        await shapes.fetch(raised)
    assert caught.value is raised
    assert told.only("shapes.fetch").error.type == "LookupError"


async def test_coroutine_step_begins_when_it_runs(shapes):
    """A coroutine that nobody awaits yet has not begun."""
    with recording(watching("fetch")) as told:
        pending = shapes.fetch(1)
        assert told.begun == []
        await pending
        assert told.kinds == ["shapes.fetch"]


@pytest.mark.parametrize("name", ["fetch", "later"])
def test_coroutine_never_awaited_warns_once_by_its_own_name(shapes, name):
    """A dropped coroutine gives the one warning that it gives unwatched."""
    with recording(watching(name)), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        getattr(shapes, name)(1)
        gc.collect()
    assert [str(each.message) for each in caught] == ["coroutine 'fetch' was never awaited"]


def test_call_whose_coroutine_is_never_awaited_ends(shapes):
    """A function that returned a coroutine which is closed unawaited has ended, and says so."""
    with recording(watching("later")) as told:
        shapes.later(1).close()
    assert ended(told, "shapes.later") == ("completed", "never awaited", 0)


async def test_cancelled_coroutine_is_failed_as_cancelled(shapes):
    """A cancelled call is failed with the detail that says so, and the task is cancelled all the same."""
    with recording(watching("fetch")) as told:
        task = asyncio.ensure_future(shapes.fetch(1))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert ended(told, "shapes.fetch") == ("failed", "cancelled", None)


async def test_tasks_side_by_side_keep_their_own_steps(shapes):
    """Two tasks that interleave do not become each other's parents."""
    with recording(watching("fetch")) as told:
        await asyncio.gather(*(shapes.fetch(number) for number in range(8)))
        assert current.get() is None
    assert [step.parent_span_id for step in told.steps] == [None] * 8


async def test_coroutine_whose_result_is_a_stream_ends_with_the_stream(shapes):
    """A coroutine that hands out an async generator is one step that ends when that is exhausted."""
    with recording(watching("opened")) as told:
        stream = await shapes.opened(3)
        assert told.steps == []
        assert [item async for item in stream] == [0, 1, 2]
    assert ended(told, "shapes.opened") == ("completed", None, 3)


async def test_run_point_may_be_a_coroutine(shapes):
    """A run begun by a coroutine ends with it; the task's context is what it was."""
    served = point("serve_async", run=lambda _call: RunRequest("GET /", "run-9"))
    with recording(watching(served, "fetch")) as told:
        assert await shapes.serve_async(lambda: shapes.fetch(1)) == 1
        assert current.get() is None
    assert [(run.run_id, run.outcome) for run in told.ended_runs] == [("run-9", "completed")]
    assert {step.run.run_id for step in told.steps} == {"run-9"}


async def test_carrier_point_may_be_a_coroutine(shapes):
    """A carrier changes what a coroutine function gets, as it does for a function."""

    def carry(call):
        call.args = ({**call.args[0], "run": current.get().run.run_id},)
        return call

    with recording(watching(point("send_async", carrier=carry))) as told:
        sent = await shapes.send_async({"a": "1"})
    assert sent == {"a": "1", "run": told.only("shapes.send_async").run.run_id}


# -- generators ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["count", "counting"])
def test_generator_stays_one_and_counts_its_items(shapes, name):
    """A generator function's generator, and one that a function returns, is one step with the number of its items."""
    with recording(watching(name)) as told:
        numbers = getattr(shapes, name)(3)
        assert inspect.isgenerator(numbers)
        assert numbers.__name__ == "count"
        assert list(numbers) == [0, 1, 2]
    assert ended(told, f"shapes.{name}") == ("completed", None, 3)


def test_generators_return_value_stays(shapes):
    """What a generator returns reaches ``yield from``."""

    def consumer():
        return (yield from shapes.count(2))

    with recording(watching("count")), pytest.raises(StopIteration) as stopped:
        running = consumer()
        while True:
            next(running)
    assert stopped.value.value == 2


def test_generator_takes_what_is_sent_and_thrown(shapes):
    """``send`` and ``throw`` reach the library's generator, and its answers come back."""
    with recording(watching("echo")) as told:
        echo = shapes.echo()
        assert next(echo) is None
        assert echo.send("a") == "a"
        assert echo.throw(KeyError("k")) == "caught"
        with pytest.raises(StopIteration) as stopped:
            echo.send("stop")
    assert stopped.value.value == "stopped"
    assert ended(told, "shapes.echo") == ("completed", None, 3)


def test_exception_thrown_into_a_generator_comes_out_as_itself(shapes):
    """An exception that the library's generator does not catch comes out: the very object, and the step failed."""
    thrown = LookupError("in")
    with recording(watching("echo")) as told:
        echo = shapes.echo()
        next(echo)
        with pytest.raises(LookupError) as caught:
            echo.throw(thrown)
    assert caught.value is thrown
    assert ended(told, "shapes.echo") == ("failed", None, 1)


def test_generator_that_raises(shapes):
    """A generator that fails says after how many items."""
    with recording(watching("count")) as told, pytest.raises(LookupError):
        list(shapes.count(3, fail_at=2))
    assert ended(told, "shapes.count") == ("failed", None, 2)


@pytest.mark.parametrize("name", ["count", "counting"])
@pytest.mark.parametrize("drop", [lambda numbers: numbers.close(), lambda _numbers: None])
def test_generator_closed_early_is_completed(shapes, name, drop):
    """A generator that is closed, or dropped, ends as completed, and says that its consumer closed it."""
    with recording(watching(name)) as told:
        numbers = getattr(shapes, name)(9)
        next(numbers)
        drop(numbers)
        del numbers
        gc.collect()
    assert ended(told, f"shapes.{name}") == ("completed", "closed by consumer", 1)


def test_generator_never_started(shapes):
    """A generator function's step begins with its first item; one that a call returned ended unread."""
    with recording(watching("count", "counting")) as told:
        shapes.count(3)
        shapes.counting(3)
        gc.collect()
    assert told.kinds == ["shapes.counting"]
    assert ended(told, "shapes.counting") == ("completed", "closed by consumer", 0)


def test_generator_that_ignores_its_close(shapes):
    """A generator that yields on being closed raises what it raises unwatched, and can still be thrown at."""
    with recording(watching("stubborn")):
        stubborn = shapes.stubborn()
        next(stubborn)
        assert stubborn.throw(GeneratorExit()) == 2
        stubborn = shapes.stubborn()
        next(stubborn)
        with pytest.raises(RuntimeError, match="generator ignored GeneratorExit"):
            stubborn.close()


def test_value_of_a_close_stays(shapes):
    """What `close` returns (Python 3.13) and what a thrown GeneratorExit brings out is what it is unwatched."""

    def outcomes():
        first, second = shapes.closing(), shapes.closing()
        next(first), next(second)
        closed = first.close()
        with pytest.raises(StopIteration) as stopped:
            second.throw(GeneratorExit())
        return closed, stopped.value.value

    bare = outcomes()
    with recording(watching("closing")) as told:
        assert outcomes() == bare
    assert [step.detail for step in told.steps] == ["closed by consumer"] * 2


def test_consumer_does_not_run_under_the_generators_step(shapes):
    """Between two items the consumer's own steps hang from the consumer, not from the generator."""
    with recording(watching("count", "plain")) as told:
        for number in shapes.count(2):
            shapes.plain(number)
            assert current.get() is None
    assert [step.parent_span_id for step in told.of("shapes.plain")] == [None, None]


def test_run_of_a_stream_is_not_its_consumers(shapes):
    """A run begun by a generator holds its own steps; what its consumer does in between belongs to the consumer."""
    served = point("serve_stream", run=lambda _call: RunRequest("GET /", "run-8"))
    with recording(watching(served, "plain", "count")) as told:
        for number in shapes.serve_stream(shapes.count(2)):
            shapes.plain(number)
        assert current.get() is None
    assert [step.run.run_id == "run-8" for step in told.of("shapes.plain")] == [False, False]
    assert told.only("shapes.count").run.run_id == "run-8"


def test_generator_iterated_in_another_context(shapes):
    """A generator that is taken up in another context, as a web framework does, leaves none of its steps behind."""
    with recording(watching("count")) as told:
        numbers = shapes.count(3)
        for _ in range(3):
            contextvars.copy_context().run(next, numbers)
        assert (next(numbers, None), current.get()) == (None, None)
    assert ended(told, "shapes.count") == ("completed", None, 3)


def test_frame_of_a_failed_generator_is_freed_at_once(shapes):
    """A generator that was thrown at leaves no reference cycle behind: what it held goes when its user lets go."""
    gc.collect()
    gc.disable()
    try:
        with recording(watching("echo")):
            echo = shapes.echo()
            next(echo)
            with pytest.raises(LookupError):
                echo.throw(LookupError("in"))
            del echo
        assert not [each for each in gc.get_objects() if type(each) is types.GeneratorType and each.__name__ == "echo"]
    finally:
        gc.enable()


# -- async generators ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["stream", "streaming"])
async def test_async_generator_stays_one_and_counts_its_items(shapes, name):
    """An async generator function's generator, and one that a function returns, is one step with its items."""
    with recording(watching(name)) as told:
        numbers = getattr(shapes, name)(3)
        assert inspect.isasyncgen(numbers)
        assert [number async for number in numbers] == [0, 1, 2]
    assert ended(told, f"shapes.{name}") == ("completed", None, 3)


async def test_async_generator_takes_what_is_sent_and_thrown(shapes):
    """``asend`` and ``athrow`` reach the library's async generator."""
    with recording(watching("async_echo")) as told:
        echo = shapes.async_echo()
        assert await anext(echo) is None
        assert await echo.asend("a") == "a"
        assert await echo.athrow(KeyError("k")) == "caught"
        with pytest.raises(StopAsyncIteration):
            await echo.asend("stop")
    assert ended(told, "shapes.async_echo") == ("completed", None, 3)


async def test_async_generator_that_raises(shapes):
    """An async generator that fails says after how many items."""
    with recording(watching("stream")) as told, pytest.raises(LookupError):
        [number async for number in shapes.stream(3, fail_at=2)]
    assert ended(told, "shapes.stream") == ("failed", None, 2)


async def test_async_generator_closed_from_another_task(shapes):
    """A stream closed by another task than the one that read it ends there; neither task's context is touched."""
    with recording(watching("stream")) as told:
        numbers = shapes.stream(9)
        await asyncio.ensure_future(anext(numbers))
        await asyncio.ensure_future(numbers.aclose())
        assert current.get() is None
    assert ended(told, "shapes.stream") == ("completed", "closed by consumer", 1)


async def test_async_consumer_does_not_run_under_the_streams_step(shapes):
    """Between two items of an async generator the consumer's steps hang from the consumer."""
    with recording(watching("stream", "plain")) as told:
        async for number in shapes.stream(2):
            shapes.plain(number)
    assert [step.parent_span_id for step in told.of("shapes.plain")] == [None, None]


def test_event_loop_closes_a_dropped_stream_once(shapes):
    """A stream left open is closed when the loop shuts down, with its awaits, and without a complaint to the loop."""
    cleaned, complaints = [], []

    async def leave_open():
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
        leave_open.streams = [shapes.slow_to_close(cleaned) for _ in range(4)]
        for each in leave_open.streams:
            await anext(each)

    with recording(watching("slow_to_close")) as told:
        asyncio.run(leave_open())
    assert (cleaned, complaints) == (["cleaned"] * 4, [])
    assert [step.detail for step in told.steps] == ["closed by consumer"] * 4


async def test_async_generator_hooks_stay(shapes):
    """The hooks of the event loop are those that it set, after a stream has begun."""
    before = sys.get_asyncgen_hooks()
    with recording(watching("stream")):
        numbers = shapes.stream(2)
        await anext(numbers)
        assert sys.get_asyncgen_hooks() == before
        await numbers.aclose()


def test_without_a_recorder_streams_only_pass_through(shapes):
    """Wrapped and not recorded, every sort of stream gives what it gives."""

    async def all_of_them():
        return [number async for number in shapes.stream(2)], await shapes.fetch(7)

    instrumentor = watching("count", "stream", "fetch")()
    instrumentor.instrument()
    try:
        assert list(shapes.count(3)) == [0, 1, 2]
        assert asyncio.run(all_of_them()) == ([0, 1], 7)
    finally:
        instrumentor.uninstrument()


@pytest.mark.parametrize("name", ["count", "stream"])
@pytest.mark.parametrize("upto", [3, 0])
async def test_a_row_may_see_each_thing_that_a_stream_gives(shapes, name, upto):
    """Right before its consumer does, and what it notes is there at the end; an empty stream shows nothing."""

    def see(call, number):
        call.notes = (call.notes or 0) + number

    def total(call, _result):
        return {"size": call.notes}

    with recording(watching(point(name, item=see, after=total))) as told:
        made = getattr(shapes, name)(upto)
        numbers = list(made) if name == "count" else [number async for number in made]
    assert numbers == list(range(upto))
    expected = {"size": 3, "items": 3} if upto else {"items": 0}
    assert told.payload(told.only(f"shapes.{name}")) == expected


def test_an_error_in_seeing_a_thing_reaches_nobody(shapes):
    """The stream goes on, and its step ends as it would have."""

    def boom(_call, _number):
        raise ZeroDivisionError("an error of ours")

    with recording(watching(point("count", item=boom)), strict=False) as told:
        assert list(shapes.count(3)) == [0, 1, 2]
    assert ended(told, "shapes.count") == ("completed", None, 3)
