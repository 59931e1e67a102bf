"""An application's own tracer provider is adopted: its sampler, resource and processors, and its spans around ours."""

from __future__ import annotations

import random
import sys
from typing import Any

import processes
import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, DEFAULT_ON, ParentBased, TraceIdRatioBased
from pipelines import exporting, fix_ids_and_clock, global_provider, in_memory, plain, search, spans_sink

from codeintel_obs import emit_step, recorder, step
from codeintel_obs.steps import Status, StepEvent

BOTH = pytest.mark.parametrize("plain_spans", [False, True])


def mixed(tracer: Any) -> None:
    """The application's spans around, between and under our steps."""
    with tracer.start_as_current_span("request"):
        search()
        with step("outer.work"):
            emit_step(StepEvent("retrieval.budget", Status.SKIPPED))
            with tracer.start_as_current_span("inside"):
                search(status=Status.FAILED, error=ValueError("no"))
                emit_step(StepEvent("retrieval.budget", Status.SKIPPED))
                trace.get_current_span().set_attribute("mine", 1)
            trace.get_current_span().set_attribute("theirs", 2)
    search()


def test_lazy_and_plain_spans_are_equal_in_an_adopted_provider(monkeypatch):
    """The application's exporters see the same spans whichever way ours are made."""
    exported = []
    for plain_spans in (False, True):
        fix_ids_and_clock(monkeypatch)
        provider, exporter = in_memory(resource=Resource({"service.name": "app"}))
        random.seed(42)  # its own ids come from here
        with global_provider(provider), spans_sink(plain_spans=plain_spans):
            mixed(provider.get_tracer("app"))
        exported.append([plain(span) for span in exporter.get_finished_spans()])
    ours = [[span for span in spans if span["scope"].name != "app"] for spans in exported]
    assert ours[0] == ours[1]
    assert {span["resource"]["service.name"] for span in ours[0]} == {"app"}


@BOTH
def test_their_spans_nest_under_ours_and_ours_under_theirs(plain_spans):
    """One tree: the parent of each span is the innermost one around it, whoever made it."""
    provider, exporter = in_memory()
    with global_provider(provider), spans_sink(plain_spans=plain_spans) as told:
        mixed(provider.get_tracer("app"))
    spans = exporter.get_finished_spans()
    names = {span.context.span_id: f"{span.name}" for span in spans}
    tree = [(span.name, names.get(span.parent.span_id) if span.parent else None) for span in spans]
    assert tree == [
        ("faiss.search", "request"),
        ("faiss.search", "inside"),
        ("inside", "outer.work"),
        ("outer.work", "request"),
        ("request", None),
        ("faiss.search", None),
    ]
    by_id = {f"{span.context.span_id:016x}": span for span in spans}
    for made in told.steps:
        if not made.instant and made.parent_span_id:
            assert f"{by_id[made.span_id].parent.span_id:016x}" == made.parent_span_id


@BOTH
def test_an_instant_goes_onto_the_current_span(plain_spans):
    """Ours, or the application's when that is the innermost; the record names the same span as its parent."""
    provider, exporter = in_memory()
    with global_provider(provider), spans_sink(plain_spans=plain_spans) as told:
        mixed(provider.get_tracer("app"))
    holders = {
        f"{span.context.span_id:016x}": span.name
        for span in exporter.get_finished_spans()
        for event in span.events
        if event.attributes["codeintel.step.status"] == "skipped"
    }
    assert sorted(holders.values()) == ["inside", "outer.work"]
    assert {made.parent_span_id for made in told.steps if made.instant} == set(holders)


@BOTH
def test_the_applications_sampler_decides(plain_spans):
    """With a sampler that says no, no span is recorded, and the ledger says so."""
    provider, exporter = in_memory(sampler=ALWAYS_OFF)
    with global_provider(provider), spans_sink(plain_spans=plain_spans) as told, step("outer.work"):
        assert not trace.get_current_span().is_recording()
        assert trace.get_current_span().get_span_context().is_valid
        search()
    assert exporter.get_finished_spans() == ()
    assert [made.sampled for made in told.steps] == [False, False]


class FromBaggage(SpanProcessor):
    """Copies baggage onto spans, as OpenTelemetry's own contributed processor does."""

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        span.set_attributes(baggage.get_all(parent_context))


@BOTH
def test_the_applications_processors_see_its_context(plain_spans):
    """A processor that reads baggage from the context of the start finds it."""
    provider, exporter = in_memory()
    provider.add_span_processor(FromBaggage())
    with global_provider(provider), spans_sink(plain_spans=plain_spans):
        token = context.attach(baggage.set_baggage("tenant", "acme"))
        search()
        context.detach(token)
    assert exporter.get_finished_spans()[0].attributes["tenant"] == "acme"


@BOTH
def test_a_provider_set_in_mid_run_takes_over_from_the_next_step_on(plain_spans):
    """The step around stays in our own pipeline and is never OpenTelemetry's current span; the next one is theirs."""
    provider, theirs = in_memory()
    with global_provider(None), exporting(plain_spans=plain_spans) as ours, step("outer.work"):
        search()
        assert not trace.get_current_span().get_span_context().is_valid
        trace.set_tracer_provider(provider)
        late = search()
    assert [span.name for span in ours.get_finished_spans()] == ["faiss.search", "outer.work"]
    (span,) = theirs.get_finished_spans()
    assert f"{span.context.span_id:016x}" == late.span_id
    assert f"{span.parent.span_id:016x}" == late.parent_span_id == late.parent.span_id


@BOTH
def test_a_step_that_began_before_there_was_any_pipeline_does_not_unsample_its_children(plain_spans):
    """Nobody decided about the step around, so the application's sampler decides about a root of its trace."""
    provider, theirs = in_memory()
    with global_provider(None), spans_sink(plain_spans=plain_spans), step("outer.work"):
        trace.set_tracer_provider(provider)
        late = search()
    (span,) = theirs.get_finished_spans()
    assert span.parent is None
    assert f"{span.context.trace_id:032x}" == late.trace_id == late.parent.trace_id
    assert late.parent_span_id == late.parent.span_id


@BOTH
def test_while_private_the_applications_sampler_does_not_follow_us(plain_spans):
    """An application's spans beside ours have the parent and the sampling that they have without us."""
    local, theirs = in_memory(sampler=ParentBased(TraceIdRatioBased(1.0)))
    with global_provider(None), exporting(sampler=ALWAYS_OFF, plain_spans=plain_spans), step("outer.work"):
        local.get_tracer("app").start_span("mine").end()
    assert theirs.get_finished_spans()[0].parent is None


@BOTH
def test_while_private_our_spans_do_not_follow_the_applications(plain_spans):
    """A provider that the application keeps to itself is not adopted, and its current span is no parent of ours."""
    local, _ = in_memory()
    with global_provider(None), exporting(plain_spans=plain_spans) as ours:
        with local.get_tracer("app").start_as_current_span("mine"):
            made = search()
        assert made.trace_id == recorder.active.process_run.trace_id
    assert ours.get_finished_spans()[0].parent is None


class HandWritten(trace.TracerProvider):
    """A provider that is not the SDK's, as vendors write them."""

    def __init__(self) -> None:
        self.spans: list[Any] = []

    def get_tracer(self, instrumenting_module_name: str, *_args: Any, **_more: Any) -> Any:
        return HandWrittenTracer(self, instrumenting_module_name)


class HandWrittenTracer(trace.Tracer):
    def __init__(self, provider: HandWritten, scope: str) -> None:
        self.provider, self.scope = provider, scope

    def start_span(self, name, context=None, kind=trace.SpanKind.INTERNAL, **more):
        parent = trace.get_current_span(context).get_span_context()
        span = HandWrittenSpan(name, parent, len(self.provider.spans) + 1)
        self.provider.spans.append(span)
        return span

    start_as_current_span = None


class HandWrittenSpan(trace.NonRecordingSpan):
    def __init__(self, name: str, parent: Any, number: int) -> None:
        super().__init__(trace.SpanContext(99, number, False, trace.TraceFlags(1)))
        self.name, self.parent, self.told, self.ended = name, parent.span_id, {}, False

    def set_attributes(self, attributes):
        self.told.update(attributes)

    def end(self, end_time=None):
        self.ended = True


def test_a_provider_that_is_not_the_sdks_makes_our_spans_through_its_tracer():
    """Its ids are taken over, so record and span are one; a span class that cannot link is not asked to."""
    provider = HandWritten()
    with global_provider(provider), spans_sink(plain_spans=False) as told, step("outer.work"):
        search()
    assert [(span.name, span.parent, span.ended) for span in provider.spans] == [
        ("outer.work", 0, True),
        ("faiss.search", 1, True),
    ]
    assert [(made.kind, made.span_id, made.parent_span_id) for made in told.steps] == [
        ("faiss.search", f"{2:016x}", f"{1:016x}"),
        ("outer.work", f"{1:016x}", None),
    ]
    assert provider.spans[1].told["codeintel.step.id"] == f"{2:016x}"


@pytest.mark.parametrize("provider", [trace.NoOpTracerProvider(), trace.ProxyTracerProvider()])
def test_a_provider_that_makes_nothing_leaves_our_own_pipeline_in_place(provider):
    """Nothing is adopted: our spans are exported where our endpoint is."""
    with global_provider(provider), exporting() as ours:
        search()
        assert recorder.active.spans.adopted is None
    assert len(ours.get_finished_spans()) == 1


class Marked(RandomIdGenerator):
    """An id generator whose trace ids carry meaning, as X-Ray's do."""

    def generate_trace_id(self) -> int:
        return 0xABC << 116 | super().generate_trace_id() >> 12

    def is_trace_id_random(self) -> bool:
        return False


@BOTH
def test_an_applications_own_id_generator_makes_the_trace_ids(plain_spans):
    """Once for a run: its roots share a trace, in spans and records alike."""
    provider, exporter = in_memory(id_generator=Marked())
    with global_provider(provider), spans_sink(plain_spans=plain_spans):
        steps = [search(), search()]
    spans = exporter.get_finished_spans()
    assert {f"{span.context.trace_id:032x}" for span in spans} == {made.trace_id for made in steps}
    assert len({made.trace_id for made in steps}) == 1
    assert steps[0].trace_id.startswith("abc")
    assert {int(span.context.trace_flags) for span in spans} == {1}


@BOTH
def test_a_failing_sampler_costs_the_span_and_not_the_step(plain_spans):
    """What the application's sampler raises is a fault that is counted; the step is on record."""

    class Broken(type(DEFAULT_ON)):
        def should_sample(self, *args: Any, **more: Any) -> Any:
            raise RuntimeError("sampler")

    provider, _ = in_memory(sampler=Broken(ALWAYS_OFF))
    with global_provider(provider), spans_sink(plain_spans=plain_spans, strict=False) as told:
        search()
    assert [made.kind for made in told.steps] == ["faiss.search"]
    assert told.records[0].event == "fault"


SEEDED = """
import random
{start}
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry import trace
{provider}
random.seed(42)
import json, logging
import faiss, numpy
index = faiss.IndexFlatL2(4)
numbers, ids = [], []
for _ in range(5):
    index.add(numpy.zeros((1, 4), "f4"))
    numbers.append(random.random())
random.seed(42)
index.add(numpy.zeros((1, 4), "f4"))
print(numbers, random.random())
"""


@pytest.mark.parametrize("provider", ["", "trace.set_tracer_provider(TracerProvider())"])
def test_a_seeded_applications_random_sequence_stays(tmp_path, provider):
    """With and without us, with and without a provider of its own: the same numbers."""

    def run(start: str, **more: str) -> str:
        code = SEEDED.format(start=start, provider=provider)
        ended = processes.run(tmp_path, sys.executable, "-c", code, **more)
        assert (ended.returncode, ended.stderr) == (0, "")
        return ended.stdout

    started = run("import codeintel_obs; assert codeintel_obs.start()")
    assert run("") == started
    ids = [each["span_id"] for each in processes.records(tmp_path) if each["event"] == "step.begin"]
    assert len(ids) >= 6
    assert len(ids) == len(set(ids))
