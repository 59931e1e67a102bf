"""Puts the tools together into one MCP server, and runs it over stdio."""

from __future__ import annotations

import functools
import inspect
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.tools import Tool
from mcp_types import CallToolResult, TextContent, ToolAnnotations

from codeintel_rev import __version__
from codeintel_rev.mcp_server.adapters.files import list_paths, open_file
from codeintel_rev.mcp_server.adapters.history import blame_range, file_history, index_status, reindex
from codeintel_rev.mcp_server.adapters.semantic import semantic_search
from codeintel_rev.mcp_server.adapters.semantic_pro import semantic_search_pro
from codeintel_rev.mcp_server.adapters.text_search import find_symbol, search_text
from codeintel_rev.mcp_server.error_handling import told_as_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from pydantic import BaseModel

    from codeintel_rev.serving import Serving

    ToolFunction = Callable[..., Awaitable[BaseModel]]

READING: tuple[ToolFunction, ...] = (
    semantic_search,
    semantic_search_pro,
    search_text,
    find_symbol,
    open_file,
    list_paths,
    blame_range,
    file_history,
    index_status,
)
_INSTRUCTIONS = """\
Searches and reads one git repository. Begin with semantic_search for a description of what the code does, \
find_symbol for a definition whose name you know, search_text for an exact text or regular expression; then read \
with open_file. Every answer says which commit is indexed and what is missing from it (`index`, `degraded`)."""


def create_server(opened: Callable[[], AbstractAsyncContextManager[Serving]]) -> MCPServer[Serving]:
    """`opened` is entered once per server, not per session, and left when the server ends."""

    @asynccontextmanager
    async def lifespan(_: MCPServer[Serving]) -> AsyncIterator[Serving]:
        async with opened() as serving:
            yield serving

    reading = ToolAnnotations(read_only_hint=True, open_world_hint=False)
    writing = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
    return MCPServer(
        "codeintel-rev",
        instructions=_INSTRUCTIONS,
        version=__version__,
        tools=[*(_strict(tool, reading) for tool in READING), _strict(reindex, writing)],
        lifespan=lifespan,
        log_level="WARNING",
        subscriptions=False,
    )


def _strict(function: ToolFunction, annotations: ToolAnnotations) -> Tool:
    """An argument that a tool does not have is an error: else `glob` for `globs` would search everything."""
    tool = Tool.from_function(_registered(function), annotations=annotations)
    arguments = tool.fn_metadata.arg_model
    arguments.model_config["extra"] = "forbid"
    arguments.model_rebuild(force=True)
    tool.parameters["additionalProperties"] = False
    return tool


def _registered(tool: ToolFunction) -> Callable[..., Awaitable[CallToolResult]]:
    """The tool as the SDK calls it: typed structured output, and the same as text without the SDK's indentation."""
    guarded = told_as_error(tool)

    @functools.wraps(tool)
    async def called(*args: Any, **kwargs: Any) -> CallToolResult:
        answer = await guarded(*args, **kwargs)
        text = TextContent(type="text", text=answer.model_dump_json())
        return CallToolResult(content=[text], structured_content=answer.model_dump(mode="json"))

    signature = inspect.signature(tool, eval_str=True)
    returned = Annotated[CallToolResult, signature.return_annotation]
    # what inspect reads instead of the annotations
    vars(called)["__signature__"] = signature.replace(return_annotation=returned)
    return called
