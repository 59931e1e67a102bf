"""With an endpoint, a real receiver has every step and log; without one, nothing connects anywhere."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import processes
import pytest
from receiver import Receiver, free_ports, receiving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # installs and starts a real receiver

PROGRAM = """
import logging, threading
{start}
import faiss, numpy
index = faiss.IndexFlatL2(4)
index.add(numpy.zeros((3, 4), "f4"))
index.search(numpy.zeros((1, 4), "f4"), 2)
logging.getLogger("app").warning("paid %s", "acme")
try:
    index.search(numpy.zeros((1, 5), "f4"), 2)
except AssertionError:
    logging.getLogger("app").exception("failed")
"""
START = "import codeintel_obs; assert codeintel_obs.start()"


def steps_of(folder: Path) -> dict[str, tuple[str, str | None, str]]:
    """Return kind, parent and status of each step that the ledger has."""
    told = processes.records(folder)
    begun = {each["span_id"]: each for each in told if each["event"] == "step.begin"}
    return {
        each["span_id"]: (each["kind"], begun[each["span_id"]].get("parent_span_id"), each["status"])
        for each in told
        if each["event"] == "step.end"
    }


def spans_of(receiver: Receiver) -> dict[str, tuple[str, str | None, str]]:
    """Return the same of each span that the receiver has, from the span and its event."""
    found = {}
    for span in receiver.spans():
        (event,) = span["events"]
        assert event["name"] == "codeintel.step"
        assert event["attributes"]["codeintel.step.kind"] == span["name"]
        assert span["attributes"]["codeintel.step.id"] == span["span_id"]
        status = event["attributes"]["codeintel.step.status"]
        found[span["span_id"]] = (span["name"], span.get("parent_span_id") or None, status)
    return found


def logs_of(told: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(each["payload"]["logger"], each["payload"]["text"]) for each in told if each["event"] == "log"]


@pytest.mark.parametrize("plain", ["off", "on"])
def test_a_receiver_has_what_the_ledger_has(tmp_path, plain):
    """Started by the program itself: spans and logs are read back and match step by step, record by record."""
    with receiving(tmp_path) as receiver:
        more = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "CODEINTEL_OBS_PLAIN_SPANS": plain}
        ended = processes.run(tmp_path, sys.executable, "-c", PROGRAM.format(start=START), **more)
        assert ended.returncode == 0, ended.stderr
        assert spans_of(receiver) == steps_of(tmp_path)
        sent = receiver.logs()
        assert [(each["scope"], each["body"]["string_value"]) for each in sent] == logs_of(processes.records(tmp_path))
        assert {each["trace_id"] for each in sent} == {span["trace_id"] for span in receiver.spans()}
        (failed,) = [span for span in receiver.spans() if span["status"].get("code") == "STATUS_CODE_ERROR"]
        assert failed["attributes"]["error.type"] == sent[1]["attributes"]["exception.type"] == "AssertionError"
        assert len(sent) == 2


def test_step_events_go_to_the_receivers_logs_where_asked(tmp_path):
    """One switch moves the event: the spans have none then, the logs have one for each step."""
    with receiving(tmp_path) as receiver:
        more = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "CODEINTEL_OBS_SPAN_EVENTS": "logs"}
        ended = processes.run(tmp_path, sys.executable, "-c", PROGRAM.format(start=START), **more)
        assert ended.returncode == 0, ended.stderr
        told = {each["span_id"] for each in receiver.logs() if each.get("event_name") == "codeintel.step"}
        assert told == set(steps_of(tmp_path))
        assert {tuple(span["events"]) for span in receiver.spans()} == {()}


def test_under_the_stock_launcher_everything_goes_through_its_providers_and_once(tmp_path):
    """Its tracer provider is adopted, and its own log handler sends the application's logs: no span or log twice."""
    with receiving(tmp_path) as receiver:
        more = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_LOGS_EXPORTER": "otlp",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED": "true",
            "OTEL_SERVICE_NAME": "shop",
        }
        ended = processes.stock(tmp_path, PROGRAM.format(start=""), **more)
        assert ended.returncode == 0, ended.stderr
        assert spans_of(receiver) == steps_of(tmp_path)
        assert {span["resource"]["service.name"] for span in receiver.spans()} == {"shop"}
        sent = [each["body"]["string_value"] for each in receiver.logs()]
        assert sorted(each for each in sent if each in {"paid acme", "failed"}) == ["failed", "paid acme"]
        assert logs_of(processes.records(tmp_path)) == [("app", "paid acme"), ("app", "failed")]


@pytest.mark.parametrize(
    "more", [{}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"}]
)
def test_without_an_endpoint_nothing_connects(tmp_path, more):
    """Seen from outside the process: no connection to any network, and no thread of OpenTelemetry's."""
    strace = shutil.which("strace")
    assert strace, "this test looks at system calls: install strace"
    code = PROGRAM.format(start=START) + "print([each.name for each in threading.enumerate()])"
    log = tmp_path / "connects"
    ended = processes.run(
        tmp_path, strace, "-f", "-e", "trace=connect,sendto", "-o", str(log), sys.executable, "-c", code, **more
    )
    assert (ended.returncode, ended.stdout) == (0, "['MainThread']\n")
    assert "AF_INET" not in log.read_text()
    assert len(steps_of(tmp_path)) == 4


def test_a_receiver_that_is_down_costs_nothing_but_its_spans(tmp_path):
    """The program's own output, exit code and ledger are as ever."""
    (port,) = free_ports(1)
    endpoint = f"http://127.0.0.1:{port}"
    code = PROGRAM.format(start=START)
    ended = processes.run(tmp_path, sys.executable, "-c", code, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)
    lines = ended.stderr.splitlines()
    assert (ended.returncode, ended.stdout, lines[0], lines[1]) == (0, "", "paid acme", "failed")
    assert not any("xport" in line for line in lines)
    assert len(steps_of(tmp_path)) == 4
    assert processes.records(tmp_path)[-1]["event"] == "run.end"
