"""Counts steps and their durations, for dashboards and alerts; each number leads back to a run by its exemplar.

``codeintel.step.duration`` (histogram, seconds) and ``codeintel.steps`` (counter) by kind and status go to the global
OpenTelemetry meter provider if the application installed one, else to our own pipeline if an endpoint is set. With the
setting ``prometheus`` they are served for Prometheus as well, by ``prometheus_client`` itself: OpenTelemetry's own
exporter drops the exemplars, and with them the ``run_id`` and ``trace_id`` that a graph is clicked for.
"""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any, Final

from codeintel_obs import guard
from codeintel_obs.hookspecs import hookimpl
from codeintel_obs.sinks.prometheus import Endpoint

if TYPE_CHECKING:
    from codeintel_obs.recorder import Recorder
    from codeintel_obs.settings import Settings
    from codeintel_obs.spans import Spans
    from codeintel_obs.steps import Step

METER: Final = "codeintel_obs"
BUCKETS: Final = (1e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_MOST_SERIES: Final = 1000  # an application may speak for itself, in kinds of its own making: each is a series
_GRACE_MS: Final = 1000
_NOBODY_LOOKED: Final = object()


class MetricsSink:
    """Built in and inline. Without a provider, an endpoint and the setting it only looks for a provider."""

    _spans: Spans
    _endpoint: Endpoint | None = None

    def __init__(self) -> None:
        self._here = threading.local()
        self._born()

    def _born(self) -> None:
        """Begin from zero: a forked child's numbers are its own, and so are the locks around them."""
        self._private: Any = None
        self._failed = False
        self._global: Any = _NOBODY_LOOKED
        self._instruments: tuple[Any, Any] | None = None
        self._series: dict[tuple[str, str], dict[str, str]] = {}

    def configure(self, settings: Settings, active: Recorder, _manifest: Callable[[], Any]) -> None:
        """Called once by launch, before the first event. Nothing listens and no thread runs before the first step."""
        self._spans = active.spans
        if settings.prometheus:
            self._endpoint = Endpoint(settings.prometheus, BUCKETS, active)
        pointer = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: _after_fork(pointer()))

    # -- hooks --------------------------------------------------------------------------------------------------------

    @hookimpl
    def obs_step_ended(self, step: Step) -> None:
        """Count the step and, unless it is an instant, its duration."""
        if self._wanted() is None and self._endpoint is None:
            return
        here = self._here.__dict__
        if "later" in here:
            # a signal handler or a collection interrupted this thread inside a counter's lock: its owner counts it
            here["later"].append(step)
            return
        here["later"] = later = deque([step])
        try:
            while later:
                self._count(later.popleft())
        finally:
            del here["later"]

    @hookimpl
    def obs_flush(self, timeout_s: float) -> None:
        """Send what our own pipeline holds; an adopted provider's is its owner's."""
        if self._private is not None:
            self._private.force_flush(timeout_s * 1000)

    @hookimpl
    def obs_shutdown(self) -> None:
        """Send what our own pipeline holds, and stop it and the endpoint."""
        if self._private is not None:
            self._private.shutdown(_GRACE_MS)
        if self._endpoint is not None:
            self._endpoint.close()

    # -- inside -------------------------------------------------------------------------------------------------------

    def _count(self, step: Step) -> None:
        labels = self._labels(step.kind, str(step.status))
        seconds = None if step.duration_ns is None else step.duration_ns / 1e9
        if self._endpoint is not None:
            self._endpoint.count(labels["codeintel.step.kind"], labels["codeintel.step.status"], seconds, step)
        if self._instruments is not None:
            durations, steps = self._instruments
            around = _around(step)
            steps.add(1, labels, around)
            if seconds is not None:
                durations.record(seconds, labels, around)

    def _labels(self, kind: str, status: str) -> dict[str, str]:
        known = self._series.get((kind, status))
        if known is None:
            shown = kind if len(self._series) < _MOST_SERIES else "other"
            known = {"codeintel.step.kind": shown, "codeintel.step.status": status}
            if shown == kind:
                self._series[kind, status] = known
        return known

    def _wanted(self) -> tuple[Any, Any] | None:
        """Return the instruments of whatever provider there is now: the global one, else our own, else None."""
        api = sys.modules.get("opentelemetry.metrics._internal")
        provider = getattr(api, "_METER_PROVIDER", None)
        if provider is not self._global:
            self._global = provider
            useful = provider if provider is not None and not _makes_nothing(provider) else self._own()
            self._instruments = guard.call(_instruments, useful) if useful is not None else None
        return self._instruments

    def _own(self) -> Any:
        if self._private is None and self._spans.metrics is not None and not self._failed:
            self._private = guard.call(Context().run, self._spans.metrics)
            self._failed = self._private is None
        return self._private


def _after_fork(sink: MetricsSink | None) -> None:
    if sink is not None:
        sink._born()  # noqa: SLF001 - its own module
        if sink._endpoint is not None:  # noqa: SLF001 - the same
            sink._endpoint.born()  # noqa: SLF001 - the same


def _instruments(provider: Any) -> tuple[Any, Any]:
    meter = provider.get_meter(METER)
    durations = meter.create_histogram(
        "codeintel.step.duration",
        unit="s",
        description="How long steps took, by kind and status.",
        explicit_bucket_boundaries_advisory=BUCKETS,
    )
    return durations, meter.create_counter("codeintel.steps", unit="{step}", description="Steps, by kind and status.")


def _makes_nothing(provider: Any) -> bool:
    return type(provider).__name__ in ("NoOpMeterProvider", "_ProxyMeterProvider")


def _around(step: Step) -> Any:
    """Return a context that holds the step's place in its trace: the SDK takes the exemplar's ids from it."""
    from opentelemetry import context, trace

    flags = trace.TraceFlags(0 if step.sampled is False else 1)
    place = trace.SpanContext(int(step.trace_id, 16), int(step.span_id, 16), is_remote=False, trace_flags=flags)
    return trace.set_span_in_context(trace.NonRecordingSpan(place), context.Context())
