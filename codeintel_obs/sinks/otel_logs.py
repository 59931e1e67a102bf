"""Sends the application's log records and, where asked, step events as OpenTelemetry logs.

They go to the global logger provider if the application installed one, else to our own pipeline if an endpoint is set,
else nowhere. Nothing of the SDK is imported and no thread started before the first log that has somewhere to go.

An application that sends its logs itself keeps doing so: a record that a ``LoggingHandler`` of OpenTelemetry's (the
SDK's or the logging instrumentation's) takes, on its logger or above, is not sent a second time. It is in the ledger
either way. A handler of the application's own making that sends logs cannot be told from any other.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextvars import Context
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from codeintel_obs import guard
from codeintel_obs.hookspecs import hookimpl
from codeintel_obs.spans import SCOPE_PREFIX, STEP_EVENT, event_attributes, failed
from codeintel_obs.steps import LogEntry, Root, Step

if TYPE_CHECKING:
    from opentelemetry._logs import SeverityNumber
    from opentelemetry.context import Context as OTelContext

    from codeintel_obs.recorder import Recorder
    from codeintel_obs.runs import Run
    from codeintel_obs.settings import Settings
    from codeintel_obs.spans import Spans

ROOT_EVENT: Final = "codeintel.ledger.root"
# OpenTelemetry's own names for two of Python's levels
_SEVERITY_TEXT: Final = {"WARNING": "WARN", "CRITICAL": "FATAL"}


class OTelLogsSink:
    """Built in and inline: a log is handed to a batch processor, which sends it on a thread of its own."""

    _spans: Spans
    _with_steps = False
    _with_roots = False
    _private: Any = None
    _failed = False

    def configure(self, settings: Settings, active: Recorder, _manifest: Callable[[], Any]) -> None:
        """Called once by launch, before the first event."""
        self._with_steps = settings.span_events != "span"
        self._with_roots = settings.chain
        self._spans = active.spans

    @hookimpl(trylast=True)  # what is imported for it may be watched: its records need the run's file
    def obs_run_begun(self, run: Run) -> None:
        """Make our pipeline while there is time, if a root is going to be sent: at the end of a process it is too late."""
        del run
        if self._with_roots:
            self._own()

    @hookimpl
    def obs_log(self, record: LogEntry) -> None:
        """Send a log record of the application, unless it does so itself or it is an exporter's own."""
        provider = self._provider()
        if provider is None or _is_exporting() or _is_bridged(record):
            return
        attributes = {"codeintel.run.id": record.run.run_id}
        if record.span_id is not None:
            attributes["codeintel.step.id"] = record.span_id
        if record.error is not None:
            attributes["exception.type"] = record.error.type
            if record.error.message is not None:
                attributes["exception.message"] = record.error.message
        provider.get_logger(record.logger).emit(
            timestamp=record.ts_ns,
            context=self._context(record.trace_id, record.span_id, record.sampled),
            severity_number=_severity(record.level_number),
            severity_text=_SEVERITY_TEXT.get(record.level, record.level),
            body=record.text,
            attributes=attributes,
        )

    @hookimpl
    def obs_step_ended(self, step: Step) -> None:
        """Send the step's event, where the settings ask for it on logs."""
        provider = self._provider() if self._with_steps else None
        if provider is None:
            return
        number, text = (logging.ERROR, "ERROR") if failed(step) else (logging.INFO, "INFO")
        provider.get_logger(SCOPE_PREFIX + step.source).emit(
            timestamp=step.end_ts_ns,
            context=_around(step.trace_id, step.parent_span_id if step.instant else step.span_id, step.sampled),
            severity_number=_severity(number),
            severity_text=text,
            attributes=event_attributes(step),
            event_name=STEP_EVENT,
        )

    @hookimpl
    def obs_root(self, root: Root) -> None:
        """Send the root of a chained file, so that it lies where who can write to the ledger cannot.

        Through our own pipeline first: an application's may be shut down when the last file is closed.
        """
        provider = self._own() or self._provider()
        if provider is None:
            return
        run = root.run
        provider.get_logger(SCOPE_PREFIX + "ledger").emit(
            timestamp=time.time_ns(),
            context=_around(run.trace_id, None, run.sampled),
            severity_number=_severity(logging.INFO),
            severity_text="INFO",
            body=f"{root.file} has {root.records} records and the root {root.sha256}",
            attributes={
                "codeintel.run.id": run.run_id,
                "codeintel.run.attempt": run.attempt,
                "codeintel.ledger.file": root.file,
                "codeintel.ledger.records": root.records,
                "codeintel.ledger.root": root.sha256,
            },
            event_name=ROOT_EVENT,
        )

    @hookimpl
    def obs_flush(self, timeout_s: float) -> None:
        """Send what our own pipeline holds; an adopted provider's pipeline is its owner's."""
        if self._private is not None:
            self._private.force_flush(int(timeout_s * 1000))

    @hookimpl
    def obs_shutdown(self) -> None:
        """Send what our own pipeline holds, and stop it."""
        if self._private is not None:
            self._private.shutdown()

    def _provider(self) -> Any:
        """Return where logs go now: the global provider, else our own."""
        api = sys.modules.get("opentelemetry._logs._internal")
        provider = getattr(api, "_LOGGER_PROVIDER", None)
        if provider is not None and not _makes_nothing(provider):
            return provider
        return self._own()

    def _own(self) -> Any:
        """Return our own provider, made when it is first needed, in no step's context; None without an endpoint."""
        if self._private is None and self._spans.logs is not None and not self._failed:
            self._private = guard.call(Context().run, self._spans.logs)
            self._failed = self._private is None
        return self._private

    def _context(self, trace_id: str | None, span_id: str | None, sampled: bool | None) -> OTelContext:
        """Return the context that a log record stands in: OpenTelemetry's own where we share it, else the step's."""
        from opentelemetry import context, trace

        if self._spans.adopted is not None and trace.get_current_span().get_span_context().is_valid:
            return context.get_current()
        return _around(trace_id, span_id, sampled)


def _makes_nothing(provider: Any) -> bool:
    from opentelemetry._logs import NoOpLoggerProvider

    return isinstance(provider, NoOpLoggerProvider) or type(provider).__name__ == "ProxyLoggerProvider"


def _around(trace_id: str | None, span_id: str | None, sampled: bool | None) -> OTelContext:
    """Return a context of its own that holds only the step's place in its trace."""
    from opentelemetry import context, trace

    place = trace.SpanContext(
        int(trace_id or "0", 16), int(span_id or "0", 16), False, trace.TraceFlags(1 if sampled else 0)
    )
    # an empty context would be taken for the current one
    return trace.set_span_in_context(trace.NonRecordingSpan(place), context.Context())


@lru_cache(maxsize=128)
def _severity(level: int) -> SeverityNumber:
    """Return OpenTelemetry's severity for one of Python's levels, or for one in between."""
    from opentelemetry._logs import SeverityNumber

    tens = min(level // 10, 5)
    return SeverityNumber(4 * tens + 1 + min(level - 10 * tens, 3) if tens >= 1 else 0)


def _is_exporting() -> bool:
    """Whether this thread is inside an OpenTelemetry exporter, whose own logs would feed it."""
    from opentelemetry.instrumentation.utils import is_instrumentation_enabled

    return not is_instrumentation_enabled()


def _is_bridged(record: LogEntry) -> bool:
    """Whether one of OpenTelemetry's own handlers takes this record to a provider."""
    return any(
        record.level_number >= handler.level and any(map(_is_bridge, type(handler).__mro__))
        for logger in _chain(record.logger)
        for handler in logger.handlers
    )


def _chain(name: str) -> Iterator[logging.Logger]:
    """Yield the logger of this name and those above it, as far as its records go; makes no logger."""
    logger: Any = logging.root if name == logging.root.name else logging.root.manager.loggerDict.get(name)
    while isinstance(logger, logging.Logger):
        yield logger
        logger = logger.parent if logger.propagate else None


def _is_bridge(cls: type) -> bool:
    return cls.__name__ == "LoggingHandler" and cls.__module__.startswith("opentelemetry.")
