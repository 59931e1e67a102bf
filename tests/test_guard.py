"""What is ours is swallowed and counted; what is the application's passes through, wherever it lands."""

from __future__ import annotations

import _thread
import functools
import signal
import threading

import pytest

from codeintel_obs import guard


class Deadline(Exception):  # noqa: N818 - what an application would call it
    """The application's own: raised by its signal handler."""


@pytest.fixture(autouse=True)
def lenient(monkeypatch):
    monkeypatch.setattr(guard, "strict", False)
    monkeypatch.setattr(guard, "counts", guard.Counter())
    guard.on_fault(None)


@pytest.fixture
def alarm():
    """Install a handler for SIGALRM and put back what was there."""
    before = signal.getsignal(signal.SIGALRM)
    yield functools.partial(signal.signal, signal.SIGALRM)
    signal.signal(signal.SIGALRM, before)


def boom():
    raise ZeroDivisionError("ours")


def interrupted():
    """An error of ours that the application's signal handler interrupts first."""
    signal.raise_signal(signal.SIGALRM)
    raise ZeroDivisionError("ours")


def test_error_is_counted_by_place():
    """An error of ours gives None, and is counted under the function that raised it."""
    assert [guard.call(boom), guard.quietly(boom)] == [None, None]
    assert guard.counts == {f"{__name__}.boom": 2}


def test_error_is_raised_under_our_own_tests(monkeypatch):
    """Strict, an error of ours is raised: our own tests see it."""
    monkeypatch.setattr(guard, "strict", True)
    with pytest.raises(ZeroDivisionError):
        guard.call(boom)


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_is_no_error_passes_through(raised):
    """An exception that is no `Exception` is not ours to keep."""

    def end():
        raise raised

    for run in (guard.call, guard.quietly):
        with pytest.raises(raised):
            run(end)
    assert guard.counts == {}


def test_every_listener_is_told_whatever_one_of_them_does():
    """One sink's error is no other's."""
    told = []
    guard.each((told.append, lambda _subject: boom(), told.append), 7)
    assert told == [7, 7]
    assert guard.counts.total() == 1


class Holder:
    """Handlers of every sort."""

    def method(self, _number, _frame):
        raise Deadline

    def __call__(self, _number, _frame):
        raise Deadline


def handler(_number, _frame):
    raise Deadline


def indirect(_number, _frame):
    handler(_number, _frame)


HANDLERS = {
    "function": handler,
    "lambda": lambda number, frame: handler(number, frame),  # noqa: PLW0108 - a frame of its own is the point
    "method": Holder().method,
    "callable object": Holder(),
    "partial": functools.partial(handler),
    "partial of a method": functools.partial(functools.partial(Holder().method)),
    "calls another": indirect,
}


@pytest.mark.parametrize("which", HANDLERS)
@pytest.mark.parametrize("run", [guard.call, guard.quietly, lambda function: guard.each((lambda _: function(),), 1)])
def test_deadline_of_the_application_is_raised_again(alarm, which, run):
    """An exception from the application's own signal handler that lands inside our code reaches the application."""
    alarm(HANDLERS[which])
    with pytest.raises(Deadline):
        run(interrupted)
    assert guard.counts == {}


def test_deadline_that_lands_while_a_fault_is_told(alarm):
    """The application's deadline passes even when it lands while an error of ours is being told."""
    alarm(handler)
    guard.on_fault(lambda *_: interrupted())
    with pytest.raises(Deadline):
        guard.call(boom)


@pytest.mark.parametrize("installed", [signal.SIG_DFL, signal.SIG_IGN, handler])
def test_error_of_ours_stays_ours_with_any_handler(alarm, installed):
    """Which handlers are installed does not make an error of ours the application's."""
    alarm(installed)
    from codeintel_obs.steps import Status

    assert guard.call(Status, "splendid") is None
    assert guard.counts.total() == 1


def test_fault_in_a_thread_that_python_does_not_know():
    """A fault in a foreign thread is counted there, and leaves no dummy thread for the application to find."""
    before, done = threading.enumerate(), threading.Event()

    def foreign():
        guard.call(boom)
        after.extend(threading._active.values())
        done.set()

    after = []
    _thread.start_new_thread(foreign, ())
    done.wait(10)
    assert [each for each in after if each not in before] == []
    assert guard.counts.total() == 1


def test_teller_that_fails_is_counted():
    """When telling of a fault fails too, both are counted and nobody is harmed."""
    guard.on_fault(lambda *_: boom())
    assert guard.call(boom) is None
    assert guard.counts.total() == 2
    guard.on_fault(None)


def test_fault_that_the_teller_causes_is_not_told_again():
    """Telling of a fault that causes a fault does not go on for ever."""
    told = []

    def teller(where, exc, listener):
        told.append(where)
        guard.call(boom)

    guard.on_fault(teller)
    guard.call(boom)
    guard.on_fault(None)
    assert len(told) == 1
