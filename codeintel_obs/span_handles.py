"""A step's span on its way, as it stands in `Step.otel`: ours, the SDK's, or one that is not ours to end."""

from __future__ import annotations

from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import trace as api
from opentelemetry.trace.span import DEFAULT_TRACE_STATE

from codeintel_obs.lazy_span import LazySpan, add_link, begin_span, error_of
from codeintel_obs.spans import STEP_EVENT, Spans, event_attributes, failed
from codeintel_obs.steps import Step

_last: tuple[str, int] = ("", 0)


def trace_number(trace_id: str) -> int:
    """Return ``trace_id`` as a number; the last one is remembered, since the roots of a run share theirs."""
    global _last
    known, number = _last
    if known != trace_id:
        number = int(trace_id, 16)
        _last = (trace_id, number)
    return number


def span_context(
    trace_id: int, span_id: int, flags: api.TraceFlags, state: api.TraceState = DEFAULT_TRACE_STATE
) -> api.SpanContext:
    """Return the context of a span of ours."""
    return tuple.__new__(api.SpanContext, (trace_id, span_id, False, flags, state, True))


if span_context(1, 2, api.TraceFlags(1)) != api.SpanContext(1, 2, False, api.TraceFlags(1)):
    # another OpenTelemetry, where a context is made otherwise: by its own constructor, which costs more
    def span_context(
        trace_id: int, span_id: int, flags: api.TraceFlags, state: api.TraceState = DEFAULT_TRACE_STATE
    ) -> api.SpanContext:
        """Return the context of a span of ours."""
        return api.SpanContext(trace_id, span_id, False, flags, state)


class Handle:
    """A lazy span on its way: begun with its step, made when somebody has to see it, handed on by the spans sink."""

    __slots__ = ("_context", "_flags", "_parent", "_recording", "_shape", "_span")

    def __init__(
        self,
        shape: type[LazySpan],
        parent: api.SpanContext | None,
        flags: api.TraceFlags,
        recording: bool,
        context: api.SpanContext | None = None,
    ) -> None:
        self._shape = shape
        self._parent = parent
        self._flags = flags
        self._recording = recording
        self._context = context
        self._span: LazySpan | None = None

    def context(self, step: Step) -> api.SpanContext:
        """Return the span's context, made once: a child takes its parent's."""
        found = self._context
        if found is None:
            parent = self._parent
            if parent is None:
                found = span_context(trace_number(step.trace_id), int(step.span_id, 16), self._flags)
            else:
                found = span_context(parent.trace_id, int(step.span_id, 16), self._flags, parent.trace_state)
            self._context = found
        return found

    def span(self, step: Step) -> LazySpan:
        found = self._span
        if found is None:
            found = self._span = begin_span(self._shape, step, self._context or self.context(step), self._parent)
        return found

    def announce(self, step: Step, attributes: Any, around: Any) -> None:
        """Give the span what the sampler gave it, and tell the processors that it has started."""
        if self._recording:
            span = self.span(step)
            if attributes:
                span.set_attributes(attributes)
            self._shape.pipeline.processor.on_start(span, parent_context=around)

    def hand_on(self, step: Step, spans: Spans, with_event: bool) -> None:
        """End the span and give it to the processors; called by the spans sink, once."""
        if self._recording:
            self._recording = False
            span, pipeline = self.span(step), self._shape.pipeline
            span.finish(spans, with_event=with_event)
            if pipeline.hears_ends:
                pipeline.processor._on_ending(span)  # noqa: SLF001 - the SDK's own step before on_end
            pipeline.hand_over(span)

    def add_event(self, step: Step, name: str, attributes: dict[str, Any], timestamp: int) -> None:
        """Add an instant step's event to the span of the step that it happened in."""
        if self._recording:
            self.span(step).add_event(name, attributes, timestamp)

    def attach(self, step: Step) -> Any:
        """Make the span OpenTelemetry's current one; never one of our private pipeline."""
        if not self._shape.pipeline.adopted:
            return None
        span = self.span(step) if self._recording else api.NonRecordingSpan(self.context(step))
        return otel_context.attach(api.set_span_in_context(span))


class PlainHandle:
    """A step's span made by a tracer of the SDK, or of whatever else the application installed."""

    __slots__ = ("_adopted", "_span")

    def __init__(self, span: Any, *, adopted: bool) -> None:
        self._span = span
        self._adopted = adopted

    def context(self, _step: Step) -> api.SpanContext:
        found: api.SpanContext = self._span.get_span_context()
        return found

    def hand_on(self, step: Step, spans: Spans, with_event: bool) -> None:
        """End the span; called by the spans sink, once."""
        span = self._span
        span.set_attributes(spans.attributes(step))
        for link in step.links:
            add_link(span, link)
        if failed(step):
            span.set_status(error_of(step))
        if with_event:
            span.add_event(STEP_EVENT, event_attributes(step), step.end_ts_ns)
        span.end(step.end_ts_ns)

    def add_event(self, _step: Step, name: str, attributes: dict[str, Any], timestamp: int) -> None:
        """Add an instant step's event to the span of the step that it happened in."""
        self._span.add_event(name, attributes, timestamp)

    def attach(self, _step: Step) -> Any:
        """Make the span OpenTelemetry's current one; never one of our private pipeline."""
        return otel_context.attach(api.set_span_in_context(self._span)) if self._adopted else None


class Annotation:
    """A span that is not ours to end: of a library that makes its own, or the one in which an instant happened."""

    __slots__ = ("_attributes", "_span")

    def __init__(self, span: Any, *, attributes: bool) -> None:
        self._span = span
        self._attributes = attributes

    def context(self, _step: Step) -> api.SpanContext:
        found: api.SpanContext = self._span.get_span_context()
        return found

    def hand_on(self, step: Step, spans: Spans, with_event: bool) -> None:
        """Add the step's attributes and event to the span."""
        if self._attributes:
            self._span.set_attributes(spans.attributes(step))
        if with_event:
            self._span.add_event(STEP_EVENT, event_attributes(step), step.end_ts_ns)

    def add_event(self, _step: Step, name: str, attributes: dict[str, Any], timestamp: int) -> None:
        """Add an instant step's event to the span."""
        self._span.add_event(name, attributes, timestamp)

    def attach(self, _step: Step) -> None:
        """Do nothing: the library's span is the current one already."""


class OnParent:
    """Where an instant step goes: onto the span of the step that it happened in."""

    __slots__ = ("_holder",)

    def __init__(self, holder: Step) -> None:
        self._holder = holder

    def hand_on(self, step: Step, _spans: Spans, with_event: bool) -> None:
        """Add the instant's event to its parent's span."""
        if with_event:
            self._holder.otel.add_event(self._holder, STEP_EVENT, event_attributes(step), step.ts_ns)
