"""The encoder: a valid line for whatever a payload holds, in the order of the schema, under its caps."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import json
import time
import uuid
import zlib
from pathlib import PurePosixPath

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codeintel_obs.ledger import encoding
from codeintel_obs.ledger.plain import fit, plain, size
from codeintel_obs.runs import Run
from codeintel_obs.steps import ChainLink, ErrorInfo, Link, LogEntry, Record, Status, Step

ORDER = [*Record.__struct_fields__]
IDS = encoding.ids_of("r", "a" * 16, "s")


def made_step(**fields):
    step = Step(Run("r"), "faiss.search", "faiss")
    step.span_id, step.trace_id, step.thread = "b" * 16, "c" * 32, "MainThread"
    step.ts_ns, step.mono_ns, step.end_ts_ns, step.end_mono_ns = (
        1_795_369_822_123_456_789,
        5,
        1_795_369_822_200_000_000,
        9,
    )
    for name, value in fields.items():
        setattr(step, name, value)
    return step


def decoded(tail, n=1):
    """Return the whole line's JSON after checking its form and checksum."""
    line = encoding.line(n, tail)
    assert line.endswith(b'"}\n') and line.count(b"\n") == 1
    assert line[-19:-11] == b',"crc":"' and line[-11:-3] == b"%08x" % zlib.crc32(line[:-19])
    value = json.loads(line)
    assert list(value) == [key for key in ORDER if key in value]
    return value


def payload_of(payload):
    return decoded(encoding.step_begin(made_step(payload={"value": payload}), IDS))["payload"]["value"]


def test_begin_says_all_that_is_known_at_the_begin():
    """A begin has its ids, links, sampling, thread, kind and payload; what is unknown is absent."""
    step = made_step(sampled=True, parent_span_id="d" * 16, links=(Link(span_id="e" * 16),), payload={"k": 10})
    assert decoded(encoding.step_begin(step, IDS), n=7) == {
        "v": 1, "n": 7, "event": "step.begin", "ts": "2026-11-22T17:50:22.123456Z", "mono_ns": 5, "run_id": "r",
        "attempt": "a" * 16, "session_id": "s", "trace_id": "c" * 32, "span_id": "b" * 16, "parent_span_id": "d" * 16,
        "links": [{"span_id": "e" * 16}], "sampled": True, "thread": "MainThread", "kind": "faiss.search",
        "payload": {"k": 10}, "source": "faiss", "crc": decoded(encoding.step_begin(step, IDS), n=7)["crc"],
    }  # fmt: skip


def test_end_says_only_what_the_begin_did_not():
    """An end has its span, kind, status, detail, duration, new payload keys and error; a late one says so."""
    error = ErrorInfo(
        type="ValueError", message="no", id="e1", chain=(ChainLink(id="e0", type="KeyError", via="cause"),)
    )
    step = made_step(
        status=Status.FAILED, detail="why", duration_ns=4, end_payload={"missing": 0}, error=error, late=True
    )
    value = decoded(encoding.step_end(step, IDS))
    del value["crc"]
    assert value == {
        "v": 1, "n": 1, "event": "step.end", "ts": "2026-11-22T17:50:22.200000Z", "mono_ns": 9, "run_id": "r",
        "attempt": "a" * 16, "span_id": "b" * 16, "kind": "faiss.search", "status": "failed", "detail": "why",
        "duration_ns": 4, "payload": {"missing": 0, "late": True}, "source": "faiss",
        "error": {"type": "ValueError", "message": "no", "id": "e1",
                  "chain": [{"id": "e0", "type": "KeyError", "via": "cause"}]},
    }  # fmt: skip


def test_instant_has_no_duration():
    """An instant step is one record with a status and no duration, even when one is set."""
    value = decoded(encoding.step_instant(made_step(status=Status.SKIPPED, detail="no index", duration_ns=1), IDS))
    assert (value["event"], value["status"], value["detail"], "duration_ns" in value) == (
        "step", "skipped", "no index", False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "nanoseconds", [0, 1, 999, 1_000_000_000, 1_795_369_822_000_000_000, 4_102_444_799_999_999_999]
)
def test_stamp_is_the_wall_clock_to_the_microsecond(nanoseconds):
    """A time is ISO 8601 in UTC, cut to microseconds, also when seconds go back and forth."""
    for each in (nanoseconds, nanoseconds + 2_000_000_000, nanoseconds):
        seconds, rest = divmod(each, 1_000_000_000)
        moment = dt.datetime.fromtimestamp(seconds, dt.UTC).replace(microsecond=rest // 1000)
        assert encoding.stamp(each) == moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Loud:
    """Raises whatever is asked of it."""

    def __getattribute__(self, name):
        raise RuntimeError(name)

    def __repr__(self):
        raise RuntimeError("repr")

    __str__ = __repr__
    __hash__ = object.__hash__


class Meta(type):
    def __getattribute__(cls, name):
        raise RuntimeError(name)


class WithMeta(metaclass=Meta):
    pass


class LoudDict(dict):
    def items(self):
        raise RuntimeError("items")

    def __iter__(self):
        raise RuntimeError("iter")

    def __len__(self):
        raise RuntimeError("len")


class LoudText(str):
    __slots__ = ()

    def encode(self, *_):
        raise RuntimeError("encode")


class Zone(dt.tzinfo):
    def utcoffset(self, _):
        raise RuntimeError("offset")


class Color(enum.Enum):
    RED = "red"


CYCLE = []
CYCLE.append(CYCLE)
NASTY = [
    (float("nan"), "NaN"), (float("inf"), "Infinity"), (float("-inf"), "-Infinity"),
    (b"ab\xff", "ab\\xff"), ("\ud800x", "\\ud800x"), ({"\udfff": 1}, {"\\udfff": 1}), (CYCLE, ["[cycle]"]),
    (2**70, 2**70), (2**300, 2**300), (10**5000, "<int of 16610 bits>"),
    ({1: "a", None: "b", 2.5: "c", (1, 2): "d"}, {"1": "a", "None": "b", "2.5": "c", "[cut: deeper than 16]": "d"}),
    (Loud(), f"<{__name__}.Loud>"), (WithMeta(), f"<{__name__}.WithMeta>"),
    ({"a": {"b": Loud()}}, {"a": {"b": f"<{__name__}.Loud>"}}),
    (LoudDict(a=1), {"a": 1}), (LoudText("quiet"), "quiet"), ({3}, [3]), ((1, [2]), [1, [2]]), (True, True),
    (np.float32(0.5), 0.5), (np.int64(7), 7), (np.bool_(True), True), (np.str_("x"), "x"), (np.float64("nan"), "NaN"),
    (np.zeros(3), "<numpy.ndarray>"), (decimal.Decimal("1.50"), "1.50"), (PurePosixPath("/a"), "/a"),
    (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"), (dt.date(2026, 11, 22), "2026-11-22"),
    (dt.datetime(2026, 11, 22, tzinfo=dt.UTC), "2026-11-22T00:00:00+00:00"),
    (dt.datetime(2026, 11, 22, tzinfo=Zone()), "<datetime.datetime>"), (Color.RED, f"<{__name__}.Color>"),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(NASTY)))
def test_nasty_values_become_a_valid_line(number):
    """What JSON or UTF-8 cannot say is told plainly, and no foreign code is asked for it."""
    found = payload_of(NASTY[number][0])  # not a parameter: pytest would ask these objects for their repr
    assert found == NASTY[number][1]


def test_depth_is_bounded():
    """Nesting beyond sixteen levels is cut and said so."""
    value = "core"
    for _ in range(100_000):
        value = [value]
    text = json.dumps(payload_of(value))
    assert "deeper than 16" in text and len(text) < 100


@pytest.mark.parametrize(
    "payload",
    [
        {"text": "x" * 100_000_000}, {"text": "\x00" * 1_000_000}, {"text": "é" * 100_000},
        {"items": list(range(2_000_000))}, {f"k{i}": i for i in range(50_000)}, {"k" * 100_000: 1},
        {"deep": [[["y" * 9000] * 10] * 10]}, {str(i): "z" * 500 for i in range(100)}, {"b": bytearray(1_000_000)},
    ],
    ids=["text", "escapes", "utf8", "items", "keys", "key", "nested", "many", "bytes"],
)  # fmt: skip
def test_large_payloads_are_cut_and_say_by_how_much(payload):
    """A payload takes at most 8 KiB, most of which is used, and tells what is not there."""
    text = encoding.payload_json(payload)
    assert len(text) <= encoding.PAYLOAD_CAP
    assert b"[cut" in text and json.loads(text)


def test_small_values_survive_beside_a_large_one():
    """A cut takes from the large value and leaves the small ones whole."""
    value = json.loads(encoding.payload_json({"huge": "x" * 50_000, "k": 10, "path": "/a/b"}))
    assert (value["k"], value["path"]) == (10, "/a/b")
    kept, _, note = value["huge"].partition(" [cut ")
    assert len(kept) > 7000 and note == f"{50_000 - len(kept)} characters]"


def test_a_record_with_everything_too_large_stays_under_its_cap():
    """Detail, error, chain, links, thread and payload all beyond their caps: the line is under 64 KiB and valid."""
    chain = tuple(ChainLink(id=str(i), type="T" * 10_000, via="cause", of=str(i - 1)) for i in range(1000))
    error = ErrorInfo(type="E" * 10_000, message="m" * 100_000, id="e", chain=chain)
    links = tuple(Link("r" * 5000, "t" * 32, "s" * 16) for _ in range(1000))
    step = made_step(kind="k" * 9999, thread="t" * 9999, detail="\x01" * 99_999, links=links, error=error)
    step.status, step.payload = Status.FAILED, {"x": "y" * 100_000}
    tail = encoding.step_instant(step, IDS)
    assert len(encoding.line(1, tail)) <= encoding.RECORD_CAP
    value = decoded(tail)
    assert "[cut 968 entries of the chain]" in value["error"]["message"]
    assert value["links"][-1] == {"run_id": "[cut 936 links]"}


def test_log_text_keeps_eight_kibibytes():
    """A log text has a cap of its own, 8 KiB of JSON."""
    entry = LogEntry(Run("r"), time.time_ns(), 1, "app", "INFO", 20, "t" * 20_000, "MainThread", "c" * 32, None)
    text = decoded(encoding.log(entry, IDS))["payload"]["text"]
    assert 8000 < len(text) <= 8192 and "[cut " in text


def test_any_record_comes_back_as_it_was():
    """The general encoder writes every field of a record in the schema's order."""
    record = Record(
        v=1, n=0, event="span.end", ts="2026-11-22T17:50:22.123456Z", mono_ns=3, run_id="r", attempt="a" * 16,
        session_id="s", trace_id="c" * 32, span_id="b" * 16, parent_span_id="d" * 16, links=[Link("x")], sampled=False,
        thread='T"1', kind="db", status="failed", detail="d", duration_ns=8, payload={"a": [1, None]},
        error=ErrorInfo("E"), source="app",
    )  # fmt: skip
    tail = encoding.record(record)
    decoded(tail)
    back = msgspec.json.decode(encoding.line(4, tail), type=Record)
    record.n, record.crc = 4, back.crc
    assert back == record


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.binary(max_size=50)
    | st.text(st.characters(), max_size=80) | st.decimals() | st.dates(),
    lambda inner: st.lists(inner, max_size=5)
    | st.dictionaries(st.text(st.characters()) | st.integers(), inner, max_size=5)
    | st.tuples(inner) | st.frozensets(st.integers()),
    max_leaves=40,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.text(st.characters()), VALUES, max_size=8))
def test_every_payload_is_a_valid_line(payload):
    """Whatever nests in a payload, the line parses, keeps its checksum, and holds the payload's keys."""
    value = decoded(encoding.step_begin(made_step(payload=payload), IDS))
    assert len(value.get("payload", {})) == len(set(plain(payload)))


@settings(max_examples=200, deadline=None)
@given(VALUES, st.integers(min_value=200, max_value=9000))
def test_a_fitted_value_fits(value, room):
    """What is cut to a room takes no more than it."""
    assert size(fit(plain({"v": value, "w": [value] * 30}), room)) <= room
