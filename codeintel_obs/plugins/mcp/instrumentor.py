"""The instrumentor for MCP servers: its table of points, and what their payload keys hold."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from codeintel_obs.instrumentor import LibraryInstrumentor
from codeintel_obs.plugins import validation
from codeintel_obs.plugins.mcp import describe, request
from codeintel_obs.plugins.mcp.exclusions import EXCLUSIONS
from codeintel_obs.steps import FieldClass, Point

_RUNNER: Final = "mcp.server.runner"
_HANDLER: Final = "handler"


def _request(name: str, kind: str, **declared: Any) -> Point:
    """Return a row for the requests of one method, as their handler is called: inside the span of the SDK."""
    values = {
        "failed": describe.request_failed,
        "message": validation.message,
        "returns": describe.with_ids,
        **declared,
    }
    return Point(module=_RUNNER, name=name, kind=kind, handed_on=True, annotate=True, span_kind="server", **values)


def _raises(module: str, name: str, **declared: Any) -> Point:
    """Return a row for a callable whose exception a framework makes a result of."""
    return Point(module=module, name=name, kind=None, handled_error=describe.raised, **declared)


POINTS: Final = (
    # the dispatch of every transport: around the SDK's own span, and then inside it
    Point(module=_RUNNER, name="ServerRunner._on_request", kind=None, run=request.asked_run, baggage=request.baggage),
    Point(
        module=_RUNNER,
        name="ServerRunner._compose_server_middleware",
        kind=None,
        hands_on=(("0:inner", _HANDLER),),
    ),
    Point(module=_RUNNER, name=_HANDLER, kind=None, handed_on=True, stands_for=request.row_of),
    _request(
        "tool",
        "tool.call",
        before=describe.begin_tool,
        after=describe.tool_ended,
        failed=describe.tool_failed,
    ),
    _request("resource", "mcp.read_resource", before=describe.begin_resource, after=describe.resource_ended),
    _request("prompt", "mcp.get_prompt", before=describe.begin_prompt, after=describe.prompt_ended),
    _request("completion", "mcp.complete"),
    # the innermost first: what left the tool itself, then what its framework says of arguments and unknown tools
    _raises("mcp.server.mcpserver.utilities.func_metadata", "FuncMetadata.call_fn"),
    _raises("mcp.server.mcpserver.server", "MCPServer.call_tool"),
    _raises("fastmcp.tools.base", "Tool._run", optional=True),
    _raises("fastmcp.server.server", "FastMCP.call_tool", optional=True),
)


class MCPInstrumentor(LibraryInstrumentor):
    """MCP servers of `mcp` and `fastmcp`."""

    plugin = "mcp"
    library = "mcp"
    requires = ("mcp>=2,<3",)
    points = POINTS
    instants = (describe.BEGIN, describe.FINISH, describe.ERROR)
    fields: ClassVar = {
        **dict.fromkeys(("arguments_count", "content", "messages"), FieldClass.COUNT),
        **dict.fromkeys(("protocol", "structured", "is_error", "result_type", "code"), FieldClass.CODE),
        "tool": FieldClass.NAME,
        "prompt": FieldClass.NAME,
        "uri": FieldClass.PATH,
        "arguments": FieldClass.TEXT,
    }
    exclusions = EXCLUSIONS
    semantics: ClassVar = {"tool.call": describe.tool_attributes}
