"""Our own span pipeline, never OpenTelemetry's global one: only when an endpoint is set does anything leave the process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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


def _batch_processor() -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    return BatchSpanProcessor(OTLPSpanExporter())
