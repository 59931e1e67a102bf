"""The one place where a span is made: ours private until the application has a provider, which is then adopted."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

import msgspec

from codeintel_obs import guard
from codeintel_obs.collecting import is_here
from codeintel_obs.runs import new_trace_id
from codeintel_obs.steps import Status, Step

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.sdk.trace.sampling import Sampler

SCOPE_PREFIX: Final = "codeintel_obs."
STEP_EVENT: Final = "codeintel.step"
Semantics = Callable[[Mapping[str, Any]], Mapping[str, Any]]

_UNKNOWN: Final = object()
_encode_json = msgspec.json.Encoder(enc_hook=repr).encode
_minted: ContextVar[tuple[int, int]] = ContextVar("codeintel_obs.minted", default=(0, 0))


class Private:
    """A pipeline of our own, never the global provider: used while the application has none and an endpoint is set."""

    __slots__ = ("make_processor", "processor", "resource", "sampler")

    def __init__(self, resource: Resource, sampler: Sampler, make_processor: Callable[[], SpanProcessor]) -> None:
        self.resource = resource
        self.sampler = sampler
        self.make_processor = make_processor  # called at the first span: a batch processor starts a thread
        self.processor: SpanProcessor | None = None


class Spans:
    """Gives each step its ids and, where somebody wants spans, its span.

    ``semantics`` gives the semantic-convention attributes of a kind's spans from its filtered payload. ``logs`` makes
    our own log pipeline, for the sink that sends logs, and ``metrics`` that of the sink that counts steps; None where no
    endpoint wants them.

    What stands in `Step.otel` is this module's own: ``context(step)`` is the span's context, ``add_event`` puts an
    instant on it, ``attach(step)`` makes it OpenTelemetry's current one, and ``hand_on`` ends it (for the spans sink).
    """

    def __init__(
        self,
        private: Private | None,
        *,
        plain: bool = False,
        on_adopt: Callable[[Any], None] | None = None,
        logs: Callable[[], LoggerProvider] | None = None,
        metrics: Callable[[], MeterProvider] | None = None,
    ) -> None:
        self.private = private
        self.plain = plain
        self.on_adopt = on_adopt
        self.logs = logs
        self.metrics = metrics
        self.adopted: Any = None
        self.semantics: dict[str, Semantics] = {}
        self._seen: Any = None
        self._maker: Any = None
        self._api: Any = None
        self._waits = True  # for the first step, or for the API to be imported

    # -- life of a step's span --------------------------------------------------------------------------------------

    def start(self, step: Step, annotate: bool | tuple[str, ...] = False, span_kind: str = "internal") -> None:
        """Settle ``step``'s ids and sampling, and begin its span where there is a pipeline for it."""
        if getattr(self._api, "_TRACER_PROVIDER", _UNKNOWN) is not self._seen or self._waits:
            self._look()
        if self._maker is not None:
            self._maker.start(step, annotate, span_kind)
        else:
            step.sampled = step.run.sampled if step.parent is None else step.parent.sampled

    def locate(self, step: Step, pinned: bool = False) -> None:
        """Give an instant step the span that it happened in: OpenTelemetry's current, or (``pinned``) its parent's."""
        self._look()
        if self._maker is not None:
            self._maker.locate(step, pinned)
        else:
            step.sampled = step.run.sampled if step.parent is None else step.parent.sampled

    def make_current(self, step: Step) -> Any:
        """Make an adopted pipeline's span OpenTelemetry's current one; returns a token for `restore`, or None."""
        return step.otel.attach(step) if self.adopted is not None and step.otel is not None else None

    @staticmethod
    def restore(token: Any) -> None:
        """Undo `make_current`."""
        if token is not None and not is_here():
            from opentelemetry import context as otel_context

            try:
                # the public detach() logs an error, to the application's handlers, where this is another context by now
                otel_context._RUNTIME_CONTEXT.detach(token)  # noqa: SLF001
            except (ValueError, RuntimeError):
                return

    # -- pipelines --------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Look whether somebody set the global tracer provider; asking through the API would make one."""
        if self._api is None:
            self._api = sys.modules.get("opentelemetry.trace")
        provider = getattr(self._api, "_TRACER_PROVIDER", None)
        if provider is not self._seen:
            self._settle(provider)
        elif self._maker is None and self.private is not None:
            self._make_private()
        self._waits = self._api is None

    def _settle(self, provider: Any) -> None:
        """Adopt the global provider that is now there; fall back to our own pipeline when it makes no spans."""
        from codeintel_obs.span_makers import maker_for_global

        self._seen = provider
        self._maker = guard.call(maker_for_global, provider, self.plain)
        self.adopted = provider if self._maker is not None else None
        if self.adopted is None:
            self._make_private()
        elif self.on_adopt is not None:
            guard.call(self.on_adopt, provider)

    def _make_private(self) -> None:
        from codeintel_obs.span_makers import maker_for_private

        if self.private is not None:
            self._maker = guard.call(maker_for_private, self.private, self.plain)
            if self._maker is None:
                self.private = None  # what failed once (an exporter's variable that cannot be read) fails each time

    # -- what a span says -------------------------------------------------------------------------------------------

    def attributes(self, step: Step) -> dict[str, Any]:
        """Return the attributes of ``step``'s span: ours, and the semantic conventions of its kind."""
        run = step.run
        values: dict[str, Any] = {
            "codeintel.step.id": step.span_id,
            "codeintel.run.id": run.run_id,
            "codeintel.run.attempt": run.attempt,
        }
        if step.parent is not None:
            values["codeintel.step.parent"] = step.parent.span_id
        describe = self.semantics.get(step.kind)
        said = guard.call(describe, merged(step)) if describe is not None else None
        if said:
            for key, value in said.items():
                if value is not None:  # unknown is absent
                    values[key] = tuple(value) if type(value) is list else value
        if step.error is not None:
            values["error.type"] = step.error.type
        return values


def merged(step: Step) -> dict[str, Any]:
    """Return the payload of both of a step's records, not to be changed; the end wins."""
    begin, end = step.payload, step.end_payload
    if begin and end:
        return {**begin, **end}
    return begin or end or {}


def event_attributes(step: Step) -> dict[str, Any]:
    """Return the attributes of the ``codeintel.step`` event, the same wherever it goes."""
    run = step.run
    values: dict[str, Any] = {
        "codeintel.step.kind": step.kind,
        "codeintel.step.status": str(step.status),
        "codeintel.run.id": run.run_id,
        "codeintel.trace.id": step.trace_id,
    }
    if step.detail:
        values["codeintel.step.detail"] = step.detail
    payload = merged(step)
    if payload:
        values["codeintel.step.payload"] = _encode_json(payload).decode()
    if run.ledger_path:
        values["codeintel.run.ledger_path"] = run.ledger_path
    return values


def failed(step: Step) -> bool:
    """Whether the span of ``step`` ends with status ERROR."""
    status = step.status
    return status is Status.FAILED or status is Status.TIMED_OUT


def minted_ids() -> tuple[int, int]:
    """Return trace and span id (as integers) that the span being started has to carry."""
    trace_id, span_id = _minted.get()
    return trace_id or int(new_trace_id(), 16), span_id


class minting:  # noqa: N801 - reads as a statement: `with minting(step):`
    """Let a span that the SDK makes in this block carry the ids of ``step``."""

    __slots__ = ("_step", "_token")

    def __init__(self, step: Step) -> None:
        self._step = step

    def __enter__(self) -> None:
        self._token = _minted.set((int(self._step.trace_id, 16), int(self._step.span_id, 16)))

    def __exit__(self, *_: object) -> None:
        _minted.reset(self._token)
