"""How spans come to be: lazily, of a class of our own, or by the SDK as the conformance reference; both export equal spans."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import trace as api
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Decision, ParentBased, Sampler
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace.status import Status as SpanStatus
from opentelemetry.trace.status import StatusCode

from codeintel_obs.runs import new_span_id
from codeintel_obs.spans import (
    SCOPE_PREFIX,
    STEP_EVENT,
    Private,
    Spans,
    event_attributes,
    failed,
    minted_ids,
    minting,
)
from codeintel_obs.steps import Step

_KINDS = {kind.name.lower(): kind for kind in api.SpanKind}
_UNSET = SpanStatus(StatusCode.UNSET)
_SAMPLED = api.TraceFlags(api.TraceFlags.SAMPLED)
_NOT_SAMPLED = api.TraceFlags(api.TraceFlags.DEFAULT)
_SILENT_ON_START = (BatchSpanProcessor.on_start, SimpleSpanProcessor.on_start, SpanProcessor.on_start)


class OurIds(IdGenerator):
    """Ids of the step being begun: the SDK's generator draws from the application's global ``random``."""

    def generate_span_id(self) -> int:
        return minted_ids()[1] or int(new_span_id(), 16)

    def generate_trace_id(self) -> int:
        return minted_ids()[0]


class Pipeline:
    """Where spans go: a sampler, a resource and a processor, read from a provider or our own."""

    __slots__ = (
        "ids",
        "limits",
        "notify_start",
        "processor",
        "resource",
        "sampler",
        "scopes",
        "simple_sampler",
    )

    def __init__(self, resource: Any, sampler: Sampler, processor: SpanProcessor, ids: IdGenerator | None) -> None:
        self.resource = resource
        self.sampler = sampler
        self.processor = processor
        self.ids = ids
        self.scopes: dict[str, InstrumentationScope] = {}
        self.simple_sampler = _always_follows_parent(sampler)
        self.notify_start = True

    def scope(self, source: str) -> InstrumentationScope:
        scope = self.scopes.get(source)
        if scope is None:
            scope = self.scopes[source] = InstrumentationScope(SCOPE_PREFIX + source, "")
        return scope

    def hears_starts(self) -> bool:
        """Whether a processor of this pipeline does anything at a span's start."""
        members = getattr(self.processor, "_span_processors", (self.processor,))
        return any(type(member).on_start not in _SILENT_ON_START for member in members)


def _always_follows_parent(sampler: Sampler) -> bool:
    """Whether the decision is the parent's, and yes at a root: OpenTelemetry's default."""
    if sampler is ALWAYS_ON or type(sampler) is type(ALWAYS_ON):
        return False
    return (
        type(sampler) is ParentBased
        and getattr(sampler, "_root", None) is ALWAYS_ON
        and all(
            type(getattr(sampler, name, None)) is type(getattr(reference, name))
            for reference in (ParentBased(ALWAYS_ON),)
            for name in (
                "_remote_parent_sampled",
                "_remote_parent_not_sampled",
                "_local_parent_sampled",
                "_local_parent_not_sampled",
            )
        )
    )


class LazySpan(api.Span, ReadableSpan):
    """A span of ours: what the SDK's has, without its locks and copies. Ended once, by the step that owns it."""

    def __init__(
        self,
        name: str,
        context: api.SpanContext,
        parent: api.SpanContext | None,
        pipeline: Pipeline,  # noqa: D107
        scope: InstrumentationScope,
        kind: api.SpanKind,
        start_time: int,
    ) -> None:
        # Set directly: ReadableSpan.__init__ is a third of the price of a whole step.
        self._name = name
        self._context = context
        self._parent = parent
        self._resource = pipeline.resource
        self._pipeline = pipeline
        self._instrumentation_scope = scope
        self._instrumentation_info = None
        self._kind = kind
        self._start_time = start_time
        self._end_time: int | None = None
        self._attributes: dict[str, Any] = {}
        self._events: list[Event] = []
        self._links: list[api.Link] = []
        self._status = _UNSET

    def get_span_context(self) -> api.SpanContext:
        found: api.SpanContext = self._context
        return found

    @property
    def attributes(self) -> Mapping[str, Any]:
        return MappingProxyType(self._attributes)

    def is_recording(self) -> bool:
        return self._end_time is None

    def set_attribute(self, key: str, value: Any) -> None:
        if self._end_time is None:
            self._attributes[key] = value

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        if self._end_time is None:
            self._attributes.update(attributes)

    def add_event(self, name: str, attributes: Any = None, timestamp: int | None = None) -> None:
        if self._end_time is None:
            self._events.append(Event(name, dict(attributes or {}), timestamp))

    def add_link(self, context: api.SpanContext, attributes: Any = None) -> None:
        if self._end_time is None:
            self._links.append(api.Link(context, attributes))

    def update_name(self, name: str) -> None:
        if self._end_time is None:
            self._name = name

    def set_status(self, status: Any, description: str | None = None) -> None:
        if self._end_time is None and self._status.status_code is not StatusCode.OK:
            self._status = status if isinstance(status, SpanStatus) else SpanStatus(status, description)

    def record_exception(
        self,
        exception: BaseException,
        attributes: Any = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        kept = {
            "exception.type": type(exception).__qualname__,
            "exception.escaped": str(escaped),
            **(attributes or {}),
        }
        self.add_event("exception", kept, timestamp)

    def end(self, end_time: int | None = None) -> None:
        """Do nothing: the step ends its span, not who happens to see it as the current one."""


class Handle:
    """A step's span on its way: begun, finished by the recorder, handed on by the spans sink."""

    __slots__ = ("_parent", "_pipeline", "_scope", "_span", "annotates", "ready", "span_kind")

    def __init__(self, pipeline: Pipeline, step: Step, parent: api.SpanContext | None, span_kind: str) -> None:
        self._pipeline = pipeline
        self._parent = parent
        self._scope = pipeline.scope(step.source)
        self._span: LazySpan | None = None
        self.span_kind = _KINDS[span_kind]
        self.ready = False

    def context(self, step: Step) -> api.SpanContext:
        flags = _SAMPLED if step.sampled else _NOT_SAMPLED
        state = self._parent.trace_state if self._parent is not None else None
        return api.SpanContext(int(step.trace_id, 16), int(step.span_id, 16), False, flags, state)

    def span(self, step: Step) -> LazySpan:
        if self._span is None:
            self._span = LazySpan(
                step.kind,
                self.context(step),
                self._parent,
                self._pipeline,
                self._scope,
                self.span_kind,
                step.ts_ns,
            )
        return self._span

    def announce(self, step: Step, parent_context: Any) -> None:
        """Tell the processors that listen that the span has started."""
        if step.sampled and self._pipeline.hears_starts():
            self._pipeline.processor.on_start(self.span(step), parent_context)  # type: ignore[arg-type]

    def finish(self, step: Step, spans: Spans) -> None:
        if not step.sampled:
            return
        span = self.span(step)
        span._attributes.update(spans.attributes(step))  # noqa: SLF001 - its own module
        for link in step.links:
            context = _context_of(link)
            if context is not None:
                span.add_link(context)
        if failed(step):
            span.set_status(SpanStatus(StatusCode.ERROR, step.detail or (step.error and step.error.message)))
        self.ready = True

    def hand_on(self, step: Step, *, with_event: bool) -> None:
        """Attach the step event and give the ended span to the processors; called by the spans sink, once."""
        if not self.ready:
            return
        self.ready = False
        span = self.span(step)
        if with_event:
            span.add_event(STEP_EVENT, event_attributes(step), step.end_ts_ns)
        span._end_time = step.end_ts_ns  # noqa: SLF001 - its own module
        self._pipeline.processor.on_end(span)

    def add_event(self, step: Step, name: str, attributes: dict[str, Any], timestamp: int) -> None:
        """Add an instant step's event to the span of the step that it happened in."""
        if step.sampled:
            self.span(step).add_event(name, attributes, timestamp)

    def attach(self) -> Any:
        span = self._span
        if span is None:
            return None
        return otel_context.attach(api.set_span_in_context(span))


class LazyMaker:
    """Makes `LazySpan`s for one pipeline. ``adopted``: parents come from OpenTelemetry's own current span."""

    def __init__(self, pipeline: Pipeline, *, adopted: bool) -> None:
        self._pipeline = pipeline
        self._adopted = adopted

    def start(self, step: Step, annotate: bool, span_kind: str) -> None:  # noqa: FBT001 - one caller, three makers
        parent = self._parent(step)
        if annotate and self._adopted and api.get_current_span().is_recording():
            step.otel = Annotation(api.get_current_span())
            self._follow(step, parent)
            return
        if parent is not None:
            self._follow(step, parent)
        elif self._pipeline.ids is not None and step.parent is None and step.run.parent_span_id is None:
            step.trace_id = f"{self._pipeline.ids.generate_trace_id():032x}"
        step.sampled = self._decide(step, parent)
        step.otel = handle = Handle(self._pipeline, step, parent, span_kind)
        if self._adopted:
            handle.span(step)
            handle.announce(step, otel_context.get_current())
        elif step.sampled and self._pipeline.hears_starts():
            handle.announce(step, _context_with(parent))

    def locate(self, step: Step) -> None:
        parent = self._parent(step)
        if parent is not None:
            self._follow(step, parent)
            step.sampled = parent.trace_flags.sampled

    @staticmethod
    def _follow(step: Step, parent: api.SpanContext | None) -> None:
        if parent is not None:
            step.trace_id = f"{parent.trace_id:032x}"
            step.parent_span_id = f"{parent.span_id:016x}"

    def _parent(self, step: Step) -> api.SpanContext | None:
        if self._adopted:
            context = api.get_current_span().get_span_context()
            if context.is_valid:
                return context
        if step.parent is not None:
            holder = step.parent
            if isinstance(holder.otel, Handle):
                return holder.otel.context(holder)
            flags = _SAMPLED if holder.sampled else _NOT_SAMPLED
            return api.SpanContext(int(holder.trace_id, 16), int(holder.span_id, 16), False, flags)
        if step.run.parent_span_id:
            flags = _NOT_SAMPLED if step.run.sampled is False else _SAMPLED
            return api.SpanContext(int(step.run.trace_id, 16), int(step.run.parent_span_id, 16), True, flags)
        return None

    def _decide(self, step: Step, parent: api.SpanContext | None) -> bool:
        if self._pipeline.simple_sampler:
            return parent is None or parent.trace_flags.sampled
        decision = self._pipeline.sampler.should_sample(_context_with(parent), int(step.trace_id, 16), step.kind)
        return decision.decision is not Decision.DROP


class Annotation:
    """The span of a library that makes its own: the step's event and attributes are added to it."""

    __slots__ = ("_span",)

    def __init__(self, span: Any) -> None:
        self._span = span

    def finish(self, step: Step, spans: Spans) -> None:
        self._span.set_attributes(spans.attributes(step))

    def hand_on(self, step: Step, *, with_event: bool) -> None:
        if with_event:
            self._span.add_event(STEP_EVENT, event_attributes(step), step.end_ts_ns)

    def add_event(self, _step: Step, name: str, attributes: dict[str, Any], timestamp: int) -> None:
        self._span.add_event(name, attributes, timestamp)

    def attach(self) -> None:
        return None


class PlainHandle:
    """A step's span made by a tracer of the SDK, or of whatever else the application installed."""

    __slots__ = ("_span",)

    def __init__(self, span: Any) -> None:
        self._span = span

    def finish(self, step: Step, spans: Spans) -> None:
        self._span.set_attributes(spans.attributes(step))
        for link in step.links:
            context = _context_of(link)
            if context is not None:
                self._span.add_link(context)
        if failed(step):
            self._span.set_status(SpanStatus(StatusCode.ERROR, step.detail or (step.error and step.error.message)))

    def hand_on(self, step: Step, *, with_event: bool) -> None:
        if with_event:
            self._span.add_event(STEP_EVENT, event_attributes(step), step.end_ts_ns)
        self._span.end(step.end_ts_ns)

    def add_event(self, _step: Step, name: str, attributes: dict[str, Any], timestamp: int) -> None:
        self._span.add_event(name, attributes, timestamp)

    def context(self, _step: Step) -> api.SpanContext:
        found: api.SpanContext = self._span.get_span_context()
        return found

    def attach(self) -> Any:
        return otel_context.attach(api.set_span_in_context(self._span))


class PlainMaker(LazyMaker):
    """Makes spans through a provider's tracer: the reference, and the way for providers that are not the SDK's."""

    def __init__(self, provider: Any, *, adopted: bool) -> None:
        self._provider = provider
        self._adopted = adopted
        self._tracers: dict[str, Any] = {}

    def start(self, step: Step, annotate: bool, span_kind: str) -> None:  # noqa: FBT001 - as its base
        parent = self._parent(step)
        if annotate and api.get_current_span().is_recording():
            step.otel = Annotation(api.get_current_span())
            self._follow(step, parent)
            return
        self._follow(step, parent)
        with minting(step):
            span = self._tracer(step.source).start_span(
                step.kind, _context_with(parent), _KINDS[span_kind], start_time=step.ts_ns
            )
        context = span.get_span_context()
        if context.is_valid:
            step.trace_id, step.sampled = f"{context.trace_id:032x}", bool(context.trace_flags.sampled)
            step.span_id = f"{context.span_id:016x}"
        step.otel = PlainHandle(span)

    def _tracer(self, source: str) -> Any:
        tracer = self._tracers.get(source)
        if tracer is None:
            tracer = self._tracers[source] = self._provider.get_tracer(SCOPE_PREFIX + source)
            if isinstance(getattr(tracer, "id_generator", None), RandomIdGenerator):
                tracer.id_generator = OurIds()  # this scope's tracer only
        return tracer

    def _parent(self, step: Step) -> api.SpanContext | None:
        if not self._adopted and step.parent is not None and isinstance(step.parent.otel, PlainHandle):
            return step.parent.otel.context(step.parent)
        return super()._parent(step)


def maker_for_private(private: Private, *, plain: bool) -> LazyMaker:
    """Return the maker for our own pipeline, whose processor comes to be now."""
    if private.processor is None:
        private.processor = private.make_processor()
    if plain:
        provider = private.provider = TracerProvider(
            private.sampler, private.resource, shutdown_on_exit=False, id_generator=OurIds()
        )
        provider.add_span_processor(private.processor)
        return PlainMaker(provider, adopted=False)
    return LazyMaker(Pipeline(private.resource, private.sampler, private.processor, None), adopted=False)


def maker_for_global(provider: Any, *, plain: bool) -> LazyMaker | None:
    """Return the maker for a provider that the application installed, or None when it makes no spans."""
    if provider is None or isinstance(provider, (api.NoOpTracerProvider, api.ProxyTracerProvider)):
        return None
    processor = getattr(provider, "_active_span_processor", None)
    whole = isinstance(provider, TracerProvider) and processor is not None and not getattr(provider, "_disabled", False)
    if plain or not whole:
        return PlainMaker(provider, adopted=True)
    ids = provider.id_generator
    own_ids = None if type(ids) is RandomIdGenerator else ids  # an X-Ray generator's trace ids carry meaning
    return LazyMaker(Pipeline(provider.resource, provider.sampler, processor, own_ids), adopted=True)


def _context_with(parent: api.SpanContext | None) -> Any:
    return api.set_span_in_context(api.NonRecordingSpan(parent), otel_context.Context()) if parent else None


def _context_of(link: Any) -> api.SpanContext | None:
    if not link.trace_id or not link.span_id:
        return None
    return api.SpanContext(int(link.trace_id, 16), int(link.span_id, 16), True, _SAMPLED)
