"""What an HTTP request is recorded as: its kind, its payload, its end, for each library over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading

import aiohttp
import httpx
import httpx2
import openai
import pytest
import requests
import urllib3
from http_server import refusing, serving
from urllib3.util.retry import Retry

from codeintel_obs import Status
from codeintel_obs.plugins.http_client.answered import Tally
from codeintel_obs.plugins.http_client.instrumentor import HTTPClientInstrumentor
from codeintel_obs.testing import recording

EMBED = {"model": "tiny", "input": ["one", "two", "three"]}
CHAT = {"model": "tiny", "messages": [{"role": "user", "content": "hello"}], "stream": True}
ERRORS = (
    httpx.HTTPError, httpx2.HTTPError, requests.RequestException, urllib3.exceptions.HTTPError, aiohttp.ClientError,
    openai.OpenAIError,
)  # fmt: skip
PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # loads no certificates


@pytest.fixture
def server():
    with serving() as made:
        yield made


def watched(**settings):
    return recording(HTTPClientInstrumentor, **settings)


def client(library=httpx, **options):
    return library.Client(verify=PLAIN, trust_env=False, **options)


def async_client(library=httpx2, **options):
    return library.AsyncClient(verify=PLAIN, trust_env=False, **options)


# -- one request through each library ----------------------------------------------------------------------------------


def by_httpx(method, url, **options):
    with client() as made:
        return made.request(method, url, timeout=0.3, **options)


def by_httpx2(method, url, **options):
    with client(httpx2) as made:
        return made.request(method, url, timeout=0.3, **options)


def by_httpx2_async(method, url, **options):
    async def ask():
        async with async_client() as made:
            return await made.request(method, url, timeout=0.3, **options)

    return asyncio.run(ask())


def by_requests(method, url, **options):
    with requests.Session() as session:
        return session.request(method, url, timeout=0.3, **options)


def by_urllib3(method, url, **options):
    with urllib3.PoolManager(retries=Retry(1, connect=False, read=False)) as pool:
        return pool.request(method, url, timeout=0.3, **options)


def by_aiohttp(method, url, **options):
    async def ask():
        async with aiohttp.ClientSession() as session:
            timeout = aiohttp.ClientTimeout(sock_read=0.3, sock_connect=0.3)
            async with session.request(method, url, timeout=timeout, **options) as response:
                await response.read()

    return asyncio.run(ask())


WAYS = [by_httpx, by_httpx2, by_httpx2_async, by_requests, by_urllib3, by_aiohttp]
each_way = pytest.mark.parametrize("ask", WAYS)


@each_way
def test_a_request_is_one_step(server, ask):
    """Method, host and path at the begin, status and size at the end; of the query nothing, at any level."""
    with watched(content="all") as told:
        ask("GET", f"{server.url}/ok?secret=1")
    (step,) = told.steps
    assert (step.kind, step.status, step.detail, step.source) == (
        "http_client.get",
        Status.COMPLETED,
        None,
        "http_client",
    )
    assert step.payload == {"method": "GET", "host": "127.0.0.1", "port": server.port, "path": "/ok"}
    assert step.end_payload == {"status_code": 200, "bytes": 14}
    assert told.open == []


@each_way
@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [("missing", Status.COMPLETED, None), ("empty", Status.COMPLETED, None), ("busy", Status.FAILED, "status 503")],
)
def test_a_status_decides_from_500_on(server, ask, path, status, detail):
    """A 4xx is an answer; a 5xx returned without an exception is failed, and says so without an error."""
    server.does(statuses=[503])
    with watched() as told:
        ask("POST", f"{server.url}/{path}")
    (step,) = told.steps
    assert (step.kind, step.status, step.detail, step.error) == ("http_client.post", status, detail, None)


@each_way
@pytest.mark.parametrize("path", ["hang", "slow"])
def test_a_time_out_is_told_as_one(server, ask, path):
    """A head that never comes, and a body that stops, are time-outs of the library, with its own exception."""
    with watched() as told, pytest.raises(ERRORS):
        ask("GET", f"{server.url}/{path}")
    (step,) = told.steps
    assert step.status is Status.TIMED_OUT
    assert "time" in step.error.type.lower()


@each_way
def test_a_refused_connection_is_failed(ask):
    """Nothing listens: failed and no time-out, although urllib3's exception inherits from one."""
    with refusing() as url, watched() as told, pytest.raises(ERRORS):
        ask("GET", f"{url}/ok")
    (step,) = told.steps
    assert step.status is Status.FAILED
    assert "status_code" not in told.payload(step)


@each_way
def test_a_body_that_breaks_off_is_failed(server, ask):
    """Three of ten bytes came: what came is counted, and the error is the library's."""
    with watched() as told, pytest.raises(ERRORS):
        ask("GET", f"{server.url}/cut")
    (step,) = told.steps
    assert step.status is Status.FAILED
    assert step.error is not None


@each_way
def test_a_redirect_is_a_request_of_its_own(server, ask):
    """Each hop is on the wire, so each is a step."""
    options = {"follow_redirects": True} if ask in (by_httpx, by_httpx2, by_httpx2_async) else {}
    with watched() as told:
        ask("GET", f"{server.url}/moved", **options)
    assert [told.payload(step)["status_code"] for step in told.steps] == [302, 200]


@each_way
def test_embeddings_of_a_declared_host(server, ask):
    """Model and count from the body in memory, tokens, outputs and dimension from the answer."""
    with watched(vllm_hosts=server.host) as told:
        ask("POST", f"{server.url}/v1/embeddings", json=EMBED)
    step = told.only("vllm.embed_batch")
    assert {key: step.payload[key] for key in ("mode", "model", "count")} == {
        "mode": "http",
        "model": "tiny",
        "count": 3,
    }
    said = {key: step.end_payload[key] for key in ("status_code", "tokens", "output_tokens", "outputs", "dim")}
    assert said == {"status_code": 200, "tokens": 7, "output_tokens": 0, "outputs": 3, "dim": 2}


@each_way
def test_a_path_proves_nothing_of_a_host(server, ask):
    """Without a declaration the same request is plain HTTP, and nobody reads its body."""
    with watched(vllm_hosts="elsewhere:1") as told:
        ask("POST", f"{server.url}/v1/embeddings", json=EMBED)
    (step,) = told.steps
    assert step.kind == "http_client.post"
    assert not {"model", "count", "tokens", "mode"} & set(told.payload(step))


# -- streams ---------------------------------------------------------------------------------------------------------


def stream_httpx(server, read):
    with client() as made, made.stream("POST", f"{server.url}/v1/chat/completions", json=CHAT) as response:
        return read(response.iter_lines())


def stream_requests(server, read):
    with requests.post(f"{server.url}/v1/chat/completions", json=CHAT, stream=True, timeout=5) as response:
        return read(response.iter_lines(chunk_size=64))


def stream_openai(server, read):
    made = openai.OpenAI(base_url=f"{server.url}/v1", api_key="k", max_retries=0)
    with made, made.chat.completions.create(**CHAT) as stream:
        return read(iter(stream))


STREAMS = pytest.mark.parametrize("stream", [stream_httpx, stream_requests, stream_openai])


@STREAMS
def test_a_stream_ends_when_it_is_read(server, stream):
    """Its events are counted while they pass; usage and finish reason are those that an event said."""
    with watched(vllm_hosts=server.host) as told:
        stream(server, list)
    step = told.only("vllm.chat")
    # openai reads no further than the marker, and closes the rest
    assert (step.status, step.detail) == (Status.COMPLETED, "closed by consumer" if stream is stream_openai else None)
    assert step.end_payload["done_marker"] is True
    assert step.payload["messages"] == 1
    assert step.payload["stream"] is True
    said = {
        key: step.end_payload[key] for key in ("items", "tokens", "output_tokens", "cached_tokens", "finish_reasons")
    }
    assert said == {"items": 5, "tokens": 5, "output_tokens": 3, "cached_tokens": 4, "finish_reasons": {"stop": 1}}


@STREAMS
def test_a_stream_that_is_closed_says_so(server, stream):
    """The application took one event and left: completed, closed by its consumer, with what had passed."""
    with watched(vllm_hosts=server.host) as told:
        stream(server, next)
    step = told.only("vllm.chat")
    assert (step.status, step.detail) == (Status.COMPLETED, "closed by consumer")
    assert 1 <= step.end_payload["items"] < 5


@STREAMS
def test_a_stream_that_is_cut_is_failed(server, stream):
    """The server died after one event."""
    server.does(cut=True)
    with watched(vllm_hosts=server.host) as told, pytest.raises(ERRORS):
        stream(server, list)
    step = told.only("vllm.chat")
    assert (step.status, step.end_payload["items"]) == (Status.FAILED, 1)


def test_an_error_event_is_a_failure(server):
    """vLLM answered 200 and then said in the stream that it failed."""
    server.does(breaks=True)
    with watched(vllm_hosts=server.host) as told:
        stream_httpx(server, list)
    step = told.only("vllm.chat")
    assert (step.status, step.detail) == (Status.FAILED, "an event of the stream says error")


async def test_an_async_stream_ends_when_it_is_read(server):
    """openai's asynchronous client over httpx2: one step, which ends with the stream and not with the call."""
    with watched(vllm_hosts=server.host) as told:
        async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="k") as made:
            stream = await made.chat.completions.create(**CHAT)
            assert told.steps == []
            assert len([chunk async for chunk in stream]) == 5
    assert told.only("vllm.chat").end_payload["items"] == 5


async def test_an_aiohttp_stream_is_counted(server):
    """aiohttp feeds what comes off the wire: every event is counted, read or not."""
    with watched(vllm_hosts=server.host) as told:
        url = f"{server.url}/v1/chat/completions"
        async with aiohttp.ClientSession() as session, session.post(url, json=CHAT) as response:
            async for _ in response.content:
                pass
    step = told.only("vllm.chat")
    assert (step.status, step.end_payload["items"], step.end_payload["tokens"]) == (Status.COMPLETED, 5, 5)


async def test_a_cancelled_request_is_failed_as_cancelled(server):
    """The enclosing time-out is somebody else's: the request was cancelled."""
    for ask in (async_client().get, aiohttp.ClientSession().get):
        with watched() as told:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(ask(f"{server.url}/hang"), 0.1)
            await getattr(ask.__self__, "aclose", getattr(ask.__self__, "close", None))()
        (step,) = told.steps
        assert (step.status, step.detail) == (Status.FAILED, "cancelled")


# -- attempts ----------------------------------------------------------------------------------------------------------


def test_openai_over_httpx2_is_one_step_per_attempt(server):
    """Its retries are visible, and no layer above or beneath tells the same request again."""
    server.does(statuses=[503, 503])
    made = openai.OpenAI(base_url=f"{server.url}/v1", api_key="k", max_retries=2)
    with watched(vllm_hosts=server.host) as told, made:
        made.embeddings.create(model="tiny", input=["one"], encoding_format="float")
    assert [told.payload(step)["status_code"] for step in told.of("vllm.embed_batch")] == [503, 503, 200]
    assert len(told.steps) == len(server.requests) == 3


def test_retries_inside_urllib3_are_steps(server):
    """requests sees one call; on the wire there were three."""
    server.does(statuses=[503, 503])
    retry = Retry(3, status_forcelist=[503], backoff_factor=0)
    with watched() as told, requests.Session() as session:
        session.mount("http://", requests.adapters.HTTPAdapter(max_retries=retry))
        assert session.get(f"{server.url}/busy", timeout=5).status_code == 200
    assert [step.status for step in told.steps] == [Status.FAILED, Status.FAILED, Status.COMPLETED]


def test_requests_of_many_threads_are_told_apart(server):
    """One pool, eight threads: each request is a step of its own and ends once."""
    with watched() as told, client() as made:
        threads = [threading.Thread(target=made.get, args=(f"{server.url}/ok",)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [step.status for step in told.steps] == [Status.COMPLETED] * 8
    assert told.open == []


def test_a_wait_for_a_connection_can_time_out(server):
    """httpx's pool is full: its time-out is one, and nothing went over the wire."""
    limits = httpx.Limits(max_connections=1)
    with watched() as told, client(limits=limits, timeout=httpx.Timeout(5, pool=0.05)) as made:
        held = made.send(made.build_request("GET", f"{server.url}/slow"), stream=True)
        with pytest.raises(httpx.PoolTimeout):
            made.get(f"{server.url}/ok")
        held.close()
    assert [step.status for step in told.steps] == [Status.TIMED_OUT, Status.COMPLETED]


def test_urllib3_that_waits_for_a_connection_is_a_step(server):
    """Only a pool that blocks and is empty waits."""
    with watched() as told, urllib3.HTTPConnectionPool("127.0.0.1", server.port, block=True) as pool:
        held = pool.urlopen("GET", "/slow", preload_content=False)
        with pytest.raises(urllib3.exceptions.EmptyPoolError):
            pool.urlopen("GET", "/ok", pool_timeout=0.05, retries=False)
        held.close()
    assert told.only("http_client.wait_for_connection").status is Status.TIMED_OUT
    assert told.only("http_client.get").detail == "closed by consumer"


# -- arguments -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ask", [by_httpx, by_httpx2, by_requests])
def test_a_generator_is_left_to_the_library(server, ask):
    """A body that can be read once is read once, by the library, and nothing of it is known."""
    taken = []

    def pieces():
        for piece in (b'{"model": "tiny", ', b'"input": ["one"]}'):
            taken.append(piece)
            yield piece

    name = "data" if ask is by_requests else "content"
    with watched(vllm_hosts=server.host) as told:
        ask("POST", f"{server.url}/v1/embeddings", **{name: pieces()})
    assert server.requests[-1][3] == b"".join(taken)
    assert len(taken) == 2
    assert not {"model", "count"} & set(told.only("vllm.embed_batch").payload)


@pytest.mark.parametrize(
    ("inputs", "count"), [("one", 1), (["one", "two"], 2), ([1, 2, 3], 1), ([[1, 2], [3]], 2), ([], 0)]
)
def test_inputs_are_counted_as_vllm_does(server, inputs, count):
    """A text is one input, and so is a list of token ids."""
    server.does(statuses=[400])
    with watched(vllm_hosts=server.host) as told:
        by_httpx("POST", f"{server.url}/v1/embeddings", json={"input": inputs})
    assert told.only("vllm.embed_batch").payload["count"] == count


def test_what_is_no_json_is_unknown(server):
    """A body or answer that cannot be read leaves nothing behind, and no fault."""
    with watched(vllm_hosts=server.host) as told, contextlib.suppress(httpx.HTTPError):
        by_httpx("POST", f"{server.url}/v1/rerank", content=b"{broken")
    step = told.only("vllm.rerank")
    assert "model" not in step.payload
    assert step.end_payload["outputs"] == 2


def seen(*pieces):
    tally = Tally(200, of_vllm=True, content_type="text/event-stream")
    for piece in pieces:
        tally.see(piece)
    return tally.payload()


LONG = b"data: " + b"x" * (1 << 20)


@pytest.mark.parametrize(
    ("pieces", "items"),
    [
        ((b"data: 1\n\ndata: 2\n\n",), 2),
        ((b"data: 1\r\n\r\nda", b"ta: 2\r\n\r\n"), 2),
        ((b"event: message\ndata: one\n", b"data: and the same\n\n"), 1),
        ((b": a comment\n\ndata: 1\n\n",), 1),
        ((LONG, b"data: within it", b"\n\ndata: 2\n\n"), 2),
        ((LONG, LONG, b"\n\n"), 1),
        ((b"data: [DONE]\n\n",), 0),
    ],
)
def test_events_are_counted_as_their_specification_does(pieces, items):
    """An empty line ends an event, of however many lines, and however long these are."""
    assert seen(*pieces)["items"] == items


def test_a_reason_that_is_a_text_is_not_kept():
    """Codes are kept at every level: what a server says in the place of one may be anything."""
    told = seen(*(b'data: {"choices":[{"finish_reason":"%s"}]}\n\n' % each for each in (b"stop", b"a canary of words")))
    assert told["finish_reasons"] == {"stop": 1}
