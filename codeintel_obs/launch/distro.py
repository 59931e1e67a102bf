"""An optional distro for ``opentelemetry-instrument``: the http exporter where an endpoint is set, else none at all."""

from __future__ import annotations

import os
from typing import Any

from opentelemetry.instrumentation.distro import BaseDistro  # type: ignore[attr-defined]  # ships no types


class CodeIntelDistro(BaseDistro):  # type: ignore[misc]  # ships no types
    """Keeps the stock launcher from asking for the grpc exporter, which is not among our dependencies."""

    def _configure(self, **_kwargs: Any) -> None:
        endpoint = any(name.startswith("OTEL_EXPORTER_OTLP") and name.endswith("ENDPOINT") for name in os.environ)
        for signal in ("TRACES", "LOGS", "METRICS"):
            os.environ.setdefault(f"OTEL_{signal}_EXPORTER", "otlp" if endpoint and signal != "METRICS" else "none")
        os.environ.setdefault("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
