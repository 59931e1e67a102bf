"""Both ways of making a span, ours and the SDK's own, export the same span, field by field."""

from __future__ import annotations

import os
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    AlwaysRecordSampler,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from pipelines import exporting, fix_ids_and_clock, plain, search

from codeintel_obs import emit_step, recorder, step
from codeintel_obs.steps import Link, Status, StepEvent

LINK = Link("run", "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")


def both(monkeypatch: Any, scenario: Any, **options: Any) -> list[Any]:
    """Run ``scenario`` with lazy and with plain spans; return the spans, once it is shown that they are equal."""
    exported = []
    for plain_spans in (False, True):
        fix_ids_and_clock(monkeypatch)
        made = {key: value() if callable(value) else value for key, value in options.items()}
        with exporting(plain_spans=plain_spans, **made) as exporter:
            scenario()
        exported.append(exporter.get_finished_spans())
    lazy, reference = exported
    assert [plain(span) for span in lazy] == [plain(span) for span in reference]
    assert encode_spans(lazy) == encode_spans(reference)
    return list(lazy)


def nested() -> None:
    """Steps in a step, one of them failed, one linked, with an instant among them."""
    with step("outer.work", {"depth": 1}) as late:
        search()
        emit_step(StepEvent("retrieval.budget", Status.SKIPPED, "too small", {"channels": 2}))
        search(links=(LINK,), status=Status.FAILED, error=ValueError("no such index"))
        late["found"] = 3
    search(status=Status.TIMED_OUT, error=TimeoutError())


def test_nested_failed_and_linked_steps_export_equal_spans(monkeypatch):
    """Names, ids, parents, kinds, attributes, events, links, status, scope, resource and times are the same."""
    spans = both(monkeypatch, nested)
    assert [span.name for span in spans] == ["faiss.search", "faiss.search", "outer.work", "faiss.search"]
    outer = spans[2]
    assert [event.name for event in outer.events] == ["codeintel.step", "codeintel.step"]
    assert {span.parent.span_id for span in spans[:2]} == {outer.context.span_id}
    assert len({span.context.trace_id for span in spans}) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "3"),
        ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "2"),
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "5"),
        ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "4"),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "1"),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "0"),
        ("OTEL_SPAN_LINK_COUNT_LIMIT", "0"),
        ("OTEL_ATTRIBUTE_COUNT_LIMIT", "1"),
    ],
)
def test_limits_from_the_environment_cut_both_alike(monkeypatch, name, value):
    """What is dropped and what it is cut to is the SDK's own decision."""
    monkeypatch.setenv(name, value)
    spans = both(monkeypatch, nested)
    assert spans[2].dropped_events == (2 - int(value) if name == "OTEL_SPAN_EVENT_COUNT_LIMIT" else 0)


def test_more_instants_than_a_span_holds_drop_the_oldest(monkeypatch):
    """A loop of instants cannot make a span grow without bound, and the number that is gone is told."""

    def loop() -> None:
        with step("outer.work"):
            for number in range(200):
                emit_step(StepEvent("retrieval.budget", payload={"number": number}))

    (span,) = both(monkeypatch, loop)
    assert (len(span.events), span.dropped_events) == (128, 73)


class Tagging(SpanProcessor):
    """An application's processor that writes to spans when they start, with values of every sort."""

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        span.set_attribute("tenant", "acme")
        span.set_attributes({"list": [1, 2], "codeintel.run.id": "overwritten later", "object": {"a": [1]}})
        span.add_event("started", {"parent": trace.get_current_span(parent_context).get_span_context().span_id}, 1)
        span.update_name(span.name + "!")


class Ending(SpanProcessor):
    """An application's processor that looks at spans right before they end."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def _on_ending(self, span: Any) -> None:
        self.seen.append((span.name, span.end_time is not None, dict(span.attributes)))


def test_processors_that_write_at_the_start_see_the_same_span(monkeypatch):
    """A processor may set attributes, add events and rename a span of ours as one of the SDK's."""
    spans = both(monkeypatch, nested, processors=lambda: (Tagging(),))
    assert all(span.attributes["tenant"] == "acme" and span.name.endswith("!") for span in spans)


def test_processors_that_look_right_before_the_end_are_called(monkeypatch):
    """The SDK's own last hook sees the ended span with all that it says."""
    seen = []
    both(monkeypatch, nested, processors=lambda: (seen.append(Ending()) or seen[-1],))
    assert len(seen[0].seen) == 4
    assert seen[0].seen == seen[1].seen


class Naming(Sampler):
    """A sampler that decides by name, adds attributes and writes into the trace state."""

    def should_sample(self, parent_context, trace_id, name, kind=None, attributes=None, links=None, trace_state=None):
        decision = Decision.RECORD_AND_SAMPLE if name == "faiss.search" else Decision.RECORD_ONLY
        asked = {"asked": f"{name} {kind} {trace_id:x} {attributes} {links}"}
        return SamplingResult(decision, asked, trace.TraceState([("seen", "yes")]))

    def get_description(self) -> str:
        return "Naming"


@pytest.mark.parametrize(
    ("sampler", "count"),
    [
        (ALWAYS_ON, 4),
        (ALWAYS_OFF, 0),
        (ParentBased(ALWAYS_OFF), 0),
        (ParentBased(TraceIdRatioBased(0.5)), None),
        (TraceIdRatioBased(0.0), 0),
        (AlwaysRecordSampler(ALWAYS_OFF), 0),
        (Naming(), 3),
    ],
)
def test_every_sampler_is_asked_alike(monkeypatch, sampler, count):
    """Decision, added attributes, trace state and flags are those of the SDK, whoever decides."""
    spans = both(monkeypatch, nested, sampler=sampler)
    assert count is None or len(spans) == count


@pytest.mark.parametrize("plain_spans", [False, True])
def test_the_ledger_is_told_the_sampling_decision(plain_spans):
    """``sampled`` is the span's own flag: recorded only is not sampled."""
    with exporting(sampler=AlwaysRecordSampler(ALWAYS_OFF), plain_spans=plain_spans):
        assert search().sampled is False
    with exporting(plain_spans=plain_spans):
        assert search().sampled is True


@pytest.mark.parametrize("plain_spans", [False, True])
def test_the_span_carries_the_ids_of_the_step(plain_spans):
    """Trace and span id of span and record are one; parentless steps of an attempt share their trace."""
    with exporting(plain_spans=plain_spans) as exporter:
        steps = [search(), search()]
    spans = exporter.get_finished_spans()
    assert [f"{span.context.span_id:016x}" for span in spans] == [made.span_id for made in steps]
    assert {f"{span.context.trace_id:032x}" for span in spans} == {made.trace_id for made in steps}
    assert len({made.trace_id for made in steps}) == 1


@pytest.mark.parametrize("plain_spans", [False, True])
@pytest.mark.parametrize("sampled", [None, True, False])
def test_a_step_of_a_joined_run_is_a_child_of_the_other_process(plain_spans, sampled):
    """The parent is remote, and its sampling decision is followed."""
    with exporting(plain_spans=plain_spans) as exporter:
        run = recorder.active.process_run
        run.parent_span_id, run.sampled = "b7ad6b7169203331", sampled
        search()
    spans = exporter.get_finished_spans()
    assert len(spans) == (0 if sampled is False else 1)
    assert all(span.parent.is_remote and f"{span.parent.span_id:016x}" == "b7ad6b7169203331" for span in spans)


@pytest.mark.parametrize("plain_spans", [False, True])
def test_in_a_forked_child_spans_go_on_under_the_parents_step(plain_spans):
    """The child has ids of its own, its steps are children of the step around the fork, which stays its parent's."""
    with exporting(plain_spans=plain_spans) as exporter, step("outer.work"):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:  # pragma: no cover - another process
            made = search()
            told = [f"{span.parent.span_id:016x}" for span in exporter.get_finished_spans()]
            os.write(writer, f"{made.span_id} {made.parent_span_id} {' '.join(told)}".encode())
            os._exit(0)
        os.waitpid(child, 0)
        told = os.read(reader, 1000).decode().split()
        mine = search()
    assert told[0] != mine.span_id
    assert told[1:] == [mine.parent_span_id, mine.parent_span_id]
    assert len(exporter.get_finished_spans()) == 2
