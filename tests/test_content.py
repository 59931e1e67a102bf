"""What a content level keeps of a payload: exactly what each key's class allows, in JSON's types, within its cap."""

from __future__ import annotations

import datetime as dt
import enum
import json
import math
import uuid
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codeintel_obs.content import PAYLOAD_CAP, Filter, plain
from codeintel_obs.redact import MASK
from codeintel_obs.steps import Content, FieldClass

CLASSES = {str(field): field for field in FieldClass}
LEVELS = {
    Content.NONE: {"count", "code", "id"},
    Content.MESSAGES: {"count", "code", "id", "path", "name"},
    Content.ALL: {"count", "code", "id", "path", "name", "text"},
}


@pytest.mark.parametrize("level", Content)
def test_level_keeps_exactly_the_classes_that_it_allows(level):
    """Each class of key is kept from its level on; a secret never; an undeclared key is held to be a text."""
    payload = {**dict.fromkeys(CLASSES, "canary"), "undeclared": "canary"}
    kept = Filter(level, CLASSES).keep(payload)
    assert set(kept) == LEVELS[level] | ({"undeclared"} if level is Content.ALL else set())


@pytest.mark.parametrize("level", Content)
def test_applications_own_payload(level):
    """What the application emits has no table: numbers are counts and everything else is a name."""
    kept = Filter(level, {}, free=True).keep({"hits": 3, "share": 0.5, "ok": True, "who": "bob", "many": [1]})
    assert set(kept) == {"hits", "share", "ok"} | ({"who", "many"} if level is not Content.NONE else set())


def test_unknown_is_absent():
    """A value of None is not written."""
    assert Filter(Content.ALL, CLASSES).keep({"count": None, "id": 1}) == {"id": 1}


def test_payload_of_the_plugin_stays_as_it_is():
    """The filter makes a new dict: the plugin's own is not changed."""
    payload = {"text": "password=hunter2", "count": None}
    Filter(Content.ALL, CLASSES).keep(payload)
    assert payload == {"text": "password=hunter2", "count": None}


def test_a_key_that_secrets_have_hides_its_value():
    """A key that no table declares and that is named like a secret keeps its name and loses its value, at any depth."""
    payload = {"api_key": "k9", "max_tokens": 7, "token": 12, "nested": {"Authorization": "x", "path": "/a", "n": [1]}}
    shown = {"api_key": MASK, "max_tokens": 7, "token": 12, "nested": {"Authorization": MASK, "path": "/a", "n": [1]}}
    assert Filter(Content.MESSAGES, {}, free=True).keep(payload) == shown


def test_a_word_that_announces_a_secret_hides_the_next():
    """A list of words or of pairs loses the secret behind its option or its header's name."""
    payload = {
        "text": ["git", "--token", "k9", "x"],
        "name": [("Cookie", "a=1"), ("Host", "h")],
        "id": ["--auth", "-v"],
    }
    shown = {"text": ["git", "--token", MASK, "x"], "name": [["Cookie", MASK], ["Host", "h"]], "id": ["--auth", "-v"]}
    assert Filter(Content.ALL, CLASSES).keep(payload) == shown


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Name(enum.StrEnum):
    BOB = "bob"


class Liar(str):
    """A text that says what it likes of itself."""

    __slots__ = ()

    def __str__(self):
        raise ZeroDivisionError


class Hostile:
    """Raises at whatever it is asked."""

    def __getattribute__(self, name):
        raise ZeroDivisionError(name)

    def __repr__(self):
        raise ZeroDivisionError


PLAIN = [
    (1, 1),
    (True, True),
    (2.5, 2.5),
    (math.nan, "nan"),
    (-math.inf, "-inf"),
    (2**70, "<integer of 71 bits>"),
    (10**5000, "<integer of 16610 bits>"),
    ("lone \ud800", "lone \\ud800"),
    ("password=hunter2", "password=[redacted]"),
    (b"abc", "<3 bytes>"),
    (bytearray(4), "<4 bytes>"),
    (memoryview(b"abc"), "<builtins.memoryview>"),
    ((1, "a"), [1, "a"]),
    ({"a": {1: None}}, {"a": {"1": None}}),
    (Level.HIGH, 3),
    (Name.BOB, "bob"),
    (Liar("bob"), "bob"),
    (Colour.RED, f"<{__name__}.Colour>"),
    (Hostile(), f"<{__name__}.Hostile>"),
    ({Hostile(): 1}, {f"<{__name__}.Hostile>": 1}),
    (object, "<builtins.type>"),
    (np.int64(7), 7),
    (np.float32(0.5), 0.5),
    (np.str_("x"), "x"),
    (np.longdouble(1), "<numpy.longdouble>"),
    (np.zeros(3), "<numpy.ndarray>"),
    (np.array(5), 5),
    (Path("/a/b"), "/a/b"),
    (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (dt.date(2026, 11, 22), "2026-11-22"),
]


@pytest.mark.parametrize(("value", "expected"), PLAIN, ids=[type(value).__name__ for value, _ in PLAIN])
def test_every_value_becomes_plain(value, expected):
    """Whatever a payload holds becomes JSON's types; nothing of a foreign object is run."""
    shown = plain(value)
    assert shown == expected
    assert type(shown) is type(expected)


def test_cycles_and_wide_nestings_end():
    """A list that holds itself many times over, and a nesting of lists wide and deep, are cut and not walked."""
    cycle: list = []
    cycle.extend([cycle] * 256)
    wide: list = []
    for _ in range(6):
        wide = [wide] * 256
    for value in (cycle, wide, {"a": wide, "b": cycle}):
        assert len(json.dumps(Filter(Content.ALL, CLASSES).keep({"text": value}))) <= PAYLOAD_CAP


TOO_LONG = {
    "one text": {"text": "x" * 10**6},
    "wide letters": {"text": "本" * 2048, "name": "本" * 2048, "path": "本" * 2048},
    "control letters": {"text": "\x01" * 2048, "name": "\x01" * 2048},
    "nested": {"text": ["x" * 2048] * 100},
    "keys": {"text": {"k" * 300 + str(number): number for number in range(200)}},
    "many": {f"key {number}": number for number in range(10_000)},
    "many texts": {f"key {number}": "x" * 100 for number in range(250)},
}


@pytest.mark.parametrize("name", TOO_LONG)
def test_payload_is_cut_to_its_cap_and_says_so(name):
    """A payload takes at most 8 KiB as JSON, and what was cut of it says how much."""
    kept = Filter(Content.ALL, CLASSES).keep(TOO_LONG[name])
    encoded = msgspec.json.encode(kept)
    assert len(encoded) <= PAYLOAD_CAP
    assert b"[cut " in encoded or b"more>" in encoded


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.just(object()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner),
    max_leaves=30,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from([*CLASSES, "other"]), JSON), st.sampled_from(list(Content)))
def test_filter_is_total(payload, level):
    """For any payload and any level the result is JSON within the cap, and holds no key that the level forbids."""
    kept = Filter(level, CLASSES).keep(payload)
    assert len(msgspec.json.encode(kept)) <= PAYLOAD_CAP
    assert json.loads(json.dumps(kept, allow_nan=False)) == kept
    assert set(kept) <= LEVELS[level] | ({"other"} if level is Content.ALL else set())


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from([*CLASSES, "other"]), st.just("canary-7f3a"), min_size=1))
def test_canary_appears_exactly_where_its_level_allows(payload):
    """A canary in every key shows in exactly the keys that each level keeps."""
    for level, allowed in LEVELS.items():
        kept = Filter(level, CLASSES).keep(payload)
        expected = {key for key in payload if key in allowed or (key == "other" and level is Content.ALL)}
        assert {key for key, value in kept.items() if value == "canary-7f3a"} == expected == set(kept)
