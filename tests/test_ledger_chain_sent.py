"""The roots of a chained ledger leave the machine: a real process, a real endpoint, and `verify` against what it took."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import processes
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from test_logging_sent import global_logs, provider_in_memory, records

from codeintel_obs import recorder
from codeintel_obs.runs import Run
from codeintel_obs.sinks.otel_logs import OTelLogsSink
from codeintel_obs.steps import Root
from codeintel_obs.testing import recording

PROGRAM = """
import os, sys
import codeintel_obs
from codeintel_obs import emit_step, step
with step("retrieval.fuse"):
    pass
if os.fork() == 0:
    with step("retrieval.budget"):
        pass
    raise SystemExit(0)
os.wait()
"""


class Endpoint(BaseHTTPRequestHandler):
    """Keeps the log records that it is sent."""

    taken: ClassVar[list[Any]] = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith("/logs"):
            for group in ExportLogsServiceRequest.FromString(body).resource_logs:
                self.taken.extend(record for scope in group.scope_logs for record in scope.log_records)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words):
        pass


@pytest.fixture
def endpoint():
    Endpoint.taken = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def attributes(record):
    return {each.key: each.value.string_value or each.value.int_value for each in record.attributes}


def test_every_root_of_a_process_and_its_child_is_sent(tmp_path, endpoint):
    """With an endpoint the root of each file that the recorder closed is at the receiver, and `verify` proves it there."""
    words = {"CODEINTEL_OBS_CHAIN": "on", "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_TRACES_EXPORTER": "none"}
    ended = processes.launched(tmp_path, PROGRAM, "--run-id", "sent", **words)
    assert (ended.returncode, ended.stderr) == (0, "")
    sent = [attributes(record) for record in Endpoint.taken if record.event_name == "codeintel.ledger.root"]
    told = processes.run(tmp_path, processes.OBS, "verify", "sent", "--json")
    (row,) = json.loads(told.stdout)["attempts"]
    known = {each["codeintel.ledger.file"]: each["codeintel.ledger.root"] for each in sent}
    supervisors = row["roots"].keys() - known.keys()
    assert (row["complete"], row["problems"], len(known), len(supervisors)) == (True, [], 2, 1)
    assert {each["codeintel.run.id"] for each in sent} == {"sent"}
    assert {place: row["roots"][place] for place in known} == known
    roots = [word for root in known.values() for word in ("--root", root)]
    assert processes.run(tmp_path, processes.OBS, "verify", "sent", *roots).returncode == 0
    assert processes.run(tmp_path, processes.OBS, "verify", "sent", "--root", "0" * 64).returncode == 4


def test_without_an_endpoint_a_root_goes_nowhere():
    """Where no provider is there is nothing to send to, and nothing of the SDK's is made."""
    sink = OTelLogsSink()
    with global_logs(None), recording():
        sink.configure(recorder.active.settings, recorder.active, dict)
        sink.obs_root(Root(Run("job"), "2026-11-22/job.jsonl", 3, "a" * 64))
    assert sink._private is None


def test_a_root_goes_to_the_applications_own_provider():
    """As an event of the ledger's, in the run's trace, with the file, its count of records and the hash."""
    provider, exporter = provider_in_memory()
    sink, run = OTelLogsSink(), Run("job")
    with global_logs(provider), recording():
        sink.configure(recorder.active.settings, recorder.active, dict)
        sink.obs_root(Root(run, "2026-11-22/job.jsonl", 3, "a" * 64))
    (made,) = records(exporter)
    assert (made.event_name, made.severity_text, f"{made.trace_id:032x}") == (
        "codeintel.ledger.root",
        "INFO",
        run.trace_id,
    )
    assert dict(made.attributes) == {
        "codeintel.run.id": "job",
        "codeintel.run.attempt": run.attempt,
        "codeintel.ledger.file": "2026-11-22/job.jsonl",
        "codeintel.ledger.records": 3,
        "codeintel.ledger.root": "a" * 64,
    }
