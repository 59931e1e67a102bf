"""What finalizers do that the garbage collector runs: before Python 3.12 a context variable set there is a crash."""

from __future__ import annotations

import gc
import subprocess
import sys
from contextvars import ContextVar
from pathlib import Path

import pytest

from codeintel_obs import collecting, step
from codeintel_obs.collecting import apart, collector, is_here
from codeintel_obs.context import current
from codeintel_obs.testing import recording

HERE = Path(__file__).parent
HEAD = f"""
import sys; sys.path.insert(0, {str(HERE / "libraries")!r})
import gc, logging
from contextvars import ContextVar, copy_context
import codeintel_shapes as shapes
from codeintel_shapes_plugin import ShapesInstrumentor
from codeintel_obs.testing import recording

class Cyclic:
    def __init__(self, work): self.me, self.work = self, work
    def __del__(self): self.work()

class Holds:
    def __init__(self, thing): self.me, self.thing = self, thing

def started(stream):
    next(stream)
    return stream

def entered(coroutine):
    copy_context().run(coroutine.send, None)  # as a task has one of its own
    return coroutine

own = [ContextVar(f"own{{i}}", default=None) for i in range(40)]
for variable in own:
    variable.set([0])
"""
WORKS = {
    "a function": "Cyclic(lambda: shapes.plain(1))",
    "a function that raises": "Cyclic(lambda: suppressing(shapes.raises, LookupError()))",
    "the end of another's step": "Cyclic(shapes.start().wait)",
    "a log": "Cyclic(lambda: logging.getLogger('a').warning('gone'))",
    "a generator": "Holds(started(shapes.count(3)))",
    "a coroutine": "Holds(entered(shapes.later(1)))",
    "a step of one's own": "Cyclic(speak)",
}


@pytest.mark.parametrize("work", WORKS)
def test_finalizers_in_a_collection_do_not_crash_the_process(work):
    """However often collections run inside sets of the application's variables, and of ours."""
    code = f"""{HEAD}
import codeintel_obs, codeintel_obs.context
from codeintel_obs.plugins.logging.instrumentor import LoggingInstrumentor
def suppressing(function, exc):
    try: function(exc)
    except LookupError: pass
def speak():
    with codeintel_obs.step("own.work"): shapes.plain(1)
with recording(ShapesInstrumentor, LoggingInstrumentor) as told:
    gc.set_threshold(3, 2, 2)
    for number in range(2500):
        {WORKS[work]}
        own[number % 40].set([number])
        shapes.plain(number)
    gc.set_threshold(700, 10, 10)
    assert own[5].get()[0] % 40 == 5
    assert codeintel_obs.context.current.get() is None
"""
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.replace("gone\n", "")[-2000:]) == (0, "")


class Cyclic:
    """Only the collector frees it."""

    def __init__(self, work):
        self.me, self.work = self, work

    def __del__(self):
        self.work()


@pytest.fixture
def shapes(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE / "libraries"))
    import codeintel_shapes

    return codeintel_shapes


@pytest.fixture
def watching(shapes):
    from codeintel_shapes_plugin import ShapesInstrumentor

    with recording(ShapesInstrumentor) as told:
        yield told


def collect(work):
    """Have the collector run ``work``, and nothing before it does so by itself."""
    gc.collect()
    Cyclic(work)
    gc.collect()


def test_calls_in_a_collection_are_steps_with_their_tree(watching, shapes):
    """They are recorded, and what the library calls meanwhile is beneath; the context that was met is as before."""
    with step("own.work"):
        around = current.get()
        collect(shapes.nested)
        assert current.get() is around
    nested, plain = watching.only("shapes.nested"), watching.only("shapes.plain")
    assert (nested.parent, plain.parent) == (around, nested)


def test_a_library_called_in_a_collection_still_sees_its_caller(watching, shapes):
    """Its caller's frame is the frame that it sees."""
    seen = []

    def work():
        local = object()
        seen.append(shapes.caller_locals("local") is local)

    collect(work)
    assert (seen, watching.only("shapes.caller_locals").status) == ([True], "completed")


def test_an_exception_in_a_collection_shows_no_frame_of_ours(watching, shapes):
    """Its traceback is the library's."""
    names = []

    def work():
        try:
            shapes.raises(LookupError("x"))
        except LookupError as exc:
            trace = exc.__traceback__
            while trace is not None:
                names.append(trace.tb_frame.f_code.co_name)
                trace = trace.tb_next

    collect(work)
    assert (names, watching.only("shapes.raises").status) == (["work", "raises"], "failed")


def test_a_stream_that_the_collector_closes_ends_and_leaves_the_context_alone(watching, shapes):
    """A generator is closed; a coroutine that was never finished is closed too; nobody's current step changes."""
    stream = shapes.count(3)
    next(stream)
    with step("own.work"):
        around = current.get()
        held = Cyclic(lambda: None)
        held.thing, stream = stream, None
        del held
        gc.collect()
        assert current.get() is around
    ended = watching.only("shapes.count")
    assert (ended.status, ended.detail, ended.end_payload) == ("completed", "closed by consumer", {"items": 1})


def test_where_a_collection_is_known(monkeypatch):
    """In a finalizer that the collector runs, on its thread, but for what is in a context of its own."""
    monkeypatch.setattr(collecting, "NEEDED", True)
    collecting.watch(True)
    variable = ContextVar("variable", default="outer")
    seen = []

    def work():
        seen.extend((is_here(), apart(is_here), apart(variable.set, "inner") and variable.get(), is_here()))

    try:
        collect(work)
    finally:
        collecting.watch(False)
    assert seen == [True, False, "outer", True]
    assert (is_here(), collector.thread, collector.told in gc.callbacks) == (False, 0, False)
