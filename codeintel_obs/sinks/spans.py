"""Attaches the step event to a step's span and hands the ended span to the processors."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final

from codeintel_obs import guard
from codeintel_obs.hookspecs import hookimpl
from codeintel_obs.recorder import Recorder
from codeintel_obs.settings import Settings
from codeintel_obs.steps import Step

_GLOBAL_PROVIDERS: Final = (
    ("opentelemetry.trace", "_TRACER_PROVIDER"),
    ("opentelemetry.metrics._internal", "_METER_PROVIDER"),
    ("opentelemetry._logs._internal", "_LOGGER_PROVIDER"),
)


class SpansSink:
    """Makes no span: ids, spans and context are the recorder's, so that switching this off changes none of them."""

    def configure(self, settings: Settings, active: Recorder, _manifest: Callable[[], Any]) -> None:
        """Called once by launch, before the first event."""
        self._with_event = settings.span_events != "logs"
        self._spans = active.spans

    @hookimpl
    def obs_step_ended(self, step: Step) -> None:
        """End the step's span, or put an instant step's event on the span that it happened in."""
        if step.otel is not None:
            step.otel.hand_on(step, self._spans, self._with_event)

    @hookimpl
    def obs_flush(self, timeout_s: float) -> None:
        """Send what our own pipeline holds, and the application's: its owner may be killed before it does."""
        private = self._spans.private
        if private is not None and private.processor is not None:
            private.processor.force_flush(int(timeout_s * 1000))
        for module, name in _GLOBAL_PROVIDERS:
            force = getattr(getattr(sys.modules.get(module), name, None), "force_flush", None)
            if force is not None:
                guard.call(force, int(timeout_s * 1000))

    @hookimpl
    def obs_shutdown(self) -> None:
        """Send what our own pipeline holds, and stop it."""
        private = self._spans.private
        if private is not None and private.processor is not None:
            private.processor.shutdown()
