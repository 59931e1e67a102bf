"""Our own pipelines, never OpenTelemetry's global ones: nothing leaves the process unless an endpoint is set."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from codeintel_obs.context import suppress

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import LoggerProvider

    from codeintel_obs.settings import Settings
    from codeintel_obs.spans import Private

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_LOG_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT")


def wants_traces() -> bool:
    """Whether an endpoint for traces is set and the exporter is not switched off."""
    return _wanted(_ENDPOINTS, "OTEL_TRACES_EXPORTER")


def wants_logs() -> bool:
    """Whether an endpoint for logs is set and the exporter is not switched off."""
    return _wanted(_LOG_ENDPOINTS, "OTEL_LOGS_EXPORTER")


def _wanted(endpoints: tuple[str, ...], exporter: str) -> bool:
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    return any(os.environ.get(name) for name in endpoints) and os.environ.get(exporter, "otlp") != "none"


def resource(settings: Settings) -> Any:
    """Return the resource of our own pipelines: OpenTelemetry's detectors, and the service's name."""
    from opentelemetry.sdk.resources import Resource

    from codeintel_obs.launch.facts import service

    named = (
        {} if "service.name" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "") else {"service.name": service(settings)}
    )
    return Resource.create(named)


def private_pipeline(settings: Settings) -> Private | None:
    """Return our own pipeline, or None without an endpoint. Nothing of the SDK is imported then."""
    if not wants_traces():
        return None
    from opentelemetry.sdk.trace.sampling import _get_from_env_or_default

    from codeintel_obs.spans import Private

    return Private(resource(settings), _get_from_env_or_default(), _batch_processor)


def private_logs(settings: Settings) -> Callable[[], LoggerProvider] | None:
    """Return what makes our own log pipeline at the first log, or None without an endpoint for logs."""
    return (lambda: _logger_provider(settings)) if wants_logs() else None


def _batch_processor() -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    return BatchSpanProcessor(Quiet(OTLPSpanExporter()))  # type: ignore[arg-type]  # an exporter by duck type


def _logger_provider(settings: Settings) -> LoggerProvider:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    provider = LoggerProvider(resource(settings), shutdown_on_exit=False)
    provider.add_log_record_processor(BatchLogRecordProcessor(Quiet(OTLPLogExporter())))  # type: ignore[arg-type]  # by duck type
    return provider


class Quiet:
    """An exporter of ours: what it calls and logs while it sends is not the application's, and is not recorded.

    Without this a receiver that is down would feed itself: each failure is logged, and each log is sent.
    """

    def __init__(self, exporter: Any) -> None:
        self._exporter = exporter

    def export(self, batch: Sequence[Any]) -> Any:
        """Send ``batch``; return the exporter's own verdict."""
        with suppress():
            return self._exporter.export(batch)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what the exporter itself holds back."""
        with suppress():
            return bool(self._exporter.force_flush(timeout_millis))

    def shutdown(self) -> None:
        """Stop sending."""
        with suppress():
            self._exporter.shutdown()
