"""The one place where a span is made: ours private until the application has a provider, which is then adopted."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

import msgspec

from codeintel_obs.runs import Run, new_trace_id
from codeintel_obs.steps import Status, Step

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.sdk.trace.sampling import Sampler

SCOPE_PREFIX: Final = "codeintel_obs."
STEP_EVENT: Final = "codeintel.step"
Semantics = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]

_encode_json = msgspec.json.Encoder(enc_hook=repr).encode
_minted: ContextVar[tuple[int, int]] = ContextVar("codeintel_obs.minted", default=(0, 0))


class Private:
    """A pipeline of our own, never the global provider: used while the application has none and an endpoint is set."""

    __slots__ = ("make_processor", "processor", "provider", "resource", "sampler")

    def __init__(self, resource: Resource, sampler: Sampler, make_processor: Callable[[], SpanProcessor]) -> None:
        self.resource = resource
        self.sampler = sampler
        self.make_processor = make_processor  # called at the first span: a batch processor starts a thread
        self.processor: SpanProcessor | None = None
        self.provider: Any = None


class Spans:
    """Gives each step its ids and, where somebody wants spans, its span.

    ``semantics(kind, payload)`` gives the semantic-convention attributes of a step, filled by the instrumentors.
    """

    def __init__(
        self,
        private: Private | None,
        *,
        plain: bool = False,
        events: str = "span",
        on_adopt: Callable[[Any], None] | None = None,
    ) -> None:
        self.private = private
        self.plain = plain
        self.events = events
        self.on_adopt = on_adopt
        self.adopted: Any = None
        self.semantics: dict[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {}
        self._seen: Any = None
        self._maker: Any = None
        self._api: Any = None

    # -- life of a step's span --------------------------------------------------------------------------------------

    def start(self, step: Step, annotate: bool = False, span_kind: str = "internal") -> None:
        """Settle ``step``'s ids and sampling, and begin its span where there is a pipeline for it."""
        maker = self._current_maker()
        if maker is not None:
            maker.start(step, annotate, span_kind)
        elif step.parent is not None:
            step.sampled = step.parent.sampled
        else:
            step.sampled = step.run.sampled

    def end(self, step: Step) -> None:
        """Give the span its end, status and attributes; it stays with the step until the spans sink hands it on."""
        if step.otel is not None:
            step.otel.finish(step, self)

    def locate(self, step: Step) -> None:
        """Give an instant step the trace of the span it happened in."""
        maker = self._current_maker()
        if maker is not None:
            maker.locate(step)
        elif step.parent is not None:
            step.sampled = step.parent.sampled

    def make_current(self, step: Step) -> Any:
        """Make an adopted pipeline's span OpenTelemetry's current one; returns a token for `restore`, or None."""
        return step.otel.attach() if self.adopted is not None and step.otel is not None else None

    @staticmethod
    def restore(token: Any) -> None:
        """Undo `make_current`."""
        from opentelemetry import context as otel_context

        otel_context.detach(token)

    # -- pipelines --------------------------------------------------------------------------------------------------

    def _current_maker(self) -> Any:
        provider = _global_provider()
        if provider is not self._seen:
            self._adopt(provider)
        if self._maker is None and self.private is not None:
            from codeintel_obs.span_makers import maker_for_private

            self._maker = maker_for_private(self.private, plain=self.plain)
        return self._maker

    def _adopt(self, provider: Any) -> None:
        from codeintel_obs.span_makers import maker_for_global

        self._seen = provider
        maker = maker_for_global(provider, plain=self.plain)
        if maker is None:
            return
        self._maker, self.adopted = maker, provider
        if self.on_adopt is not None:
            self.on_adopt(provider)

    # -- what a span says -------------------------------------------------------------------------------------------

    def attributes(self, step: Step) -> dict[str, Any]:
        """Return the attributes of ``step``'s span: ours, and the semantic conventions of its kind."""
        values: dict[str, Any] = {
            "codeintel.step.id": step.span_id,
            "codeintel.run.id": step.run.run_id,
            "codeintel.run.attempt": step.run.attempt,
        }
        if step.parent is not None:
            values["codeintel.step.parent"] = step.parent.span_id
        describe = self.semantics.get(step.kind)
        if describe is not None:
            values.update(describe(merged(step)))
        if step.error is not None:
            values["error.type"] = step.error.type
        return values


def merged(step: Step) -> dict[str, Any]:
    """Return the payload of both of a step's records; the end wins."""
    return {**(step.payload or {}), **(step.end_payload or {})}


def event_attributes(step: Step) -> dict[str, Any]:
    """Return the attributes of the ``codeintel.step`` event, the same wherever it goes."""
    run: Run = step.run
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
    return step.status in {Status.FAILED, Status.TIMED_OUT}


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


def _global_provider() -> Any:
    """Return the global tracer provider if somebody set one; asking through the API would make one."""
    api = sys.modules.get("opentelemetry.trace")
    return getattr(api, "_TRACER_PROVIDER", None)
