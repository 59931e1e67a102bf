"""The path language of seams: what it reads, what it refuses, and that it never runs anybody's code."""

from __future__ import annotations

import collections
import enum
from typing import NamedTuple

import msgspec
import numpy as np
import pytest

from codeintel_obs.expressions import parse_condition, parse_value
from codeintel_obs.paths import MISSING, Arguments, length, stored, truth
from codeintel_obs.seams import read_plans, read_seams

ROOTS = frozenset({"args", "self", "result"})


class Pair(NamedTuple):
    left: int
    right: int


class Slotted:
    __slots__ = ("empty", "full")

    def __init__(self):
        self.full = 7


class Struct(msgspec.Struct):
    name: str = "s"


class Hostile:
    """Every hook that Python offers raises."""

    constant = 3

    def __init__(self):
        object.__setattr__(self, "kept", "k")

    def boom(self, *_):
        raise AssertionError("the application's code was run")

    __getattribute__ = __getattr__ = __len__ = __bool__ = __eq__ = __hash__ = __iter__ = __getitem__ = boom
    prop = property(boom)


class Colour(enum.Enum):
    RED = "red"


STORED = {
    "an attribute": (Struct(), "name", "s"),
    "a slot": (Slotted(), "full", 7),
    "an empty slot": (Slotted(), "empty", MISSING),
    "a named tuple's field": (Pair(1, 2), "right", 2),
    "a key": ({"a": 1}, "a", 1),
    "a missing key": ({"a": 1}, "b", MISSING),
    "a position": ([5, 6], 1, 6),
    "from the end": ((5, 6), -1, 6),
    "past the end": ([5, 6], 2, MISSING),
    "a position of a dict": ({0: "zero"}, 0, "zero"),
    "a shape": (np.zeros((2, 3)), "shape", (2, 3)),
    "a constant of the class": (Hostile(), "constant", 3),
    "beneath hooks": (Hostile(), "kept", "k"),
    "a property": (Hostile(), "prop", MISSING),
    "a method": (Hostile(), "boom", MISSING),
    "an attribute of a class": (Hostile, "constant", 3),
    "a property of a class": (Hostile, "prop", MISSING),
}


@pytest.mark.parametrize("case", STORED)
def test_a_step_reads_what_is_stored(case):
    """Attributes, slots, fields, keys and positions; what would have to be computed is absent."""
    value, step, expected = STORED[case]
    assert stored(value, step) == expected


def test_a_default_dict_is_not_filled():
    """A missing key of a dict that makes its own is absent, and is not made."""
    made = collections.defaultdict(list)
    assert stored(made, "key") is MISSING
    assert not made


def test_truth_and_length_ask_nobody():
    """An object with hooks is true and has no length; containers and arrays have theirs."""
    assert truth(Hostile())
    assert length(Hostile()) is MISSING
    assert [truth(each) for each in (0, 0.0, "", [], {}, None, MISSING, False)] == [False] * 8
    assert (length(np.zeros((4, 2))), length(collections.deque([1])), length({"a"})) == (4, 1, 1)


@pytest.mark.parametrize(
    ("text", "result", "expected"),
    [
        ("result", {"a": 1}, {"a": 1}),
        ('result["a b"][0].c', {"a b": [{"c": 9}]}, 9),
        ("len(result.items)", {"items": [1, 2]}, 2),
        ("len(result)", 3, MISSING),
        ("number(result)", 2.5, 2.5),
        ("number(result)", "2.5", MISSING),
        ("number(result)", np.float32(2.5), 2.5),
        ("bool(result.more)", {"more": []}, False),
        ("type(result)", Colour.RED, "Colour"),
        ("name(result)", Colour.RED, "red"),
        ("name(result)", ["no name"], MISSING),
        ("path(result)", "/tmp/x", "/tmp/x"),
        ("code( result )", 404, 404),
    ],
)
def test_a_value_reads(text, result, expected):
    """A path, or a function of one; a value of another sort than the function says is absent."""
    assert parse_value(text, ROOTS).read({"result": result}) == expected


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("result.error", True),
        ("not result.error", False),
        ("result.absent", False),
        ("result.absent == null", True),
        ("result.error != null", True),
        ("result.count >= 3", True),
        ("result.count < 3", False),
        ("not result.count < 3", True),
        ("result.colour == 'red'", True),
        ('result.error == "other"', False),
        ("result.flag == true", True),
        ("result.flag == 1", False),
        ("result.error > 3", False),
        ("len(result.error) == 4", True),
        ("result.hostile == 'x'", False),
        ("result.hostile != 'x'", True),
    ],
)
def test_a_condition_holds(text, holds):
    """Truth, its negation, and comparisons of like with like; an object is never asked to compare itself."""
    result = {"error": "full", "count": 3, "colour": Colour.RED, "flag": True, "hostile": Hostile()}
    assert parse_condition(text, ROOTS).holds({"result": result}) is holds


def test_arguments_go_by_name_and_position():
    """An argument is the same however it was passed; ``args`` of a name that was not passed is absent."""
    given = Arguments((1,), {"second": 2}, {"first": 0, "second": 1, "third": 2})
    read = [parse_value(f"args.{name}", ROOTS).read({"args": given}) for name in ("first", "second", "third", "other")]
    assert read == [1, 2, MISSING, MISSING]


@pytest.mark.parametrize(
    "text",
    [
        "", "  ", 7, None, "args", "args[0]", "other.path", "len(result", "len result", "len()", "size(result)", "result.",
        "result..a", "result[", "result[a]", "result[1.5]", "result.a()", "result.__class__()", "result + 1", "result; 1",
        "__import__('os')", "result.a if 1", "len(len(result))", "result == ", "lambda: 1", "result.a == b",
    ],
)  # fmt: skip
@pytest.mark.parametrize("parse", [parse_value, parse_condition])
def test_anything_else_is_refused(parse, text):
    """There is nothing to call and nothing to compute: what is no path, function or comparison is no expression."""
    with pytest.raises(ValueError, match=r".+"):
        parse(text, ROOTS)


# -- tables --------------------------------------------------------------------------------------------------------------


GOOD = {"target": "a:b", "kind": "a.b"}
MISTAKES = {
    "no target": ({"kind": "a.b"}, "target: expected module:function"),
    "a path for a target": ({**GOOD, "target": "a/b.py:c"}, "target: expected module:function"),
    "no kind": ({"target": "a:b"}, "kind: expected stage.verb"),
    "a kind of one word": ({**GOOD, "kind": "search"}, "kind: expected stage.verb"),
    "an unknown key": ({**GOOD, "paylaod": {}}, "did you mean payload?"),
    "a payload that is no table": ({**GOOD, "payload": "args.x"}, "payload: expected a table"),
    "a key in capitals": ({**GOOD, "payload": {"Hits": "args.x"}}, "payload: expected a key"),
    "a bad expression": ({**GOOD, "payload": {"hits": "size(args.x)"}}, "payload.hits: no function size"),
    "an item without each": ({**GOOD, "payload": {"hits": "item.x"}}, "payload.hits: item begins no path"),
    "a bad condition": ({**GOOD, "failed_when": ["result.a", "result.b ="]}, "failed_when: cannot read"),
    "a bad reason": ({**GOOD, "skipped_reason": "why?"}, "skipped_reason: cannot read"),
    "events that are no tables": ({**GOOD, "events": ["x"]}, "events: expected tables"),
    "a bad status": ({**GOOD, "events": [{"kind": "a.c", "status": "bad"}]}, "events: status: expected one of"),
    "no table at all": ("x", "target: expected module:function"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_told_with_its_place(case):
    """The seam is left out, and the complaint names the key and what was expected there."""
    table, expected = MISTAKES[case]
    told = []
    assert read_seams([table], lambda key, what: told.append(what)) == ()
    assert len(told) == 1
    assert expected in told[0]


def test_two_seams_may_not_disagree():
    """One target has one seam, and one key means one sort of value."""
    told = []
    tables = [
        {**GOOD, "payload": {"hits": "len(result)"}},
        GOOD,
        {"target": "a:c", "kind": "a.c", "payload": {"hits": "result"}},
    ]
    assert len(read_seams(tables, lambda key, what: told.append((key, what)))) == 1
    assert told == [
        ("seams.a:b", "this target is declared twice"),
        ("seams.a:c", "the key hits is a count in an earlier seam: use one function"),
    ]


@pytest.mark.parametrize(
    "table",
    [{}, {"match": "x"}, {"match": "", "kinds": ["a.b"]}, {"match": "x", "kinds": ["search"]}, {"kinds": ["a.b"]}],
)
def test_a_bad_plan_is_told(table):
    """A plan needs a name and kinds."""
    told = []
    assert read_plans([table], lambda key, what: told.append(what)) == ()
    assert len(told) == 1


def test_tables_that_are_none_are_told():
    """A value in place of tables is one mistake."""
    told = []
    assert read_seams({"target": "a:b"}, lambda key, what: told.append((key, what))) == ()
    assert [key for key, _ in told] == ["seams"]
