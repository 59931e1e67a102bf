"""Real servers, stopped by SIGTERM, lose nothing: every request is whole in the ledger, and every exporter was flushed."""

from __future__ import annotations

import time

import processes
import pytest
from receiver import receiving
from servers import COMMANDS, serving
from websockets.sync.client import connect

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # installs and starts a real receiver, and real servers

REQUESTS = 8
PATIENT = {"OTEL_BSP_SCHEDULE_DELAY": "600000"}  # nothing is sent by itself while the server runs


def requests_of(told):
    """Return of each request's run its records: begin, step's begin and end, end."""
    runs = {}
    for record in told:
        if record["event"] in {"run.begin", "step.begin", "step.end", "run.end"}:
            runs.setdefault(record["run_id"], []).append(record)
    return {run: records for run, records in runs.items() if "parent_run_id" in records[0].get("payload", {})}


def whole(records):
    return [record["event"] for record in records] == ["run.begin", "step.begin", "step.end", "run.end"]


def numbered(folder):
    """Whether each ledger file counts its lines without a gap."""
    told = processes.records(folder)
    files = sorted(folder.glob(".codeintel/telemetry/runs/*/*.jsonl"))
    return len(told) == sum(len(path.read_text().splitlines()) for path in files) and all(
        [int(line.split(',"n":')[1].split(",")[0]) for line in path.read_text().splitlines()]
        == list(range(1, len(path.read_text().splitlines()) + 1))
        for path in files
    )


def all_workers_are_up(folder, server):
    """True once each worker has begun its lifespan: one that is stopped before has no handler that could send anything."""
    begun = [each for each in processes.records(folder) if each["event"] == "step.begin" and "lifespan" in each["kind"]]
    return len(begun) >= (2 if server in {"uvicorn --workers 2", "gunicorn"} else 1) or None


@pytest.mark.parametrize("application", ["fastapi", "bare"])
@pytest.mark.parametrize("server", COMMANDS)
def test_a_stopped_server_loses_nothing(tmp_path, server, application):
    """The ledger has every request, and the receiver a span for every step, although the server killed itself."""
    with receiving(tmp_path) as receiver:
        env = {**PATIENT, "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}
        with serving(tmp_path, application, server, **env) as running:
            ids = [running.get(f"/books/{number}").headers["X-Run-Id"] for number in range(REQUESTS)]
            eventually(lambda: all_workers_are_up(tmp_path, server))
            running.stop()
        told = processes.records(tmp_path)
        runs = requests_of(told)
        assert sorted(runs) == sorted(ids)
        assert all(whole(records) for records in runs.values())
        assert numbered(tmp_path)
        ended = {record["span_id"] for record in told if record["event"] == "step.end"}
        assert {span["span_id"] for span in receiver.spans()} == ended
        assert len(ended) > REQUESTS


def test_every_run_of_a_stopped_server_is_complete(tmp_path):
    """Its report says so for the request, and for the process that ended by the signal."""
    with serving(tmp_path, "fastapi", "uvicorn") as running:
        run = running.get("/books/1", **{"X-Run-ID": "mine"}).headers["X-Run-Id"]
        running.stop()
    assert run == "mine"
    request, process = processes.report(tmp_path, "mine"), processes.report(tmp_path, request_parent(tmp_path))
    assert (request["outcome"], request["integrity"]["complete"]) == ("completed", True)
    assert processes.kinds(request) == [("http.request", "completed")]
    assert (process["outcome"], process["integrity"]["complete"]) == ("interrupted", True)
    assert ("http.lifespan", "completed") in processes.kinds(process)
    assert process["in_flight"] == []


def request_parent(folder):
    (begin,) = [
        record for record in processes.records(folder) if record["event"] == "run.begin" and record["run_id"] == "mine"
    ]
    return begin["payload"]["parent_run_id"]


@pytest.mark.parametrize("server", ["uvicorn", "gunicorn"])
def test_the_stock_launchers_exporters_are_flushed(tmp_path, server):
    """Under `opentelemetry-instrument` the pipeline is the SDK's own: it too has sent everything when the server ends."""
    launcher = (processes.STOCK, "--traces_exporter", "otlp", "--metrics_exporter", "none", "--logs_exporter", "otlp")
    with receiving(tmp_path) as receiver:
        env = {**PATIENT, "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
        with serving(tmp_path, "fastapi", server, launcher, **env) as running:
            for number in range(REQUESTS):
                running.get(f"/books/{number}")
            eventually(lambda: all_workers_are_up(tmp_path, server))
            running.stop()
        spans = [span for span in receiver.spans() if span["name"] == "http.request"]
    ended = [record for record in processes.records(tmp_path) if record["event"] == "step.end"]
    requests = {record["span_id"] for record in ended if record["kind"] == "http.request"}
    assert len(requests) == REQUESTS
    assert {span["span_id"] for span in spans} == requests


@pytest.mark.parametrize("server", ["uvicorn", "gunicorn -k asgi", "hypercorn"])
def test_a_stream_ends_when_its_client_goes_away(tmp_path, server):
    """The request is open while it streams; closed by its client it ends, with what was sent until then."""
    with serving(tmp_path, "fastapi", server) as running:
        with running.connect() as client:
            client.sendall(b"GET /endless HTTP/1.1\r\nHost: here\r\nX-Run-ID: stream\r\n\r\n")
            assert b"200" in client.recv(4096)
            assert [each["event"] for each in of_run(tmp_path, "stream")][1] == "step.begin"
        end = eventually(lambda: ended_in(tmp_path, "stream"))
        running.stop()
    assert end["payload"]["response_bytes"] >= 5000
    assert "response_ns" not in end["payload"]
    assert end["payload"].get("disconnected") or end["detail"] == "cancelled" or "error" in end


@pytest.mark.parametrize(("server", "code"), [("uvicorn", 4000), ("hypercorn", 1006)])
def test_a_websocket_ends_when_it_is_closed(tmp_path, server, code):
    """A real client's messages are counted, and the code is the one that the server tells the application."""
    with serving(tmp_path, "fastapi", server) as running:
        with connect(running.url.replace("http", "ws") + "/echo", additional_headers={"X-Run-ID": "talk"}) as client:
            assert client.response.headers["X-Run-Id"] == "talk"
            for text in ("one", "two"):
                client.send(text)
                assert client.recv() == text
            assert ended_in(tmp_path, "talk") is None
            client.close(4000)
        end = eventually(lambda: ended_in(tmp_path, "talk"))
        running.stop()
    payload = end["payload"]
    assert (end["status"], payload["received"], payload["sent"], payload["close_code"]) == ("completed", 2, 2, code)


def of_run(folder, run):
    return [record for record in processes.records(folder) if record["run_id"] == run]


def ended_in(folder, run):
    return next((record for record in of_run(folder, run) if record["event"] == "step.end"), None)


def eventually(look):
    """Return what ``look`` finds, once it finds something."""
    for _ in range(300):
        found = look()
        if found is not None:
            return found
        time.sleep(0.1)
    raise AssertionError("it never came")


def test_a_killed_server_keeps_what_it_acknowledged(tmp_path):
    """After SIGKILL the ledger has every request that was answered; the process run has no end, and says so."""
    with serving(tmp_path, "fastapi", "uvicorn") as running:
        ids = [running.get(f"/books/{number}").headers["X-Run-Id"] for number in range(REQUESTS)]
    runs = requests_of(processes.records(tmp_path))
    assert set(ids) <= set(runs)
    assert sum(whole(records) for records in runs.values()) >= REQUESTS - 1
