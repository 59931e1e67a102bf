"""Requests to ASGI applications: one run each, ended as the application's call ended, with the error that decided it."""

import asyncio

import httpx2
import pytest
from fastapi import APIRouter, BackgroundTasks, FastAPI, HTTPException, WebSocket
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel
from starlette.applications import Starlette

import codeintel_obs
from codeintel_obs.plugins.fastapi.instrumentor import FastAPIInstrumentor
from codeintel_obs.testing import recording

FAR = ("203.0.113.7", 4711)


class ShelfEmptyError(Exception):
    """A domain error that the application maps to a status code."""

    def __init__(self, status):
        super().__init__("no book left")
        self.status = status


def application():
    app = FastAPI()
    router = APIRouter(prefix="/v1")

    @app.exception_handler(ShelfEmptyError)
    async def empty(_request, exc):
        return JSONResponse({"error": str(exc)}, exc.status)

    @router.get("/books/{number}")
    async def book(number: int):
        with codeintel_obs.step("stage.read", {"number": number}):
            return {"number": number}

    @router.get("/mapped/{status}")
    def mapped(status: int):
        raise ShelfEmptyError(status)

    @router.get("/refused/{status}")
    def refused(status: int):
        raise HTTPException(status, "refused")

    @router.get("/answered/{status}")
    def answered(status: int):
        return JSONResponse({}, status)

    @router.get("/raises")
    def raises():
        raise TimeoutError("too slow")

    app.include_router(router)
    return app


async def get(app, path, client=("127.0.0.1", 1), **headers):
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False, client=client)
    async with httpx2.AsyncClient(transport=transport, base_url="http://app.invalid") as session:
        return await session.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})


# -- runs --------------------------------------------------------------------------------------------------------------


async def test_each_request_is_a_run_of_its_own():
    """The run is named after the request, hangs from the process run, and what happens inside belongs to it."""
    with recording(FastAPIInstrumentor) as told:
        app = application()
        await get(app, "/v1/books/1")
        await get(app, "/v1/books/2")
    first, second = told.ended_runs
    assert (first.name, first.outcome, second.name) == ("GET /v1/books/1", "completed", "GET /v1/books/2")
    assert first.run_id != second.run_id
    assert first.parent_run_id == second.parent_run_id is not None
    assert [(step.kind, step.run) for step in told.steps if step.run is first] == [
        ("stage.read", first),
        ("http.request", first),
    ]
    assert told.of("stage.read")[0].parent is told.of("http.request")[0]


async def test_headers_name_the_run_and_the_response_tells_it():
    """`X-Run-ID` and `X-Session-ID` name run and session; `X-Run-Id` and `X-Trace-Id` come back."""
    with recording(FastAPIInstrumentor) as told:
        answer = await get(application(), "/v1/books/1", x_run_id="mine-1", x_session_id="s-1")
    (run,) = told.ended_runs
    assert (run.run_id, run.session_id) == ("mine-1", "s-1")
    assert answer.headers["x-run-id"] == "mine-1"
    assert answer.headers["x-trace-id"] == told.only("http.request").trace_id == run.trace_id


async def test_a_hostile_id_is_hashed_and_the_request_goes_on():
    """What is no safe id is stored under its hash, as the response says; the raw value stays in `run.begin`."""
    with recording(FastAPIInstrumentor) as told:
        answer = await get(application(), "/v1/books/1", x_run_id="../../etc/passwd")
    (run,) = told.ended_runs
    assert run.raw_run_id == "../../etc/passwd"
    assert answer.headers["x-run-id"] == run.run_id
    assert run.run_id.startswith("x-")
    assert len(run.run_id) == 34


async def test_ids_that_the_application_set_stay():
    """A response header of the application's own is not touched, and not doubled."""

    async def app(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"X-Run-Id", b"theirs")]})
        await send({"type": "http.response.body"})

    with recording(FastAPIInstrumentor):
        answer = await get(Starlette(middleware=[_Inner(app)]), "/")
    assert answer.headers.get_list("x-run-id") == ["theirs"]
    assert len(answer.headers.get_list("x-trace-id")) == 1


class _Inner:
    """Puts ``app`` in the place of a Starlette application's own stack."""

    def __init__(self, app):
        self.app = app

    def __iter__(self):
        return iter((lambda _next: self.app, (), {}))


async def test_carriers_off_leaves_responses_alone():
    """Without carriers the response has none of our headers; the request is recorded as before."""
    with recording(FastAPIInstrumentor, carriers=False) as told:
        answer = await get(application(), "/v1/books/1")
    assert not {"x-run-id", "x-trace-id"} & set(answer.headers)
    assert told.payload(told.only("http.request"))["status_code"] == 200


@pytest.mark.parametrize(
    ("parent", "continued"),
    [
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", True),
        ("00-00000000000000000000000000000000-b7ad6b7169203331-01", False),
        ("nonsense", False),
    ],
)
async def test_a_traceparent_is_continued(parent, continued):
    """A caller's place in a trace is where the request hangs from; what is malformed is ignored."""
    with recording(FastAPIInstrumentor) as told:
        await get(application(), "/v1/books/1", traceparent=parent)
    step = told.only("http.request")
    assert (step.trace_id == "0af7651916cd43dd8448eb211c80319c") is continued
    assert (step.parent_span_id == "b7ad6b7169203331") is continued


JOIN = "tenant=acme,codeintel.run=outer,codeintel.attempt=00112233445566aa,codeintel.day=2026-11-22"


@pytest.mark.parametrize(
    ("client", "headers", "settings", "joins"),
    [
        (("127.0.0.1", 1), {}, {}, True),
        (("::1", 1), {}, {}, True),
        (FAR, {}, {}, False),
        (FAR, {}, {"propagate_hosts": "203.0.113.7"}, True),
        (("127.0.0.1", 1), {"x_forwarded_for": "203.0.113.7"}, {}, False),
        (("testclient", 1), {}, {}, False),
    ],
)
async def test_baggage_joins_a_run_from_trusted_peers_only(client, headers, settings, joins):
    """A token is taken from this machine and from hosts that are allowed, and never through a proxy."""
    with recording(FastAPIInstrumentor, **settings) as told:
        await get(application(), "/v1/books/1", client, baggage=JOIN, **headers)
    (run,) = told.ended_runs
    assert run.joins is joins
    assert (run.run_id == "outer") is joins
    assert (run.attempt == "00112233445566aa") is joins


async def test_the_senders_baggage_is_there_inside_without_ours():
    """OpenTelemetry's baggage holds what the sender said, and not the token, which would travel on to anybody."""
    from opentelemetry import baggage

    seen = []
    app = FastAPI()
    app.get("/")(lambda: seen.append(dict(baggage.get_all())))
    with recording(FastAPIInstrumentor):
        await get(app, "/", FAR, baggage=JOIN)
    assert seen == [{"tenant": "acme"}]
    assert dict(baggage.get_all()) == {}


# -- ends and errors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status", "code", "detail", "error"),
    [
        ("/v1/books/1", "completed", 200, None, None),
        ("/v1/books/x", "completed", 422, None, None),
        ("/nowhere", "completed", 404, None, None),
        ("/v1/mapped/409", "completed", 409, None, None),
        ("/v1/refused/401", "completed", 401, None, None),
        ("/v1/mapped/507", "failed", 507, "status 507", f"{__name__}.ShelfEmptyError"),
        ("/v1/refused/503", "failed", 503, "status 503", "fastapi.exceptions.HTTPException"),
        ("/v1/answered/503", "failed", 503, "status 503", None),
        ("/v1/raises", "timed_out", 500, None, "TimeoutError"),
    ],
)
async def test_the_end_of_a_request_and_its_error(path, status, code, detail, error):
    """From 500 on a request failed, with the very exception that was mapped; below it is completed."""
    with recording(FastAPIInstrumentor) as told:
        answer = await get(application(), path)
    step = told.only("http.request")
    assert (str(step.status), step.detail, step.error and step.error.type) == (status, detail, error)
    assert told.payload(step)["status_code"] == answer.status_code == code
    assert told.ended_runs[0].outcome == status
    assert step.handled is None


async def test_the_error_is_the_one_that_a_step_inside_failed_with():
    """Both carry the same id: a report can say that the request failed with what the step raised."""
    app = FastAPI()

    @app.get("/")
    def fails():
        with codeintel_obs.step("stage.read"):
            raise HTTPException(500, "disk")

    with recording(FastAPIInstrumentor) as told:
        await get(app, "/")
    assert told.only("stage.read").error.id == told.only("http.request").error.id


async def test_the_route_is_the_template():
    """Routers' prefixes and mounts are in it; an unknown path has none."""
    app, inner = application(), FastAPI()
    inner.get("/leaf/{name}")(lambda name: name)
    app.mount("/tree", inner)
    with recording(FastAPIInstrumentor) as told:
        for path in ("/v1/books/7", "/tree/leaf/oak", "/nowhere"):
            await get(app, path)
    payloads = [told.payload(step) for step in told.of("http.request")]
    assert [payload.get("route") for payload in payloads] == ["/v1/books/{number}", "/tree/leaf/{name}", None]
    assert [payload["path"] for payload in payloads] == ["/v1/books/7", "/tree/leaf/oak", "/nowhere"]


async def test_background_tasks_are_steps_of_the_request():
    """The request ends after them, and fails with theirs; when the response was complete is told."""
    app = FastAPI()

    def late():
        raise ValueError("late")

    @app.get("/")
    def answers(tasks: BackgroundTasks):
        tasks.add_task(late)
        return 1

    with recording(FastAPIInstrumentor) as told:
        assert (await get(app, "/")).status_code == 200
    background, request = told.steps
    assert (background.kind, background.parent, str(background.status)) == ("http.background", request, "failed")
    assert told.payload(background)["task"].endswith("late")
    assert (str(request.status), request.error.id) == ("failed", background.error.id)
    assert told.payload(request)["status_code"] == 200
    assert told.payload(request)["response_ns"] < request.duration_ns


async def test_a_stream_ends_when_it_ends():
    """Steps of the generator belong to the request, which counts chunks and bytes."""
    app = FastAPI()

    async def chunks():
        for number in range(3):
            with codeintel_obs.step("stage.chunk"):
                await asyncio.sleep(0)
            yield f"chunk {number}\n"

    app.get("/")(lambda: StreamingResponse(chunks()))
    with recording(FastAPIInstrumentor) as told:
        await get(app, "/")
    request = told.steps[-1]
    assert request.kind == "http.request"
    assert [step.parent for step in told.of("stage.chunk")] == [request] * 3
    assert told.payload(request)["response_bytes"] == 24
    assert told.payload(request)["chunks"] == 4


async def exchanged(app, scope, *messages):
    """Call ``app`` as a server would, with these messages to receive; return what it sent."""
    waiting, sent = list(messages), []

    async def receive():
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop(0)

    async def send(message):
        sent.append(message)

    base = {"headers": [], "query_string": b"", "path": "/", "method": "GET", "asgi": {"version": "3.0"}}
    await app({**base, **scope}, receive, send)
    return sent


async def test_a_client_that_goes_away_is_told():
    """The disconnection that the application received before its response was complete is on record."""
    app = FastAPI()

    async def endless():
        while True:
            yield "more"
            await asyncio.sleep(0)

    app.get("/")(lambda: StreamingResponse(endless()))
    with recording(FastAPIInstrumentor) as told:
        await exchanged(app, {"type": "http"}, {"type": "http.request"}, {"type": "http.disconnect"})
    step = told.only("http.request")
    assert (str(step.status), step.detail) == ("completed", "client disconnected")
    assert told.payload(step)["disconnected"] is True
    assert "response_ns" not in told.payload(step)


async def test_a_cancelled_request_failed():
    """A server that cancels the call leaves a step that says so."""
    app = FastAPI()

    @app.get("/")
    async def sleeps():
        await asyncio.Event().wait()

    with recording(FastAPIInstrumentor) as told:
        task = asyncio.create_task(exchanged(app, {"type": "http"}, {"type": "http.request"}))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (str(told.only("http.request").status), told.only("http.request").detail) == ("failed", "cancelled")


# -- websockets, lifespans, excluded paths -----------------------------------------------------------------------------


async def test_a_websocket_is_one_run_until_it_ends():
    """Messages are counted, the closing code is told, and the accepted handshake carries our ids."""
    app = FastAPI()

    @app.websocket("/echo/{room}")
    async def echo(websocket: WebSocket, room: str):
        await websocket.accept()
        await websocket.send_text(await websocket.receive_text() + room)
        await websocket.close(4001)

    hello = ({"type": "websocket.connect"}, {"type": "websocket.receive", "text": "hello"})
    with recording(FastAPIInstrumentor) as told:
        accepted, *_ = await exchanged(app, {"type": "websocket", "path": "/echo/blue"}, *hello)
    step = told.only("http.websocket")
    assert dict(accepted["headers"])[b"x-run-id"].decode() == step.run.run_id
    assert told.ended_runs == [step.run]
    assert told.payload(step) == {
        "path": "/echo/blue",
        "method": "GET",
        "route": "/echo/{room}",
        "accepted": True,
        "received": 1,
        "sent": 1,
        "close_code": 4001,
    }


@pytest.mark.parametrize(("fails", "status"), [(False, "completed"), (True, "failed")])
async def test_a_lifespan_is_a_step_of_the_process(fails, status):
    """Start-up and shutdown are one step, and what start-up does hangs from it."""
    from contextlib import asynccontextmanager

    @asynccontextmanager
    async def lifespan(_app):
        with codeintel_obs.step("stage.load"):
            if fails:
                raise OSError("no index")
        yield

    app = FastAPI(lifespan=lifespan)
    messages = ({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
    with recording(FastAPIInstrumentor) as told:
        try:
            await exchanged(app, {"type": "lifespan"}, *messages)
        except OSError:
            assert fails
    step = told.only("http.lifespan")
    assert step.run.is_process
    assert (str(step.status), told.payload(step)["started"]) == (status, not fails)
    assert told.only("stage.load").parent is step


@pytest.mark.parametrize(
    ("settings", "path", "recorded"),
    [
        ({}, "/healthz", False),
        ({}, "/metrics", False),
        ({}, "/health/of/the/forest", True),
        ({"excluded_paths": "/v1/*"}, "/v1/books/1", False),
        ({"excluded_paths": "/v1/*"}, "/healthz", True),
    ],
)
async def test_excluded_paths_are_not_recorded(settings, path, recorded):
    """The usual health and metrics paths by default, or those that a setting names."""
    with recording(FastAPIInstrumentor, **settings) as told:
        answer = await get(application(), path)
    assert bool(told.of("http.request")) is recorded
    assert ("x-run-id" in answer.headers) is recorded


# -- applications of any make ------------------------------------------------------------------------------------------


async def test_an_application_inside_another_is_one_request():
    """Behind a middleware that copies the scope, and mounted, it is still one step with the outer's route."""
    inner = application()

    async def copying(scope, receive, send):
        await inner(dict(scope), receive, send)

    outer = Starlette()
    outer.mount("/outer", copying)
    with recording(FastAPIInstrumentor) as told:
        await get(outer, "/outer/v1/books/1")
    assert told.kinds == ["stage.read", "http.request"]


async def test_a_request_that_an_application_makes_of_itself_is_another():
    """A call of the application from inside a request, with a scope of its own, is a request with a run of its own."""
    app = application()

    @app.get("/twice")
    async def twice():
        return (await get(app, "/v1/books/3")).json()

    with recording(FastAPIInstrumentor) as told:
        await get(app, "/twice")
    assert [told.payload(step)["path"] for step in told.of("http.request")] == ["/v1/books/3", "/twice"]
    assert len({run.run_id for run in told.ended_runs}) == 2


def test_an_application_called_with_nothing_raises_as_ever():
    """uvicorn calls what it is given to see whether it is a factory: that is a TypeError of the application's own."""
    with recording(FastAPIInstrumentor):
        app = application()
        with pytest.raises(TypeError, match="scope"):
            app()


async def test_mounted_routes_are_answered_and_not_recorded(monkeypatch):
    """Where launch supplies them, our routes come before the application's; their requests are no runs."""
    from codeintel_obs import asgi

    async def routes(_application, scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["path"].encode()})

    monkeypatch.setattr(asgi, "mounted", routes)
    with recording(FastAPIInstrumentor) as told:
        answer = await get(application(), "/observability/runs", host="localhost")
        other = await get(application(), "/v1/books/1")
    assert (answer.text, other.json()) == ("/observability/runs", {"number": 1})
    assert [told.payload(step)["path"] for step in told.of("http.request")] == ["/v1/books/1"]


@pytest.mark.parametrize(
    ("level", "query", "path", "name"),
    [
        ("none", None, None, "http.request"),
        ("messages", None, "/v1/books/1", "GET /v1/books/1"),
        ("all", "q=secret+wish", "/v1/books/1", "GET /v1/books/1"),
    ],
)
async def test_what_a_content_level_keeps(level, query, path, name):
    """The query string at `all` only; at `none` neither a path nor a name that has one in it."""
    with recording(FastAPIInstrumentor, content=level) as told:
        await get(application(), "/v1/books/1?q=secret+wish")
    payload = told.payload(told.only("http.request"))
    assert (payload.get("query"), payload.get("path")) == (query, path)
    assert told.ended_runs[0].name == name
    assert payload["status_code"] == 200


class Book(BaseModel):
    """A model with a number."""

    number: int


@pytest.mark.parametrize("level", ["none", "messages", "all"])
@pytest.mark.parametrize("path", ["/answer", "/inside", "/mapped", "/ws"])
async def test_an_error_repeats_no_body(path, level):
    """What failed to be an answer stands in the message of that failure: bodies are kept at no level below `all`."""
    app = FastAPI()

    @app.exception_handler(TypeError)
    async def told_as_503(_request, _exc):
        return JSONResponse({}, 503)

    @app.get("/answer")
    def answer() -> Book:
        return {"number": "canary-answer"}

    @app.get("/inside")
    def inside():
        Book(number="canary-answer")

    @app.get("/mapped")
    def mapped():
        try:
            Book(number="canary-answer")
        except ValueError as exc:
            raise TypeError("no book") from exc

    @app.websocket("/ws")
    async def socket(websocket: WebSocket):
        await websocket.accept()
        Book(number="canary-answer")

    with recording(FastAPIInstrumentor, content=level) as told:
        if path == "/ws":
            with pytest.raises(ValueError, match="canary-answer"):
                await app({**WEBSOCKET, "path": "/ws"}, connected, dropped)
        else:
            await get(app, path)
    step = told.steps[-1]
    assert step.status == "failed"
    words = repr((step.detail, step.error, told.payload(step), told.ended_runs[0].end_error))
    assert ("canary" in words) is (level == "all" and path != "/mapped")
    if level == "messages" and path != "/mapped":
        assert "1 validation error" in step.error.message
        assert "number: int_parsing" in step.error.message


WEBSOCKET = {
    "type": "websocket",
    "headers": [],
    "query_string": b"",
    "client": ("127.0.0.1", 1),
    "asgi": {},
    "root_path": "",
}


async def connected():
    return {"type": "websocket.connect"}


async def dropped(_message):
    pass
