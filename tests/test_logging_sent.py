"""Logs and step events as OpenTelemetry logs, and steps as JSON lines: sent once, and never in a circle."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry import _logs
from opentelemetry._logs import SeverityNumber
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.util._once import Once
from pipelines import global_provider, in_memory, search, spans_sink

from codeintel_obs import emit_step, guard, recorder, step
from codeintel_obs.plugins.logging.instrumentor import LoggingInstrumentor
from codeintel_obs.recorder import Listeners
from codeintel_obs.sinks.otel_logs import OTelLogsSink
from codeintel_obs.sinks.stdlog import StdlogSink
from codeintel_obs.spans import event_attributes
from codeintel_obs.steps import Status, StepEvent
from codeintel_obs.testing import recording


def provider_in_memory() -> tuple[LoggerProvider, InMemoryLogRecordExporter]:
    exporter = InMemoryLogRecordExporter()
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    return provider, exporter


@contextmanager
def global_logs(provider: Any) -> Iterator[None]:
    """Let ``provider`` be the global logger provider, as an application sets it."""
    home = _logs._internal
    before, once = home._LOGGER_PROVIDER, home._LOGGER_PROVIDER_SET_ONCE
    home._LOGGER_PROVIDER, home._LOGGER_PROVIDER_SET_ONCE = None, Once()
    if provider is not None:
        _logs.set_logger_provider(provider)
    try:
        yield
    finally:
        home._LOGGER_PROVIDER, home._LOGGER_PROVIDER_SET_ONCE = before, once


@contextmanager
def sending(adopted: Any = None, private: Any = None, **settings: Any) -> Iterator[Any]:
    """Record with the otel_logs sink; ``adopted`` is the application's provider, ``private`` makes ours."""
    sink = OTelLogsSink()
    listeners = Listeners(step_ended=(sink.obs_step_ended,), log=(sink.obs_log,))
    with global_logs(adopted), recording(LoggingInstrumentor, listeners=[listeners], **settings) as told:
        recorder.active.spans.logs = private
        sink.configure(recorder.active.settings, recorder.active, dict)
        told.sink = sink
        yield told


def records(exporter: InMemoryLogRecordExporter) -> list[Any]:
    return [each.log_record for each in exporter.get_finished_logs()]


def test_an_applications_log_goes_to_its_own_provider():
    """With its time, severity, text, scope, its place in the trace, and the run."""
    provider, exporter = provider_in_memory()
    with sending(provider) as told, step("outer.work"):
        logging.getLogger("app.sent").warning("paid %s", "acme")
    (made,), (entry,), outer = records(exporter), told.logs, told.only("outer.work")
    assert (made.body, made.severity_number, made.severity_text) == ("paid acme", SeverityNumber.WARN, "WARN")
    assert (f"{made.trace_id:032x}", f"{made.span_id:016x}") == (outer.trace_id, outer.span_id)
    assert (made.timestamp, made.event_name) == (entry.ts_ns, None)
    assert dict(made.attributes) == {"codeintel.run.id": outer.run.run_id, "codeintel.step.id": outer.span_id}
    assert exporter.get_finished_logs()[0].instrumentation_scope.name == "app.sent"


def test_an_exception_is_told_by_type_and_message():
    """At content level none, by its type alone, and the log has no text."""
    for content, told in (("messages", {"exception.type": "ValueError", "exception.message": "no"}), ("none", None)):
        provider, exporter = provider_in_memory()
        with sending(provider, content=content):
            logging.getLogger("app.sent").error("failed", exc_info=ValueError("no"))
        (made,) = records(exporter)
        said = {key: value for key, value in made.attributes.items() if key.startswith("exception")}
        assert said == (told or {"exception.type": "ValueError"})
        assert made.body == ("failed" if told else None)


@pytest.mark.parametrize(
    ("level", "number"), [(10, 5), (15, 8), (20, 9), (25, 12), (30, 13), (40, 17), (50, 21), (99, 24)]
)
def test_every_level_has_its_severity(level, number):
    """As OpenTelemetry's own handler maps them."""
    provider, exporter = provider_in_memory()
    with sending(provider, log_level="DEBUG"):
        logging.Logger("app.levels", 1).log(level, "said")  # noqa: LOG001 - one without a level above it
    assert records(exporter)[0].severity_number.value == number


def test_nothing_is_sent_and_nothing_imported_without_a_provider_or_an_endpoint():
    """The sink is silent: no provider of ours comes to be."""
    with sending() as told:
        logging.getLogger("app.sent").warning("kept")
        search()
    assert len(told.logs) == 1
    assert told.sink._private is None


def test_our_own_pipeline_is_made_at_the_first_log_and_only_once():
    """An endpoint alone starts nothing; what fails to be made is not tried again."""
    provider, exporter = provider_in_memory()
    asked: list[int] = []
    with sending(private=lambda: asked.append(1) or provider):
        assert asked == []
        for _ in range(3):
            logging.getLogger("app.sent").warning("said")
    assert (len(records(exporter)), asked) == (3, [1])
    guard.counts.clear()
    with sending(private=lambda: asked.append(2) or {}["missing"], strict=False) as told:
        for _ in range(3):
            logging.getLogger("app.sent").warning("said")
    assert (len(told.logs), asked) == (3, [1, 2])


def test_a_record_that_the_application_sends_itself_is_not_sent_twice(recwarn):
    """OpenTelemetry's own handler on the record's logger or above takes it; a record below its level is ours."""
    from opentelemetry.sdk._logs import LoggingHandler

    provider, exporter = provider_in_memory()
    handler = LoggingHandler(logging.WARNING, provider)
    logger = logging.getLogger("app.bridged")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    with sending(provider) as told:
        logging.getLogger("app.bridged.child").error("theirs")
        logger.info("ours")
        logging.getLogger("app.elsewhere").error("ours too")
    logger.removeHandler(handler)
    assert [each.body for each in records(exporter)] == ["theirs", "ours", "ours too"]
    assert [entry.text for entry in told.logs] == ["theirs", "ours", "ours too"]
    assert {str(each.message)[:16] for each in recwarn} == {"`LoggingHandler`"}


def test_what_an_exporter_logs_while_it_sends_is_not_sent():
    """A receiver that is down must not feed itself; the ledger has it."""
    provider, exporter = provider_in_memory()
    with sending(provider) as told, suppress_instrumentation():
        logging.getLogger("urllib3.connectionpool").warning("retrying")
    assert records(exporter) == []
    assert len(told.logs) == 1


@pytest.mark.parametrize(("events", "on_spans", "on_logs"), [("span", 2, 0), ("logs", 0, 2), ("both", 2, 2)])
def test_one_switch_moves_the_step_event(events, on_spans, on_logs):
    """On the span, in the logs, or both: the same name and attributes."""
    provider, logs = provider_in_memory()
    tracing, spans = in_memory()
    sink = OTelLogsSink()
    with global_provider(tracing), global_logs(provider), spans_sink(span_events=events) as told:
        active = recorder.active
        sink.configure(active.settings, active, dict)
        listening = Listeners(step_ended=(*active.listeners.step_ended, sink.obs_step_ended))
        active.listeners = listening
        with step("outer.work"):
            emit_step(StepEvent("retrieval.budget", Status.SKIPPED))
    found = [event for span in spans.get_finished_spans() for event in span.events]
    assert [event.name for event in found] == ["codeintel.step"] * on_spans
    made = records(logs)
    assert [each.event_name for each in made] == ["codeintel.step"] * on_logs
    if on_logs:
        assert [dict(each.attributes) for each in made] == [event_attributes(done) for done in told.steps]
        (span,) = spans.get_finished_spans()
        assert {(each.trace_id, each.span_id) for each in made} == {(span.context.trace_id, span.context.span_id)}
        assert {int(each.trace_flags) & 1 for each in made} == {1}


@contextmanager
def writing(**settings: Any) -> Iterator[Any]:
    sink = StdlogSink()
    listeners = Listeners(step_ended=(sink.obs_step_ended,))
    with recording(LoggingInstrumentor, listeners=[listeners], **settings) as told:
        sink.configure(recorder.active.settings, recorder.active, dict)
        yield told


def test_stdlog_writes_a_line_for_each_step_that_the_log_bridge_ignores(caplog):
    """Opt-in; failed steps are warnings; a line is JSON with what is known."""
    caplog.set_level(logging.INFO, "codeintel_obs.steps")
    with writing(stdlog=True) as told:
        done = search()
        search(status=Status.FAILED, error=ValueError("no"))
    first, second = [(record.levelname, json.loads(record.getMessage())) for record in caplog.records]
    assert first == ("INFO", first[1] | {"kind": "faiss.search", "status": "completed", "span_id": done.span_id})
    assert first[1]["payload"] == {"k": 10, "nq": 2, "missing": 0}
    assert "error" not in first[1]
    assert (second[0], second[1]["error"]["type"]) == ("WARNING", "ValueError")
    assert told.logs == []


def test_stdlog_is_silent_unless_asked_for(caplog):
    """By default no logger of ours says a word."""
    caplog.set_level(logging.DEBUG, "codeintel_obs.steps")
    with writing():
        search()
    assert caplog.records == []


def test_an_applications_handler_that_uses_a_watched_library_for_our_line_makes_no_step(caplog):
    """A handler that works with what is watched does not go round in a circle."""
    caplog.set_level(logging.INFO, "codeintel_obs.steps")

    class Storing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            with step("store.line"):
                logging.getLogger("app.store").warning("stored")

    logger = logging.getLogger("codeintel_obs.steps")
    logger.addHandler(storing := Storing())
    with writing(stdlog=True) as told:
        search(status=Status.FAILED, error=ValueError("no"))
    logger.removeHandler(storing)
    assert (told.logs, told.kinds) == ([], ["faiss.search"])
