"""Calls of MCP servers in memory: what is told of them, on whose span, and what is kept."""

import httpx2
import mcp_types
import pytest
from fastmcp import Client as FastClient
from fastmcp import FastMCP
from mcp import Client
from mcp.server.lowlevel.server import Server
from mcp.server.mcpserver import MCPServer
from mcp.shared.exceptions import MCPError
from pipelines import global_provider, in_memory, spans_sink

import codeintel_obs
from codeintel_obs.plugins.fastapi.instrumentor import FastAPIInstrumentor
from codeintel_obs.plugins.mcp.instrumentor import MCPInstrumentor
from codeintel_obs.testing import recording

MAKES = {"mcp": (MCPServer, Client, {}), "fastmcp": (FastMCP, FastClient, {"raise_on_error": False})}
PROVIDER = in_memory()  # one for all tests: the SDK keeps the first tracer that it is given
TOKEN = "codeintel.run=outer,codeintel.attempt=00112233445566aa,codeintel.day=2026-11-22"


def server_of(make):
    server = MAKES[make][0]("library")

    @server.tool()
    def lend(title: str) -> str:
        with codeintel_obs.step("stage.look"):
            return title

    @server.tool()
    def burns(title: str) -> str:
        raise OSError(f"cannot lend {title}")

    @server.tool()
    def forbids() -> str:
        raise MCPError(code=-32050, message="closed")

    @server.resource("shelf://poems/{number}")
    def poem(number: str) -> str:
        return number

    @server.prompt()
    def ask(topic: str) -> str:
        return topic

    return server


async def call(make, tool, meta=None, **arguments):
    _, client, options = MAKES[make]
    async with client(server_of(make)) as session:
        return await session.call_tool(tool, arguments, meta=meta, **options)


# -- spans -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize(("tool", "last"), [("lend", "tool.finish"), ("burns", "tool.error")])
async def test_the_steps_are_told_on_the_sdks_own_span(make, tool, last):
    """The span of the library carries the instants and the step's event; there is no second span for the call."""
    PROVIDER[1].clear()
    with global_provider(PROVIDER[0]), spans_sink(None, MCPInstrumentor):
        await call(make, tool, title="Tides")
    names = {span.name: span for span in PROVIDER[1].get_finished_spans()}
    assert not {"tool.call", "tool.begin"} & set(names)
    (span,) = [each for each in PROVIDER[1].get_finished_spans() if each.name == f"tools/call {tool}" and each.events]
    told = [event.attributes["codeintel.step.kind"] for event in span.events if event.name == "codeintel.step"]
    assert told == ["tool.begin", last, "tool.call"]
    assert span.instrumentation_scope.name in {"mcp-python-sdk", "fastmcp"}
    assert span.attributes["codeintel.run.id"]


async def test_a_step_inside_hangs_from_the_sdks_span():
    """What the tool does is a child of the library's span, in OpenTelemetry as in our records."""
    PROVIDER[1].clear()
    with global_provider(PROVIDER[0]), spans_sink(None, MCPInstrumentor):
        await call("mcp", "lend", title="Tides")
    spans = {
        span.name: span for span in PROVIDER[1].get_finished_spans() if span.name in {"tools/call lend", "stage.look"}
    }
    ours = [
        s
        for s in PROVIDER[1].get_finished_spans()
        if s.name == "tools/call lend" and s.attributes.get("codeintel.run.id")
    ]
    assert spans["stage.look"].parent.span_id == ours[0].context.span_id


# -- runs --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", MAKES)
async def test_a_call_in_a_run_is_a_part_of_it(make):
    """Inside another run, an HTTP request's say, a call begins none of its own."""
    app = server_of(make)
    http = app.streamable_http_app() if make == "mcp" else app.http_app()
    body = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "lend", "arguments": {"title": "Tides"}, "_meta": meta_of_protocol()},
    }
    headers = {
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": "lend",
        "x-run-id": "visit-1",
    }
    with recording(MCPInstrumentor, FastAPIInstrumentor) as told:
        async with http.router.lifespan_context(http):
            transport = httpx2.ASGITransport(http)
            async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as session:
                answer = await session.post("/mcp", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    assert [run.run_id for run in told.ended_runs if not run.is_process] == ["visit-1"]
    assert told.only("tool.call").parent.kind == "http.request"
    assert '"run_id":"visit-1"' in answer.text.replace(" ", "")


def meta_of_protocol():
    """What the protocol of 2026 asks of every request."""
    return {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }


async def test_baggage_with_a_token_joins_its_run():
    """A caller on this machine that carries an attempt's token makes the call a part of that attempt."""
    with recording(MCPInstrumentor) as told:
        await call("mcp", "lend", {"baggage": TOKEN, "run_id": "ignored"}, title="Tides")
    (run,) = told.ended_runs
    assert (run.run_id, run.attempt, run.joins) == ("outer", "00112233445566aa", True)


@pytest.mark.parametrize("asked", ["../../etc", 7, None, {"a": 1}])
async def test_hostile_names_are_hashed_or_ignored(asked):
    """What is no text names nothing; a text that is no safe id is stored under its hash."""
    with recording(MCPInstrumentor) as told:
        await call("mcp", "lend", {"run_id": asked}, title="Tides")
    (run,) = told.ended_runs
    assert run.raw_run_id == (asked if isinstance(asked, str) else None)
    assert run.run_id.startswith("x-") is isinstance(asked, str)


async def test_requests_that_record_nothing_begin_no_run():
    """Listing tools and opening a session are no steps, and leave no run behind."""
    with recording(MCPInstrumentor) as told:
        async with Client(server_of("mcp"), mode="legacy") as session:
            await session.list_tools()
    assert (told.runs, told.steps) == ([], [])


async def test_carriers_off_leaves_results_alone():
    """Without carriers a result's `_meta` has nothing of ours."""
    with recording(MCPInstrumentor, carriers=False) as told:
        result = await call("mcp", "lend", title="Tides")
    assert not {"run_id", "trace_id", "report"} & set(result.meta or {})
    assert told.only("tool.call").status == "completed"


async def test_the_report_is_a_path_where_it_is_mounted(monkeypatch):
    """Over HTTP, with our routes mounted, `report` is where the application answers it; else the command."""
    from codeintel_obs import asgi

    assert asgi.report_address("r", over_http=True) == "codeintel-obs report r"
    monkeypatch.setattr(asgi, "mounted", object())
    assert asgi.report_address("r", over_http=True) == "/observability/run/r/report"
    assert asgi.report_address("r", over_http=False) == "codeintel-obs report r"


# -- what is told ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", MAKES)
async def test_resources_and_prompts_are_steps(make):
    """A reading and a prompt are told with their name and the size of their answer."""
    with recording(MCPInstrumentor) as told:
        async with MAKES[make][1](server_of(make)) as session:
            await session.read_resource("shelf://poems/3")
            await session.get_prompt("ask", {"topic": "tides"})
    assert told.payload(told.only("mcp.read_resource")) == {"uri": "shelf://poems/3", "content": 1}
    assert told.payload(told.only("mcp.get_prompt")) == {"prompt": "ask", "messages": 1}


async def test_a_protocol_error_is_a_failure_with_its_code():
    """A tool that raises the protocol's own error has no result; the step carries error and code."""
    with recording(MCPInstrumentor) as told:
        async with Client(server_of("mcp")) as session:
            with pytest.raises(MCPError, match="closed"):
                await session.call_tool("forbids", {})
    step = told.only("tool.call")
    assert (str(step.status), told.payload(step)["code"]) == ("failed", -32050)
    assert told.only("tool.error").error.id == step.error.id


async def test_a_low_level_server_is_watched_too():
    """A handler of the low-level server, with no framework above it, is the same step."""

    async def handle(_ctx, _params):
        text = mcp_types.TextContent(type="text", text="no such index")
        return mcp_types.CallToolResult(content=[text], is_error=True)

    with recording(MCPInstrumentor) as told:
        async with Client(Server("low", on_call_tool=handle)) as session:
            await session.call_tool("search", {})
    step = told.only("tool.call")
    assert (str(step.status), step.detail, step.error) == ("failed", "no such index", None)
    assert told.ended_runs[0].outcome == "failed"


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize("level", ["none", "messages", "all"])
async def test_what_a_content_level_keeps(make, level):
    """Arguments are kept at `all` only, and a refused argument is repeated by no error below it."""
    with recording(MCPInstrumentor, content=level) as told:
        await call(make, "lend", title="canary-title")
        await call(make, "lend", title={"canary": "canary-refused"})
    kept, refused = told.of("tool.call")
    assert told.payload(kept).get("arguments") == ({"title": "canary-title"} if level == "all" else None)
    assert told.payload(kept).get("tool") == (None if level == "none" else "lend")
    assert told.payload(kept)["arguments_count"] == 1
    words = repr([(step.detail, told.payload(step), step.error) for step in told.steps])
    assert ("canary" in words) is (level == "all")
    assert str(refused.status) == "failed"
