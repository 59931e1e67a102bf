"""How a step's span comes to be: lazily, or by the SDK as the conformance reference; both export equal spans."""

from __future__ import annotations

import contextvars
import os
from typing import Any, Final
from weakref import WeakKeyDictionary

from opentelemetry import context as otel_context
from opentelemetry import trace as api
from opentelemetry.sdk import trace as sdk
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace.span import DEFAULT_TRACE_STATE

from codeintel_obs import guard
from codeintel_obs.lazy_span import KINDS, ForkedResource, LazySpan, Pipeline
from codeintel_obs.runs import Run, new_span_id
from codeintel_obs.span_handles import Annotation, Handle, OnParent, PlainHandle, span_context, trace_number
from codeintel_obs.spans import SCOPE_PREFIX, Private, minted_ids, minting
from codeintel_obs.steps import Step

_NOT_SAMPLED: Final = api.TraceFlags(api.TraceFlags.DEFAULT)
_SAMPLED: Final = api.TraceFlags(api.TraceFlags.SAMPLED)
# Our trace ids are random, which newer SDKs say in the flags of a root span.
_RANDOM: Final = getattr(api.TraceFlags, "RANDOM_TRACE_ID", 0) if hasattr(IdGenerator, "is_trace_id_random") else 0
_KEPT: Final = api.TraceFlags.SAMPLED | _RANDOM
_FLAGS: Final = {value: api.TraceFlags(value) for value in range(4)}
_NOWHERE: Final = otel_context.Context()


class OurIds(IdGenerator):
    """Ids of the step being begun: the SDK's generator draws from the application's global ``random``.

    ``theirs`` makes the trace ids where the application brought a generator whose trace ids carry meaning.
    """

    def __init__(self, theirs: IdGenerator | None = None) -> None:
        self._theirs = theirs

    def generate_span_id(self) -> int:
        return minted_ids()[1] or int(new_span_id(), 16)

    def generate_trace_id(self) -> int:
        return minted_ids()[0]

    def is_trace_id_random(self) -> bool:
        return _is_random(self._theirs)


def _is_random(theirs: IdGenerator | None) -> bool:
    return theirs is None or bool(getattr(theirs, "is_trace_id_random", bool)())


class Maker:
    """What both ways have in common: whose child a span is. ``adopted``: OpenTelemetry's current span comes first."""

    def __init__(self, ids: IdGenerator | None, *, adopted: bool) -> None:
        self.ids = ids
        self.adopted = adopted
        self._traces: WeakKeyDictionary[Run, str] = WeakKeyDictionary()

    def start(self, step: Step, annotate: bool | tuple[str, ...], span_kind: str) -> None:
        raise NotImplementedError

    def locate(self, step: Step, pinned: bool) -> None:
        """Say where an instant step's event goes, and take the trace of that span."""
        current = api.get_current_span() if self.adopted and not pinned else None
        if current is not None and current.is_recording():
            step.otel = Annotation(current, attributes=False)
            self._follow(step, current.get_span_context())
        elif step.parent is not None and step.parent.otel is not None:
            step.otel = OnParent(step.parent)
        parent = self._parent(step)
        step.sampled = parent.trace_flags.sampled if parent is not None else step.run.sampled

    def _parent(self, step: Step) -> api.SpanContext | None:
        """Return the context of the span around ``step``: OpenTelemetry's, its parent's, or another process's."""
        if self.adopted:
            context = api.get_current_span().get_span_context()
            if context.is_valid:
                return context
        holder = step.parent
        if holder is not None and holder.otel is not None:
            found: api.SpanContext = holder.otel.context(holder)
            return found
        run = step.run
        if run.parent_span_id is None:
            return None
        flags = _NOT_SAMPLED if run.sampled is False else _SAMPLED
        return api.SpanContext(int(run.trace_id, 16), int(run.parent_span_id, 16), True, flags)

    def _follow(self, step: Step, parent: api.SpanContext | None) -> None:
        """Make ``step`` a child of ``parent`` in our records too; a root takes the trace id of its run."""
        holder = step.parent
        if parent is None:
            self._take_their_trace(step)
        elif holder is None or holder.otel is None or holder.otel.context(holder) is not parent:
            step.trace_id = f"{parent.trace_id:032x}"
            step.parent_span_id = f"{parent.span_id:016x}"

    def _take_their_trace(self, step: Step) -> None:
        """Let the application's own generator make the trace id that the roots of a run share."""
        if self.ids is not None and step.parent is None:
            run = step.run
            if run not in self._traces:
                self._traces[run] = run.trace_id = f"{self.ids.generate_trace_id():032x}"
            step.trace_id = self._traces[run]

    def _annotates(self, step: Step, parent: api.SpanContext | None, annotate: bool | tuple[str, ...]) -> bool:
        """Take the library's own span for ``step`` if one is recording; ours around it is not the library's."""
        current = api.get_current_span() if self.adopted else None
        if current is None or not current.is_recording() or _is_ours(current):
            return False
        if isinstance(annotate, tuple) and _scope_of(current) not in annotate:
            return False
        step.otel = Annotation(current, attributes=True)
        self._follow(step, parent)
        step.sampled = parent.trace_flags.sampled if parent is not None else None
        return True

    def _around(self, parent: api.SpanContext | None) -> otel_context.Context:
        """Return the context in which a sampler and processors see the start: not the application's while private."""
        if not self.adopted:
            return _NOWHERE if parent is None else _with_parent(parent, _NOWHERE)
        current = otel_context.get_current()
        if parent is None or api.get_current_span(current).get_span_context() is parent:
            return current
        return _with_parent(parent, current)


class LazyMaker(Maker):
    """Makes `LazySpan`s for one pipeline."""

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(pipeline.ids, adopted=pipeline.adopted)
        self._pipeline = pipeline
        self._root_flags = _FLAGS[api.TraceFlags.SAMPLED | (_RANDOM if _is_random(pipeline.ids) else 0)]

    def start(self, step: Step, annotate: bool | tuple[str, ...], span_kind: str) -> None:
        """Settle the sampling of ``step``, and begin its span; it is made now only where somebody can see it."""
        parent = self._parent(step)
        if self.adopted:
            if annotate and self._annotates(step, parent, annotate):
                return
            self._follow(step, parent)
        pipeline = self._pipeline
        shape = pipeline.shape(step.source, span_kind)
        if pipeline.hears_starts or not pipeline.follows_parent:
            guard.call(self._start_heard, step, parent, shape)
        elif parent is None:
            step.sampled = True
            step.otel = Handle(shape, None, self._root_flags, True)
        else:
            flags = _FLAGS[parent.trace_flags & _KEPT]
            step.sampled = sampled = flags.sampled
            step.otel = Handle(shape, parent, flags, sampled)

    def _start_heard(self, step: Step, parent: api.SpanContext | None, shape: type[LazySpan]) -> None:
        """Begin the span with a sampler that has to be asked, or before processors that listen."""
        around = self._around(parent)
        trace_id = trace_number(step.trace_id) if parent is None else parent.trace_id
        result = self._pipeline.sampler.should_sample(around, trace_id, step.kind, shape.span_kind, None, ())
        step.sampled = result.decision is Decision.RECORD_AND_SAMPLE
        random = (self._root_flags if parent is None else parent.trace_flags) & _RANDOM
        flags = _FLAGS[step.sampled | random]
        state = DEFAULT_TRACE_STATE if result.trace_state is None else result.trace_state
        context = span_context(trace_id, int(step.span_id, 16), flags, state)
        handle = step.otel = Handle(shape, parent, flags, result.decision is not Decision.DROP, context)
        handle.announce(step, result.attributes, around)


class PlainMaker(Maker):
    """Makes spans through a provider's tracer: the reference, and the way for providers that are not the SDK's."""

    def __init__(self, provider: Any, *, adopted: bool) -> None:
        theirs = getattr(provider, "id_generator", None)
        ours = theirs is None or type(theirs) in {RandomIdGenerator, OurIds}
        super().__init__(None if ours else theirs, adopted=adopted)
        self._provider = provider
        self._tracers: dict[str, Any] = {}

    def start(self, step: Step, annotate: bool | tuple[str, ...], span_kind: str) -> None:
        """Begin the span of ``step``, and take over what the provider made of its ids and sampling."""
        parent = self._parent(step)
        if not (annotate and self._annotates(step, parent, annotate)):
            guard.call(self._start, step, parent, span_kind)

    def _start(self, step: Step, parent: api.SpanContext | None, span_kind: str) -> None:
        self._follow(step, parent)
        with minting(step):
            span = self._tracer(step.source).start_span(
                step.kind, self._around(parent), KINDS[span_kind], start_time=step.ts_ns
            )
        context = span.get_span_context()
        if context.is_valid:
            step.trace_id, step.sampled = f"{context.trace_id:032x}", bool(context.trace_flags.sampled)
            step.span_id = f"{context.span_id:016x}"
        step.otel = PlainHandle(span, adopted=self.adopted)

    def _tracer(self, source: str) -> Any:
        tracer = self._tracers.get(source)
        if tracer is None:
            tracer = self._tracers[source] = self._provider.get_tracer(SCOPE_PREFIX + source)
            if isinstance(getattr(tracer, "id_generator", None), IdGenerator):
                tracer.id_generator = OurIds(self.ids)  # this scope's tracer only
        return tracer


def maker_for_private(private: Private, plain: bool) -> Maker:
    """Return the maker for our own pipeline, whose processor is made now, in no step's context: it starts a thread."""
    processor = private.processor
    if processor is None:
        processor = private.processor = contextvars.Context().run(private.make_processor)
    if plain:
        provider = TracerProvider(private.sampler, private.resource, shutdown_on_exit=False, id_generator=OurIds())
        provider.add_span_processor(processor)
        return PlainMaker(provider, adopted=False)
    return LazyMaker(Pipeline(ForkedResource(private.resource), private.sampler, processor, SpanLimits()))


def maker_for_global(provider: Any, plain: bool) -> Maker | None:
    """Return the maker for a provider that the application installed, or None when it makes no spans."""
    if provider is None or isinstance(provider, (api.NoOpTracerProvider, api.ProxyTracerProvider)):
        return None
    if plain or not _is_plain_sdk(provider):
        return PlainMaker(provider, adopted=True)
    theirs = provider.id_generator
    ids = None if type(theirs) is RandomIdGenerator else theirs
    processor, limits = provider._active_span_processor, provider._span_limits  # noqa: SLF001 - it has no other way
    return LazyMaker(Pipeline(lambda: provider.resource, provider.sampler, processor, limits, ids, adopted=True))


def _is_plain_sdk(provider: Any) -> bool:
    """Whether ``provider`` is the SDK's own, and nothing is asked of it that only its tracers do."""
    counts = os.environ.get("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "").strip().lower() == "true"
    usual = getattr(sdk, "_default_tracer_configurator", None)
    return (
        type(provider).get_tracer is TracerProvider.get_tracer
        and not getattr(provider, "_disabled", False)
        and getattr(provider, "_tracer_configurator", usual) is usual
        and hasattr(provider, "_active_span_processor")
        and hasattr(provider, "_span_limits")
        and not counts
    )


def _with_parent(parent: api.SpanContext, base: otel_context.Context) -> otel_context.Context:
    return api.set_span_in_context(api.NonRecordingSpan(parent), base)


def _is_ours(span: Any) -> bool:
    return _scope_of(span).startswith(SCOPE_PREFIX)


def _scope_of(span: Any) -> str:
    scope = getattr(span, "instrumentation_scope", None)
    return str(getattr(scope, "name", ""))
