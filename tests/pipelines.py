"""OpenTelemetry pipelines that end in memory, and spans as plain data; shared by the tests of spans and logs."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import DEFAULT_ON
from opentelemetry.util._once import Once

from codeintel_obs import recorder, runs
from codeintel_obs.recorder import Listeners
from codeintel_obs.sinks.spans import SpansSink
from codeintel_obs.spans import Private
from codeintel_obs.steps import Link, Status
from codeintel_obs.testing import recording

SEMANTICS = {
    "faiss.search": lambda payload: {
        "db.system.name": "faiss",
        "db.operation.batch.size": payload.get("nq"),
        "gen_ai.response.finish_reasons": ["stop", "length"],
        "unknown": None,
    }
}


def fix_ids_and_clock(monkeypatch: Any) -> None:
    """Let the next recording have the same ids and times as every other that this was called for."""
    clock = itertools.count(1_700_000_000_000_000_000, 1_000)
    monkeypatch.setattr(runs, "_random", random.Random(7))
    monkeypatch.setattr(runs, "_spare", [])
    monkeypatch.setattr(runs, "new_run_id", lambda: "run-1")
    monkeypatch.setattr(recorder, "time_ns", clock.__next__)
    monkeypatch.setattr(recorder, "monotonic_ns", clock.__next__)


@contextmanager
def exporting(sampler: Any = DEFAULT_ON, processors: tuple[SpanProcessor, ...] = (), **settings: Any) -> Iterator[Any]:
    """Record with a private pipeline that ends in memory; ``processors`` are put in front of it."""
    exporter = InMemorySpanExporter()
    chain = SimpleSpanProcessor(exporter)
    if processors:
        multi = trace_multi()
        for each in (*processors, chain):
            multi.add_span_processor(each)
        chain = multi
    private = Private(Resource({"service.name": "test"}), sampler, lambda: chain)
    with spans_sink(private, **settings):
        yield exporter


def trace_multi() -> Any:
    """Return the SDK's own processor of processors."""
    from opentelemetry.sdk.trace import SynchronousMultiSpanProcessor

    return SynchronousMultiSpanProcessor()


@contextmanager
def spans_sink(private: Private | None = None, *plugins: Any, **settings: Any) -> Iterator[Any]:
    """Record with the spans sink, and what else ``settings`` ask for."""
    sink = SpansSink()
    with recording(
        *plugins, private=private, listeners=[Listeners(step_ended=(sink.obs_step_ended,))], **settings
    ) as told:
        active = recorder.active
        active.process_run.ledger_path = "/ledger.jsonl"
        active.spans.semantics.update(SEMANTICS)
        sink.configure(active.settings, active, dict)
        yield told


@contextmanager
def global_provider(provider: Any) -> Iterator[Any]:
    """Let ``provider`` be the global one, as an application sets it; None for an application that has none yet."""
    before, once = trace._TRACER_PROVIDER, trace._TRACER_PROVIDER_SET_ONCE
    trace._TRACER_PROVIDER, trace._TRACER_PROVIDER_SET_ONCE = None, Once()
    if provider is not None:
        trace.set_tracer_provider(provider)
    try:
        yield provider
    finally:
        trace._TRACER_PROVIDER, trace._TRACER_PROVIDER_SET_ONCE = before, once


def in_memory(**options: Any) -> tuple[TracerProvider, InMemorySpanExporter]:
    """Return an application's own SDK provider, and where its spans end."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False, **options)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider, exporter


def search(k: int = 10, links: tuple[Link, ...] = (), status: Status = Status.COMPLETED, error: Any = None) -> Any:
    """Record a search as an instrumentor does, and return its step."""
    active = recorder.active
    step = active.begin("faiss.search", "faiss", {"k": k, "nq": 2}, 0, False, "client")
    step.links += links
    detail = None if status is Status.COMPLETED else "cancelled"
    ended = active.end(step, status, {"missing": 0}, detail, active.error(error) if error else None)
    assert ended
    for listener in active.listeners.step_ended:
        listener(step)
    return step


def plain(span: Any) -> dict[str, Any]:
    """Return every field of an exported span as plain data, the order of its attributes included."""
    info = span._instrumentation_info
    return {
        "name": span.name,
        "context": _context(span.context),
        "parent": _context(span.parent),
        "kind": span.kind,
        "attributes": list(span.attributes.items()),
        "events": [
            (event.name, event.timestamp, list(event.attributes.items()), event.dropped_attributes)
            for event in span.events
        ],
        "links": [(_context(link.context), dict(link.attributes or {})) for link in span.links],
        "dropped": (span.dropped_attributes, span.dropped_events, span.dropped_links),
        "status": (span.status.status_code, span.status.description),
        "times": (span.start_time, span.end_time),
        "resource": dict(span.resource.attributes),
        "scope": span.instrumentation_scope,
        "info": (info.name, info.version, info.schema_url),
    }


def _context(context: Any) -> Any:
    if context is None:
        return None
    flags, state = int(context.trace_flags), dict(context.trace_state)
    return context.trace_id, context.span_id, flags, state, context.is_remote, context.is_valid
