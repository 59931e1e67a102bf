"""A span of ours that costs little until somebody else touches it: the SDK's own class, with its parts made late."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, Final

from opentelemetry import trace as api
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk import resources
from opentelemetry.sdk import trace as sdk
from opentelemetry.sdk.trace import Event, SpanLimits, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased, Sampler
from opentelemetry.sdk.util import BoundedList
from opentelemetry.sdk.util.instrumentation import InstrumentationInfo, InstrumentationScope
from opentelemetry.trace.status import Status as SpanStatus
from opentelemetry.trace.status import StatusCode

from codeintel_obs.spans import SCOPE_PREFIX, STEP_EVENT, Spans, event_attributes, failed
from codeintel_obs.steps import Link, Step

KINDS: Final = {kind.name.lower(): kind for kind in api.SpanKind}
_SAMPLED: Final = api.TraceFlags(api.TraceFlags.SAMPLED)
_ROOMY: Final = 64  # more attributes than one of our spans or events ever has
_SILENT: Final = (SpanProcessor, BatchSpanProcessor, SimpleSpanProcessor)
_BRANCHES: Final = (
    "_remote_parent_sampled",
    "_remote_parent_not_sampled",
    "_local_parent_sampled",
    "_local_parent_not_sampled",
)


def _info(scope: InstrumentationScope) -> Any:
    """Return the deprecated twin of ``scope`` that the SDK still puts on spans; its constructor would warn."""
    info = object.__new__(InstrumentationInfo)
    for name in ("name", "version", "schema_url"):
        setattr(info, f"_{name}", getattr(scope, name))
    return info


class Pipeline:
    """Where spans go: a sampler, a resource, limits and a processor, read from the application's provider or our own.

    ``ids`` is the application's own id generator where it has one: an X-Ray generator's trace ids carry meaning.
    """

    def __init__(
        self,
        resource: Callable[[], Any],
        sampler: Sampler,
        processor: SpanProcessor,
        limits: SpanLimits,
        ids: IdGenerator | None = None,
        *,
        adopted: bool = False,
    ) -> None:
        self.resource = resource
        self.sampler = sampler
        self.processor = processor
        self.limits = limits
        self.ids = ids
        self.adopted = adopted
        self.follows_parent = _follows_parent(sampler)
        self.limited = _is_tight(limits)
        self.hears_starts = self.hears_ends = False
        self.hand_over: Callable[[Any], None] = processor.on_end
        self._shapes: dict[tuple[str, str], type[LazySpan]] = {}
        self._forks = _forks
        self._changes = hasattr(processor, "_span_processors")
        self._members: tuple[SpanProcessor, ...] = ()
        self._listen((processor,))

    def shape(self, source: str, span_kind: str) -> type[LazySpan]:
        """Return the class of this scope's and kind's spans, after a look at who listens to them now."""
        if self._changes:
            members = self.processor._span_processors  # type: ignore[attr-defined]  # noqa: SLF001 - it has no other way
            if members is not self._members:
                self._listen(members)
        if self._forks != _forks:  # a forked child's resource is another
            self._shapes, self._forks = {}, _forks
        found = self._shapes.get((source, span_kind))
        if found is None:
            found = self._shapes[source, span_kind] = _shape(self, source, span_kind)
        return found

    def _listen(self, members: tuple[SpanProcessor, ...]) -> None:
        """Note whether anybody does anything at a span's start or right before its end."""
        self._members = members
        heard = [member for member in members if not getattr(member, "ignores_our_spans", False)]
        self.hears_starts = _overrides(heard, "on_start")
        self.hears_ends = hasattr(self.processor, "_on_ending") and _overrides(heard, "_on_ending")
        in_turn = not self._changes or type(self.processor) is sdk.SynchronousMultiSpanProcessor
        self.hand_over = heard[0].on_end if in_turn and len(heard) == 1 else self.processor.on_end


def _overrides(members: list[SpanProcessor], name: str) -> bool:
    silent = {getattr(cls, name, None) for cls in _SILENT}
    return any(getattr(type(member), name, None) not in silent for member in members)


def _is_tight(limits: SpanLimits) -> bool:
    """Whether a span of ours could reach one of ``limits`` by itself."""
    counts = (limits.max_span_attributes, limits.max_event_attributes, limits.max_link_attributes)
    lists = (limits.max_events, limits.max_links)
    lengths = (limits.max_attribute_length, limits.max_span_attribute_length)
    return (
        any(count is not None and count < _ROOMY for count in counts)
        or any(size is not None and size < 1 for size in lists)
        or any(length is not None for length in lengths)
    )


def _follows_parent(sampler: Sampler) -> bool:
    """Whether the decision is the parent's, and yes at a root: OpenTelemetry's default, decided without asking it."""
    reference = ParentBased(ALWAYS_ON)
    own = type(sampler).should_sample is ParentBased.should_sample
    return (
        own
        and getattr(sampler, "_root", None) is ALWAYS_ON
        and all(getattr(sampler, name, None) is getattr(reference, name) for name in _BRANCHES)
    )


class ForkedResource:
    """Our own pipeline's resource; in a forked child what depends on the process is detected again."""

    def __init__(self, resource: Any) -> None:
        self._resource = resource
        self._pid = os.getpid()

    def __call__(self) -> Any:
        if self._pid != os.getpid():
            self._pid = os.getpid()
            detect = getattr(resources, "_get_process_dependent_resource", None)
            if detect is not None:
                self._resource = self._resource.merge(detect())
        return self._resource


class LazySpan(sdk.Span):
    """The SDK's span, with its lock and bounded containers made only when another than its step writes to it.

    Each scope and kind has a subclass that holds what all its spans share. The step ends its span, and then what it
    says is put together when a processor or exporter first asks for it.
    """

    pipeline: Pipeline
    span_kind: api.SpanKind
    _attributes: Any
    _events: Any
    _links: Any
    _status = SpanStatus(StatusCode.UNSET)
    _end_time: int | None = None
    _trace_config = None
    _record_exception = True
    _set_status_on_exception = True
    _record_end_metrics = None
    touched = False
    _name: str
    _context: api.SpanContext
    _step: Step
    _spans: Spans
    _with_event: bool

    def __getattr__(self, name: str) -> Any:
        make = _LATE.get(name)
        if make is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        if self._end_time is None:
            self.touched = True
        return self.__dict__.setdefault(name, make(self))

    def end(self, end_time: int | None = None) -> None:
        """Do nothing: the step ends its span, not who happens to see it as the current one."""

    def finish(self, spans: Spans, *, with_event: bool) -> None:
        """Take what the ended step has to say, and end: from here on this span only reads."""
        step = self._step
        if failed(step) and self._status.status_code is not StatusCode.OK:
            self._status = error_of(step)
        if self.touched or step.links or self.pipeline.limited:
            self._write(spans, with_event=with_event)
        else:
            self._spans, self._with_event = spans, with_event
        self._end_time = step.end_ts_ns

    def _write(self, spans: Spans, *, with_event: bool) -> None:
        """Add what the step says to what others wrote, within the limits."""
        step = self._step
        self.set_attributes(spans.attributes(step))
        for link in step.links:
            add_link(self, link)
        if with_event:
            self.add_event(STEP_EVENT, event_attributes(step), step.end_ts_ns)

    def late_attributes(self) -> Any:
        """Return the attributes: the step's own, or the bounded container into which others write too."""
        if self._end_time is not None and not self.touched:
            return self._spans.attributes(self._step)
        limits = self._limits
        return BoundedAttributes(
            limits.max_span_attributes, None, immutable=False, max_value_len=limits.max_span_attribute_length
        )

    def late_events(self) -> Any:
        """Return the events: the step's own, or the bounded list onto which others write too."""
        if self._end_time is not None and not self.touched:
            step = self._step
            return (Event(STEP_EVENT, event_attributes(step), step.end_ts_ns),) if self._with_event else ()
        return BoundedList(self._limits.max_events)


def begin_span(shape: type[LazySpan], step: Step, context: api.SpanContext, parent: api.SpanContext | None) -> LazySpan:
    """Return the span of ``step``, past the SDK's constructor: it does at once what `LazySpan` is here to put off."""
    span: LazySpan = object.__new__(shape)
    span._name = step.kind  # noqa: SLF001 - its own module, here and below
    span._context = context  # noqa: SLF001
    span._parent = parent  # noqa: SLF001
    span._start_time = step.ts_ns  # noqa: SLF001
    span._step = step  # noqa: SLF001
    return span


_LATE: Final[dict[str, Callable[[LazySpan], Any]]] = {
    "_attributes": LazySpan.late_attributes,
    "_events": LazySpan.late_events,
    "_links": lambda span: BoundedList(span._limits.max_links),  # noqa: SLF001 - its own module
    "_lock": lambda _span: threading.Lock(),
}


def _shape(pipeline: Pipeline, source: str, span_kind: str) -> type[LazySpan]:
    scope = InstrumentationScope(SCOPE_PREFIX + source, "")
    shared = {
        "pipeline": pipeline,
        "span_kind": KINDS[span_kind],
        "_kind": KINDS[span_kind],
        "_instrumentation_scope": scope,
        "_instrumentation_info": _info(scope),
        "_resource": pipeline.resource(),
        "_limits": pipeline.limits,
        "_span_processor": pipeline.processor,
        "_sampler": pipeline.sampler,
        "__module__": __name__,
    }
    return type("LazySpan", (LazySpan,), shared)


def add_link(span: Any, link: Link) -> None:
    """Link ``span`` to another step's, where both ids are known and the span's class can link."""
    if link.trace_id and link.span_id and type(span).add_link is not api.Span.add_link:
        span.add_link(api.SpanContext(int(link.trace_id, 16), int(link.span_id, 16), True, _SAMPLED))


def error_of(step: Step) -> SpanStatus:
    """Return the status of a failed step's span."""
    return SpanStatus(StatusCode.ERROR, step.detail or (step.error.message if step.error is not None else None))


_forks = 0


def _count_fork() -> None:
    global _forks
    _forks += 1


os.register_at_fork(after_in_child=_count_fork)
