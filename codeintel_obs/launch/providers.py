"""Our own pipelines, never OpenTelemetry's global ones: nothing leaves the process unless an endpoint is set."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from codeintel_obs import guard, recorder
from codeintel_obs.context import suppress, suppressed

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk.metrics import MeterProvider

    from codeintel_obs.settings import Settings
    from codeintel_obs.spans import Private

T = TypeVar("T")
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
GRACE_MS = 1_000
_CHATTY = ("opentelemetry.exporter", "opentelemetry.sdk._shared_internal", "urllib3", "requests")
_METRIC_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")
_LOG_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT")


def wants_traces(environ: Mapping[str, str]) -> bool:
    """Whether an endpoint for traces is set and the exporter is not switched off."""
    return _wanted(environ, _ENDPOINTS, "OTEL_TRACES_EXPORTER")


def wants_logs(environ: Mapping[str, str]) -> bool:
    """Whether an endpoint for logs is set and the exporter is not switched off."""
    return _wanted(environ, _LOG_ENDPOINTS, "OTEL_LOGS_EXPORTER")


def wants_metrics(environ: Mapping[str, str]) -> bool:
    """Whether an endpoint for metrics is set and the exporter is not switched off."""
    return _wanted(environ, _METRIC_ENDPOINTS, "OTEL_METRICS_EXPORTER")


def _wanted(environ: Mapping[str, str], endpoints: tuple[str, ...], exporter: str) -> bool:
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    return any(environ.get(name) for name in endpoints) and environ.get(exporter, "otlp") != "none"


def resource(settings: Settings) -> Any:
    """Return the resource of our own pipelines: OpenTelemetry's detectors, and the service's name."""
    from opentelemetry.sdk.resources import Resource

    from codeintel_obs.launch.facts import service

    named = (
        {} if "service.name" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "") else {"service.name": service(settings)}
    )
    return Resource.create(named)


def private_pipeline(settings: Settings, environ: Mapping[str, str]) -> Private | None:
    """Return our own pipeline, or None where ``environ`` has no endpoint. Nothing of the SDK is imported then."""
    if not wants_traces(environ):
        return None
    from opentelemetry.sdk.trace.sampling import _get_from_env_or_default

    from codeintel_obs.spans import Private

    sampler = _get_from_env_or_default()
    return Private(resource(settings), sampler, lambda: _suppressed(_batch_processor, settings))


def private_logs(settings: Settings, environ: Mapping[str, str]) -> Callable[[], LoggerProvider] | None:
    """Return what makes our own log pipeline at the first log, or None where ``environ`` has no endpoint for logs."""
    return (lambda: _suppressed(_logger_provider, settings)) if wants_logs(environ) else None


def private_metrics(settings: Settings, environ: Mapping[str, str]) -> Callable[[], MeterProvider] | None:
    """Return what makes our own metric pipeline at the first step; None where ``environ`` has no endpoint for them."""
    return (lambda: _suppressed(_meter_provider, settings)) if wants_metrics(environ) else None


def _suppressed(make: Callable[[Settings], T], settings: Settings) -> T:
    with suppress():  # what an exporter imports may be watched: a step of that would ask for what is being made
        return make(settings)


def _batch_processor(_settings: Settings) -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    exporter = Quiet(OTLPSpanExporter(), "spans")
    return _patient(BatchSpanProcessor(exporter))  # type: ignore[arg-type]  # an exporter by duck type


def _logger_provider(settings: Settings) -> LoggerProvider:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    provider = LoggerProvider(resource(settings), shutdown_on_exit=False)
    exporter = Quiet(OTLPLogExporter(), "logs")
    provider.add_log_record_processor(_patient(BatchLogRecordProcessor(exporter)))  # type: ignore[arg-type]  # as above
    return provider


def _meter_provider(settings: Settings) -> MeterProvider:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics import AlwaysOnExemplarFilter, MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    reader = PeriodicExportingMetricReader(QuietMetrics(OTLPMetricExporter()))  # type: ignore[arg-type]  # by duck type
    # a step has its trace, and the ledger all of it, whether or not a sampler kept the span
    chosen = None if os.environ.get("OTEL_METRICS_EXEMPLAR_FILTER") else AlwaysOnExemplarFilter()
    return MeterProvider([reader], resource(settings), chosen, shutdown_on_exit=False)


def _patient(processor: Any) -> Any:
    """Let ``processor`` hold up the end of the process for `GRACE_MS` at most: its own default is half a minute."""
    batch = getattr(processor, "_batch_processor", None)
    if batch is not None:
        processor.shutdown = lambda: batch.shutdown(timeout_millis=GRACE_MS)
    return processor


class Quiet:
    """An exporter of ours: what it calls and logs while it sends is not the application's.

    So it is not recorded (a receiver that is down would feed itself: each failure is logged, and each log is sent), and
    its complaints do not appear among the application's own. A batch that was not taken is told as a ``fault``.
    """

    def __init__(self, exporter: Any, what: str) -> None:
        self._exporter = exporter
        self._what = what
        self._lost = 0
        self._next_telling = 1
        _silence()

    def export(self, batch: Sequence[Any]) -> Any:
        """Send ``batch``; return the exporter's own verdict."""
        with suppress():
            verdict = self._exporter.export(batch)
            if getattr(verdict, "name", "SUCCESS") != "SUCCESS":
                self._tell(len(batch))
            return verdict

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what the exporter itself holds back."""
        with suppress():
            return bool(self._exporter.force_flush(timeout_millis))

    def shutdown(self) -> None:
        """Stop sending, and trying again."""
        with suppress():
            self._exporter.shutdown()

    def _tell(self, count: int) -> None:
        """Write how many were lost in all; each telling waits for twice as many as the one before."""
        self._lost += count
        active = recorder.active
        if active is not None and self._lost >= self._next_telling:
            self._next_telling = self._lost * 2
            said = {"where": f"export of {self._what}", "type": "not delivered", "count": self._lost}
            guard.call(active.record, "fault", said)


class QuietMetrics(Quiet):
    """The same for an exporter of metrics, which its reader asks for more."""

    def __init__(self, exporter: Any) -> None:
        super().__init__(exporter, "metrics")
        self._preferred_temporality = exporter._preferred_temporality  # noqa: SLF001 - the reader's own way to ask
        self._preferred_aggregation = exporter._preferred_aggregation  # noqa: SLF001 - the same

    def export(self, batch: Any, timeout_millis: float = 10_000, **_: Any) -> Any:
        """Send ``batch``; return the exporter's own verdict."""
        with suppress():
            verdict = self._exporter.export(batch, timeout_millis)
            if getattr(verdict, "name", "SUCCESS") != "SUCCESS":
                self._tell(1)
            return verdict

    def force_flush(self, timeout_millis: float = 30_000) -> bool:
        """Send what the exporter itself holds back."""
        return super().force_flush(int(timeout_millis))

    def shutdown(self, timeout_millis: float = GRACE_MS, **_: Any) -> None:
        """Stop sending, and trying again."""
        with suppress():
            self._exporter.shutdown(timeout_millis)


def _silence() -> None:
    """Keep what an exporter of ours logs from the application's handlers; all other records pass."""
    for name in [name for name in logging.root.manager.loggerDict if name.startswith(_CHATTY)]:
        logger = logging.getLogger(name)
        if _not_ours not in logger.filters:
            logger.addFilter(_not_ours)


def _not_ours(_record: logging.LogRecord) -> bool:
    return not suppressed.get()
