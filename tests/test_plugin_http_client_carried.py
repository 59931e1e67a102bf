"""What a request carries of the run, to whom, and whose span it is told on."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import aiohttp
import httpx
import processes
import pytest
import requests
import urllib3
from http_server import serving
from openai_server import serving as serving_models
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from receiver import receiving
from test_plugin_http_client import WAYS, async_client, client, watched

from codeintel_obs import Status, outgoing
from codeintel_obs.incoming import carrier_in

PARTS = ("instrumentation-httpx", "util-http")
OURS = {"traceparent", "baggage", "x-request-id"}
each_way = pytest.mark.parametrize("ask", WAYS)


@pytest.fixture
def server():
    with serving() as made:
        yield made


@each_way
def test_the_run_travels_to_this_machine(server, ask):
    """Trace and step, what joins the attempt, and an id of the request that names the run."""
    with watched() as told:
        ask("GET", f"{server.url}/ok")
    (step,) = told.steps
    assert server.headers["traceparent"] == f"00-{step.trace_id}-{step.span_id}-01"
    assert server.headers["x-request-id"] == f"{step.run.run_id}-{step.span_id}"
    carried = {"run": step.run.run_id, "attempt": step.run.attempt, "day": step.run.day}
    assert carrier_in(server.headers["baggage"]) == carried


@each_way
def test_carriers_off_leaves_requests_alone(server, ask):
    """One switch: the requests are recorded, and nothing is added to them."""
    with watched(carriers=False) as told:
        ask("GET", f"{server.url}/ok")
    assert not OURS & set(server.headers)
    assert told.only("http_client.get").status is Status.COMPLETED


@each_way
def test_what_the_application_set_stays(server, ask):
    """Its id and its place in a trace are its own; ours is added to its baggage."""
    theirs = {"X-Request-ID": "mine", "traceparent": f"00-{'a' * 32}-{'b' * 16}-00", "Baggage": "user=me"}
    given = dict(theirs)
    with watched():
        ask("GET", f"{server.url}/ok", headers=given)
    assert server.headers["x-request-id"] == "mine"
    assert server.headers["traceparent"] == theirs["traceparent"]
    assert server.headers["baggage"].startswith("user=me,codeintel.run=")
    assert given == theirs


def two_lines_by_httpx(url, lines):
    with client() as made:
        made.get(url, headers=lines)


def two_lines_by_urllib3(url, lines):
    with urllib3.PoolManager() as pool:
        pool.request("GET", url, headers=urllib3.HTTPHeaderDict(lines))


def two_lines_by_aiohttp(url, lines):
    async def ask():
        async with aiohttp.ClientSession() as session, session.get(url, headers=lines) as response:
            await response.read()

    asyncio.run(ask())


@pytest.mark.parametrize("ask", [two_lines_by_httpx, two_lines_by_urllib3, two_lines_by_aiohttp])
def test_baggage_of_several_lines_stays_whole(server, ask):
    """The lines of one header belong together: none of them is lost to ours."""
    with watched():
        ask(f"{server.url}/ok", [("baggage", "user=me"), ("baggage", "tenant=acme")])
    assert server.headers["baggage"].replace(", ", ",").startswith("user=me,tenant=acme,codeintel.run=")


@pytest.mark.parametrize(
    ("host", "port", "allowed", "carried"),
    [
        ("127.0.0.1", 80, (), True),
        ("127.9.9.9", 80, (), True),
        ("localhost", 80, (), True),
        ("::1", 80, (), True),
        ("[::1]", 80, (), True),
        ("10.0.0.1", 80, (), False),
        ("localhost.example.org", 80, (), False),
        ("127.0.0.1.example.org", 80, (), False),
        ("api.example.org", 443, ("example.org",), False),
        ("api.example.org", 443, ("api.example.org",), True),
        ("API.example.org", 443, ("api.example.org:443",), True),
        ("api.example.org", 8443, ("api.example.org:443",), False),
    ],
)
def test_to_whom_the_run_travels(host, port, allowed, carried):
    """This machine, and hosts that the settings name exactly; no name that only looks like one."""
    assert outgoing.is_carried_to(host, port, allowed) is carried


def over_httpx_and_a_proxy(proxy, url):
    with client(proxy=proxy) as made:
        return made.get(url)


def over_requests_and_a_proxy(proxy, url):
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, proxies={"http": proxy}, timeout=5)


def over_aiohttp_and_a_proxy(proxy, url):
    async def ask():
        async with aiohttp.ClientSession() as session, session.get(url, proxy=proxy) as response:
            await response.read()

    return asyncio.run(ask())


@pytest.mark.parametrize("ask", [over_httpx_and_a_proxy, over_requests_and_a_proxy, over_aiohttp_and_a_proxy])
def test_a_proxy_gets_nothing(server, ask):
    """A request to this machine that goes through a proxy goes to whoever that is."""
    with watched() as told:
        ask(server.url, "http://127.0.0.1:9/empty")
    (step,) = told.steps
    assert (step.payload["host"], step.payload["port"]) == ("127.0.0.1", 9)
    assert len(server.requests) == 1
    assert not OURS & set(server.headers)


def over_a_foreign_pool(url):
    class Tunnel(urllib3.HTTPConnectionPool):
        """As urllib3's for SOCKS, and docker's for SSH, that call every daemon `localhost`."""

    class Tunnels(urllib3.PoolManager):
        def __init__(self):
            super().__init__()
            self.pool_classes_by_scheme = {"http": Tunnel}

    with Tunnels() as pool:
        return pool.request("GET", url)


def over_a_foreign_connector(url):
    class Tunnel(aiohttp.TCPConnector):
        """As aiohttp-socks has one."""

    async def ask():
        async with aiohttp.ClientSession(connector=Tunnel()) as session, session.get(url) as response:
            await response.read()

    return asyncio.run(ask())


@pytest.mark.parametrize("ask", [over_a_foreign_pool, over_a_foreign_connector])
def test_nor_does_a_way_of_somebody_elses(server, ask):
    """Where it leads nobody knows, whatever the host is called: the request is recorded, and nothing is added to it."""
    with watched(propagate_hosts="127.0.0.1") as told:
        ask(f"{server.url}/ok")
    assert told.only("http_client.get").status is Status.COMPLETED
    assert not OURS & set(server.headers)


def test_the_applications_request_is_not_changed(server):
    """What it sees of its own request is what it made: ours went out with another object."""
    with watched(), client() as made:
        request = made.build_request("GET", f"{server.url}/ok")
        response = made.send(request)
    assert response.request is request
    assert not OURS & set(request.headers)
    with watched(), requests.Session() as session:
        prepared = requests.Request("GET", f"{server.url}/ok").prepare()
        assert not OURS & {name.lower() for name in session.send(prepared).request.headers}


def test_a_second_try_of_aiohttp_has_its_own_step(server):
    """A connection that the server had closed is replaced, and the second try names itself, not the first."""

    async def ask():
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{server.url}/ok") as response:
                await response.read()
            with pytest.raises(aiohttp.ServerDisconnectedError):
                await session.get(f"{server.url}/slam")

    with watched() as told:
        asyncio.run(ask())
    slammed = [{name.lower(): value for name, value in headers.items()} for _, path, headers, _ in server.requests[1:]]
    assert [headers["traceparent"].split("-")[2] for headers in slammed] == [s.span_id for s in told.steps[1:]]
    assert len(slammed) == 2


def test_what_an_exporter_sends_is_no_step(server):
    """OpenTelemetry asks to look away while it exports: an export that made a span would never end."""
    with watched() as told, suppress_instrumentation():
        httpx.get(f"{server.url}/ok")
    assert told.begun == []
    assert not OURS & set(server.headers)


@pytest.mark.slow
def test_our_own_exporter_is_neither_watched_nor_harmed(tmp_path):
    """Its library is a watched one, and imported while the first span is made: the span arrives, and no request is told."""
    with receiving(tmp_path) as receiver:
        program = "from codeintel_obs import step\nwith step('demo.stage'): pass\nimport requests"
        command = [str(Path(sys.executable).with_name("codeintel-obs")), "run", "--", sys.executable, "-c", program]
        environ = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}
        subprocess.run(command, cwd=tmp_path, env=environ, check=True, timeout=60)
        told = processes.records(tmp_path)
        ended = {record["span_id"] for record in told if record["event"] == "step.end"}
        assert {span["span_id"] for span in receiver.spans()} == ended
    assert [record for record in told if record["event"] in ("fault", "drop")] == []
    assert not any((record.get("kind") or "").startswith("http_client") for record in told)


# -- spans ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def exported(monkeypatch):
    """The application's own provider."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    token = otel_context.attach(otel_context.Context())
    yield exporter
    otel_context.detach(token)
    provider.shutdown()


INSTRUMENTED = """
import json, sys
import httpx
from opentelemetry import trace
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from codeintel_obs.plugins.http_client.instrumentor import HTTPClientInstrumentor
from codeintel_obs.testing import recording

exporter, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
with recording(HTTPClientInstrumentor) as told:
    HTTPXClientInstrumentor().instrument()
    httpx.get(sys.argv[1])
(span,), (step,) = exporter.get_finished_spans(), told.steps
ids = [f"{span.context.span_id:016x}", f"{span.context.trace_id:032x}", step.trace_id]
print(json.dumps([span.instrumentation_scope.name, *ids]))
"""


@pytest.mark.slow
def test_a_client_span_is_annotated_and_not_doubled(server, tmp_path):
    """Where OpenTelemetry's instrumentation makes the span, the step is told on it.

    It is not installed beside the other tests: the stock launcher starts every instrumentor that it finds.
    """
    wanted = [f"opentelemetry-{name}=={version('opentelemetry-instrumentation')}" for name in PARTS]
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(tmp_path), *wanted]
    subprocess.run(install, check=True, timeout=100)
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", INSTRUMENTED, f"{server.url}/ok"]
    ran = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stderr
    scope, span_id, trace_id, trace_of_step = json.loads(ran.stdout)
    assert scope == "opentelemetry.instrumentation.httpx"
    assert server.headers["traceparent"].split("-")[1:3] == [trace_id, span_id]
    assert trace_of_step == trace_id


def test_a_span_of_the_applications_own_is_not_taken_for_one(server, exported):
    """Its span stands around the request: the request has one of its own beneath."""
    with watched() as told, trace.get_tracer("application").start_as_current_span("search"), client() as made:
        made.get(f"{server.url}/ok")
    step = told.only("http_client.get")
    (span,) = exported.get_finished_spans()
    assert step.parent_span_id in (None, f"{span.context.span_id:016x}")
    assert step.trace_id == f"{span.context.trace_id:032x}"
    assert step.span_id != f"{span.context.span_id:016x}"


# -- the application of this repository ------------------------------------------------------------------------------------

ASKS = """
import sys
from codeintel_rev.io.vllm_client import Endpoint, VllmClient
client = VllmClient(Endpoint(sys.argv[1]))
print(len(client.post_all("/v1/embeddings", [{"model": "m", "input": ["one", "two"]}])))
client.close()
"""


@pytest.mark.slow
def test_retries_of_codeintel_rev_are_steps(tmp_path):
    """Launched under the recorder: 503, 503 and 200 are three steps of one process run, and the answer is the same."""
    with serving_models() as (url, behaviour):
        behaviour.statuses = [(503, {}), (503, {})]
        command = [str(Path(sys.executable).with_name("codeintel-obs")), "run", "--", sys.executable, "-c", ASKS, url]
        environ = {**os.environ, "CODEINTEL_OBS_VLLM_HOSTS": url.split("//")[1]}
        ran = subprocess.run(
            command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False, timeout=60
        )
    assert (ran.returncode, ran.stdout.strip()) == (0, "1"), ran.stderr
    files = (tmp_path / ".codeintel/telemetry/runs").rglob("*.jsonl")
    records = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    begun = [r for r in records if r["event"] == "step.begin" and r.get("kind") == "vllm.embed_batch"]
    ended = [r for r in records if r["event"] == "step.end" and r.get("kind") == "vllm.embed_batch"]
    assert [(r["status"], r["payload"]["status_code"]) for r in ended] == [
        ("failed", 503),
        ("failed", 503),
        ("completed", 200),
    ]
    assert {(r["payload"]["mode"], r["payload"]["count"]) for r in begun} == {("http", 2)}
    sent = {r[2]["X-Request-Id"].rpartition("-")[2] for r in behaviour.requests}
    assert sent == {r["span_id"] for r in begun}


async def test_async_requests_carry_their_own_step(server):
    """Two requests at once: each names itself."""
    with watched() as told:
        async with async_client() as made:
            await asyncio.gather(*(made.get(f"{server.url}/ok") for _ in range(2)))
    sent = {headers["traceparent"].split("-")[2] for _, _, headers, _ in server.requests}
    assert sent == {step.span_id for step in told.steps}
