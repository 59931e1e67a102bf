"""Spans of others in an adopted provider are on record: in their run, by an allow-list, up to a cap."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry import trace
from pipelines import global_provider, in_memory, search, spans_sink

from codeintel_obs import context, guard, recorder, step
from codeintel_obs.launch.foreign import ForeignSpans, watch_foreign_spans
from codeintel_obs.runs import Run


@contextmanager
def watching(**settings: Any) -> Any:
    """Record beside an application with a provider of its own, as launch sets it up."""
    provider, exporter = in_memory()
    with global_provider(provider), spans_sink(**settings) as told:
        recorder.active.spans.on_adopt = watch_foreign_spans
        search()  # the first step sees the provider
        yield told, provider.get_tracer("app"), exporter


def test_a_span_of_the_application_becomes_two_records():
    """With its ids, its parent, name, scope, status and duration; the end has what was set in between."""
    with (
        watching() as (told, tracer, _),
        tracer.start_as_current_span("request") as outer,
        tracer.start_as_current_span("handle", attributes={"http.request.method": "GET"}) as span,
    ):
        span.set_attribute("http.response.status_code", 200)
    begun, ended = [each for each in told.records if each.span_id == f"{span.get_span_context().span_id:016x}"]
    assert (begun.event, ended.event) == ("span.begin", "span.end")
    assert begun.parent_span_id == ended.parent_span_id == f"{outer.get_span_context().span_id:016x}"
    assert begun.trace_id == f"{span.get_span_context().trace_id:032x}"
    assert (begun.kind, ended.status, begun.thread) == (None, "unset", "MainThread")
    assert ended.duration_ns == span.end_time - span.start_time
    said = {"name": "handle", "scope": "app", "span_kind": "internal"}
    assert begun.payload == said | {"attributes": {"http.request.method": "GET"}}
    both = {"http.request.method": "GET", "http.response.status_code": 200}
    assert ended.payload == said | {"attributes": dict(sorted(both.items(), key=lambda item: type(item[1]) is str))}


def test_our_own_spans_are_no_foreign_ones():
    """A step is told once, as a step."""
    for plain_spans in (False, True):
        with watching(plain_spans=plain_spans) as (told, _, exporter), step("outer.work"):
            search()
        assert told.records == []
        assert len(exporter.get_finished_spans()) == 3


def test_a_lazy_span_is_still_lazy_beside_our_own_listener():
    """Our processor does not count as one that listens to starts."""
    provider, _ = in_memory()
    with global_provider(provider), spans_sink():
        recorder.active.spans.on_adopt = watch_foreign_spans
        pipeline = recorder.active.spans
        search()
        search()
        assert not pipeline._maker._pipeline.hears_starts
    assert sum(isinstance(each, ForeignSpans) for each in provider._active_span_processor._span_processors) == 1


@pytest.mark.parametrize(
    ("content", "kept", "name"),
    [
        ("none", {"db.system.name": "pg", "db.rows": 3}, None),
        ("messages", {"db.system.name": "pg", "db.rows": 3, "db.namespace": "shop", "url.path": "/a"}, "q"),
        (
            "all",
            {
                "db.system.name": "pg",
                "db.rows": 3,
                "db.namespace": "shop",
                "url.path": "/a",
                "db.query.text": "SELECT secret",
            },
            "q",
        ),
    ],
)
def test_the_content_level_decides_which_attributes_stay(content, kept, name):
    """Numbers and codes at every level, names and paths from messages on, texts at all only; the rest is counted."""
    said = {
        "db.system.name": "pg",
        "db.rows": 3,
        "db.namespace": "shop",
        "url.path": "/a",
        "db.query.text": "SELECT secret",
        "custom.note": "private",
        "enduser.id": "anna",
        "custom.number": 4,
    }
    with watching(content=content) as (told, tracer, _), tracer.start_as_current_span("q", attributes=said):
        pass
    ended = told.records[1].payload
    assert (ended["attributes"], ended.get("name"), ended["other_attributes"]) == (kept, name, 3)


def test_a_failed_span_tells_its_status_and_message_redacted():
    """The status code at every level; its description is a message."""
    for content, message in (("none", None), ("messages", "ValueError: token=[redacted]")):
        with (
            watching(content=content) as (told, tracer, _),
            pytest.raises(ValueError, match="token"),
            tracer.start_as_current_span("q"),
        ):
            raise ValueError("token=abcdef123456")
        ended = told.records[1]
        assert (ended.status, ended.payload.get("message"), ended.payload["events"]) == ("error", message, 1)


def test_a_span_belongs_to_the_run_in_which_it_starts():
    """Where it ends does not matter; an ended run takes no more."""
    with watching() as (told, tracer, _):
        run = Run("request-1")
        token = context.current.set(run)
        span = tracer.start_span("inside")
        context.current.reset(token)
        span.end()
        recorder.active.end_run(run, "completed")
        token = context.current.set(run)
        tracer.start_span("late").end()
        context.current.reset(token)
    assert [(each.event, each.run_id == "request-1") for each in told.records] == [
        ("span.begin", True),
        ("span.end", True),
        ("span.begin", False),
        ("span.end", False),
    ]


def test_over_the_cap_the_number_of_dropped_spans_is_exact():
    """Told early, in doubling steps, and the rest when the run ends; a span whose begin is on record has its end."""
    with watching(foreign_spans=3) as (told, tracer, _):
        spans = [tracer.start_span(f"span {number}") for number in range(50)]
        for span in spans:
            span.end()
        early = [each.payload["count"] for each in told.records if each.event == "drop"]
        recorder.active.end_run(recorder.active.process_run, "ended")
    events = [each.event for each in told.records]
    drops = [each.payload for each in told.records if each.event == "drop"]
    assert (events.count("span.begin"), events.count("span.end")) == (3, 3)
    assert (early, sum(each["count"] for each in drops)) == ([1, 1, 2, 4, 8, 16], 47)
    assert drops[0]["reason"] == "more than 3 spans of others in one run"


def test_a_span_that_is_never_ended_is_not_kept_alive():
    """Its begin is on record; nothing of ours holds it."""
    with watching() as (told, tracer, _):
        tracer.start_span("lost")
        gc.collect()
        (watcher,) = [
            each
            for each in trace.get_tracer_provider()._active_span_processor._span_processors
            if isinstance(each, ForeignSpans)
        ]
        assert watcher._open == {}
    assert [each.event for each in told.records] == ["span.begin"]


def test_an_error_of_ours_does_not_reach_the_applications_tracer():
    """It is counted; the span is the application's as if nothing had happened."""
    guard.counts.clear()
    with watching(strict=False) as (_, tracer, exporter):
        recorder.active.record = None
        with tracer.start_as_current_span("request"):
            pass
        del recorder.active.record
    assert exporter.get_finished_spans()[-1].name == "request"
    assert sum(guard.counts.values()) >= 1


def test_spans_that_we_cause_ourselves_are_not_recorded():
    """What happens while we work is not the application's."""
    with watching() as (told, tracer, _), context.suppress():
        tracer.start_span("ours").end()
    assert told.records == []
