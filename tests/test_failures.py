"""Exceptions of every sort are recorded as facts: by a token on the object itself, with what hangs from them."""

from __future__ import annotations

import copy
import pickle

import pytest

from codeintel_obs import failures, recorder
from codeintel_obs.testing import recording


class Slotted(Exception):  # noqa: N818 - no error, an example
    __slots__ = ("code",)


class Weird(Exception):  # noqa: N818 - no error, an example
    """Answers what we would ask it with an error."""

    def __str__(self):
        raise ZeroDivisionError

    def __getattribute__(self, name):
        if name in {"__dict__", "__cause__", "__context__", "args"}:  # pytest itself asks for the traceback
            raise ZeroDivisionError(name)
        return super().__getattribute__(name)

    def __setattr__(self, name, value):
        if not name.startswith("__"):
            raise ZeroDivisionError(name)
        super().__setattr__(name, value)

    __repr__ = __str__
    __hash__ = None

    def __eq__(self, other):
        raise ZeroDivisionError


class Foolish(ExceptionGroup):
    """A group that denies its members."""

    @property
    def exceptions(self):
        raise ZeroDivisionError


class NoText(Exception):  # noqa: N818 - no error, an example
    def __str__(self):
        return 7  # noqa: PLE0307 - the point


def caught(raise_it):
    try:
        raise_it()
    except BaseException as exc:
        return exc


def test_token_is_the_objects_and_stays():
    """An exception has one token for its life; an equal one has another."""
    first, second = ValueError("x"), ValueError("x")
    assert failures.token_of(first) == failures.token_of(first)
    assert failures.token_of(first) != failures.token_of(second)


@pytest.mark.parametrize("cls", [Slotted, Weird, KeyboardInterrupt, OSError, UnicodeError, NoText])
def test_every_class_takes_a_token(cls):
    """Slots, weird attribute hooks and builtin classes: each exception object is marked and described."""
    exc = caught(lambda: (_ for _ in ()).throw(cls()))
    described = failures.describe(exc, failures.message_of(exc))
    assert described.id == failures.token_of(exc)
    assert described.type.rpartition(".")[2] == cls.__qualname__


def test_weird_exception_is_recorded_and_raised_as_itself():
    """An application's exception class that answers nothing does no harm to its own step."""
    from codeintel_obs import step

    raised = Weird()
    with recording() as told, pytest.raises(Weird) as found, step("app.work"):
        raise raised
    assert found.value is raised
    ended = told.only("app.work")
    assert (ended.status, ended.error.message) == ("failed", "<str() of this exception raised ZeroDivisionError>")


def test_chain_holds_causes_contexts_and_members_breadth_first():
    """What hangs from an exception is told with how, and from which."""
    deep, context, cause, member = KeyError("deep"), OSError("context"), ValueError("cause"), TypeError("member")
    cause.__cause__ = deep
    group = ExceptionGroup("group", [member])
    group.__cause__, group.__context__ = cause, context
    described = failures.describe(group, None)
    assert [(link.type, link.via) for link in described.chain] == [
        ("ValueError", "cause"),
        ("OSError", "context"),
        ("TypeError", "group"),
        ("KeyError", "cause"),
    ]
    assert [link.of for link in described.chain] == [described.id] * 3 + [failures.token_of(cause)]


def test_chain_that_bites_its_tail_ends():
    """Exceptions that name each other as causes are told once."""
    first, second = ValueError(), KeyError()
    first.__cause__, second.__cause__ = second, first
    assert [link.via for link in failures.describe(first, None).chain] == ["cause", "cause"]


def test_long_chain_is_cut():
    """A chain of thousands is cut at its cap."""
    last = ValueError()
    for _ in range(5000):
        following = ValueError()
        following.__context__ = last
        last = following
    assert len(failures.describe(last, None).chain) == 32


def test_members_of_a_group_that_denies_them():
    """The interpreter's own view of a group counts, not its class's."""
    group = Foolish("group", [KeyError("x")])
    assert [link.type for link in failures.describe(group, None).chain] == ["KeyError"]


@pytest.mark.parametrize("cls", [TimeoutError, type("Mine", (TimeoutError,), {})])
def test_timeout_errors_are_time_outs(cls):
    """A TimeoutError is a time-out wherever it is seen; nothing else is unless a step decided so."""
    assert failures.timed_out(cls())
    assert not failures.timed_out(OSError())


def test_decision_of_the_first_step_travels_with_the_exception():
    """The step that first saw an exception decides whether it is a time-out; later ones do not."""
    exc = OSError()
    assert failures.timed_out(exc, True)
    assert failures.timed_out(exc)
    assert failures.timed_out(exc, False)


def test_message_cut_by_the_first_step_is_cut_by_those_around_it():
    """What a plugin drops of an exception's text is not told by an outer step either; at level `all` it is."""
    told = {}
    for level in ("messages", "all"):
        exc = ValueError("near: select secret")
        with recording(content=level):
            inner = recorder.active.error(exc, lambda _: "near: […]")
            outer = [recorder.active.error(exc, message) for message in (None, str)]
            told[level] = {each.message for each in (inner, *outer)}
    assert told == {"messages": {"near: […]"}, "all": {"near: select secret"}}


def test_words_of_the_first_step_travel_with_the_exception():
    """What the step that first saw an exception leaves of its text is all that later ones tell, in other processes too."""
    exc = ValueError("select 'secret'")
    assert failures.words_of(exc, None) is None
    assert failures.words_of(exc, lambda _: "a query") == "a query"
    assert failures.words_of(exc, str) == failures.words_of(pickle.loads(pickle.dumps(exc)), None) == "a query"


def test_marked_exception_pickles_and_copies():
    """The token is all that we leave on an exception, and it is in nobody's way."""
    exc = ValueError("x", 1)
    failures.token_of(exc)
    for back in (pickle.loads(pickle.dumps(exc)), copy.copy(exc), copy.deepcopy(exc)):
        assert (type(back), back.args, str(back)) == (ValueError, ("x", 1), "('x', 1)")


def test_type_names():
    """Types are named with their module; builtins bare."""
    assert [failures.type_name(each) for each in (ValueError, Slotted)] == ["ValueError", f"{__name__}.Slotted"]
