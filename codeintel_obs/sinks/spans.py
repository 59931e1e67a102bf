"""Attaches the step event to a step's span and hands the ended span to the processors."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from codeintel_obs.hookspecs import hookimpl
from codeintel_obs.recorder import Recorder
from codeintel_obs.settings import Settings
from codeintel_obs.spans import STEP_EVENT, event_attributes
from codeintel_obs.steps import Step


class SpansSink:
    """Makes no span: ids, spans and context are the recorder's, so that switching this off changes none of them."""

    def configure(self, settings: Settings, active: Recorder, _manifest: Callable[[], Any]) -> None:
        """Called once by launch, before the first event."""
        self._with_event = settings.span_events != "logs"
        self._active = active

    @hookimpl
    def obs_step_ended(self, step: Step) -> None:
        if step.otel is not None:
            step.otel.hand_on(step, with_event=self._with_event)
        elif step.instant and self._with_event:
            self._tell_instant(step)

    def _tell_instant(self, step: Step) -> None:
        """Put an instant step's event on the span that it happened in."""
        holder = step.parent
        if holder is not None and holder.otel is not None:
            holder.otel.add_event(holder, STEP_EVENT, event_attributes(step), step.ts_ns)
        elif self._active.spans.adopted is not None:
            current_span = sys.modules["opentelemetry.trace"].get_current_span()
            current_span.add_event(STEP_EVENT, event_attributes(step), step.ts_ns)

    @hookimpl
    def obs_flush(self, timeout_s: float) -> None:
        private = self._active.spans.private
        if private is not None and private.processor is not None:
            private.processor.force_flush(int(timeout_s * 1000))

    @hookimpl
    def obs_shutdown(self) -> None:
        private = self._active.spans.private
        if private is not None and private.processor is not None:
            private.processor.shutdown()
