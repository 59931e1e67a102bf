"""Metrics of a recorded program as others receive them: a real Prometheus that scrapes it, and an OTLP endpoint."""

from __future__ import annotations

import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from receiver import free_ports

PROGRAM = """
import sys
import bm25s
index = bm25s.BM25()
index.index([["cat"], ["sea", "fish"]], show_progress=False)
for _ in range(20):
    index.retrieve([["sea"]], k=1, show_progress=False)
print("searched", flush=True)
sys.stdin.read()
"""


@contextmanager
def running(folder, **environment):
    """Run the program under the recorder until its standard input is closed."""
    (folder / "app.py").write_text(PROGRAM)
    command = [
        sys.executable,
        "-m",
        "codeintel_obs.cli",
        "run",
        "--run-id",
        "nightly-42",
        "--",
        sys.executable,
        "app.py",
    ]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with (folder / "errors").open("wb") as errors:
        process = subprocess.Popen(command, cwd=folder, env={**os.environ, **environment}, stderr=errors, **pipes)
        try:
            assert process.stdout.readline() == "searched\n"
            yield
        finally:
            process.communicate(timeout=60)
    assert process.returncode == 0


def trace_of_the_run(folder):
    command = [sys.executable, "-m", "codeintel_obs.cli", "report", "nightly-42", "--format", "json"]
    told = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    (trace_id,) = json.loads(told.stdout)["trace_ids"]
    return trace_id


# -- Prometheus ---------------------------------------------------------------------------------------------------------


PAGE = (Path(__file__).parent.parent / "docs" / "metrics.md").read_text()
(CONFIG,) = re.findall(r"```yaml prometheus.yml\n(.*?)```", PAGE, re.DOTALL)


@contextmanager
def prometheus(folder, target):
    """Start Debian's Prometheus on loopback, scraping ``target``; yield the URL of its API."""
    program = shutil.which("prometheus")
    assert program, "install the system package prometheus (.ci/run does)"
    (folder / "prometheus.yml").write_text(CONFIG.replace("9464", str(target)))
    (port,) = free_ports(1)
    command = [
        program, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}", "--enable-feature=exemplar-storage",
    ]  # fmt: skip
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield f"http://127.0.0.1:{port}/api/v1/"
        finally:
            process.terminate()
            process.wait(30)


def asked(url, **parameters):
    """Return what Prometheus answers, as soon as it has any; a scrape a second, so within a few."""
    for _ in range(120):
        try:
            with urllib.request.urlopen(f"{url}?{urllib.parse.urlencode(parameters)}", timeout=10) as answer:
                data = json.load(answer)["data"]
        except OSError:
            data = None
        found = data.get("result") if isinstance(data, dict) else data
        if found:
            return found
        time.sleep(0.5)
    raise AssertionError("Prometheus has nothing: see prometheus.log")


@pytest.mark.slow
def test_prometheus_stores_the_exemplars(tmp_path):
    """A real Prometheus scrapes the endpoint, and its API returns counters and exemplars that name run and trace."""
    (port,) = free_ports(1)
    with running(tmp_path, CODEINTEL_OBS_PROMETHEUS=f"127.0.0.1:{port}"), prometheus(tmp_path, port) as api:
        span = {"start": time.time() - 600, "end": time.time() + 600}
        buckets = asked(api + "query_exemplars", query="codeintel_step_duration_seconds_bucket", **span)
        counters = asked(api + "query_exemplars", query='codeintel_steps_total{kind="bm25.search"}', **span)
        (value,) = asked(api + "query", query='codeintel_steps_total{kind="bm25.search",status="completed"}')
    expected = {"run_id": "nightly-42", "trace_id": trace_of_the_run(tmp_path)}
    assert value["value"][1] == "20"
    assert {each["seriesLabels"]["kind"] for each in buckets} >= {"bm25.search", "bm25.index"}
    found = [exemplar["labels"] for series in (*buckets, *counters) for exemplar in series["exemplars"]]
    assert found
    assert [labels for labels in found if labels != expected] == []


# -- OTLP ---------------------------------------------------------------------------------------------------------------


@contextmanager
def collecting():
    """An OTLP endpoint for metrics on a socket of its own: the requests that it got, and its URL."""
    got = []

    class Collector(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/v1/metrics":
                got.append(ExportMetricsServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield got, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def metrics_in(requests):
    return {
        metric.name: metric
        for request in requests
        for resource in request.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def test_an_endpoint_gets_metrics_with_exemplars(tmp_path):
    """With an endpoint set, the numbers are there when the program has ended, each with the trace that it came from."""
    with collecting() as (got, url), running(tmp_path, OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=f"{url}/v1/metrics"):
        pass
    found = metrics_in(got)
    searches = [
        point
        for point in found["codeintel.step.duration"].histogram.data_points
        if any(each.value.string_value == "bm25.search" for each in point.attributes)
    ]
    assert [point.count for point in searches] == [20]
    assert {each.trace_id.hex() for point in searches for each in point.exemplars} == {trace_of_the_run(tmp_path)}
    assert found["codeintel.steps"].sum.is_monotonic


def test_an_endpoint_that_is_down_holds_nobody_up(tmp_path):
    """The program ends as it would, its run is complete, and nobody complains on its standard error."""
    (port,) = free_ports(1)
    endpoint = f"http://127.0.0.1:{port}/v1/metrics"
    with running(tmp_path, OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=endpoint):
        pass
    assert (tmp_path / "errors").read_text() == ""
    assert trace_of_the_run(tmp_path)


@pytest.mark.parametrize("switch", [{"OTEL_METRICS_EXPORTER": "none"}, {"CODEINTEL_OBS_DISABLED_PLUGINS": "metrics"}])
def test_metrics_can_be_switched_off(tmp_path, switch):
    """OpenTelemetry's own switch and ours: nothing is sent."""
    with (
        collecting() as (got, url),
        running(tmp_path, OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=f"{url}/v1/metrics", **switch),
    ):
        pass
    assert got == []
