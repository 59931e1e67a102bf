"""What of the MCP libraries is not watched, and why; names are ``module:qualified.name``."""

from __future__ import annotations

from typing import Final

_PART = "part of the request that it is called in, whose step tells of it"
_SETS_UP = "sets a server up, or lists what is registered: no tool is called"
_SERVES = "a transport or a session: every request of it goes through the dispatch, which is watched"
_CLIENT = "a client's side: what its call became is told by the server"
_WIRE = "data of the protocol, or a computation on it"
_ACCESS = "authorization: part of the HTTP request that it belongs to"
_DIRECT = "called in process and past the dispatch it is no MCP call; inside one it is part of it"

EXCLUSIONS: Final[dict[str, str]] = {
    "mcp.cli.*:*": "a command line of its own",
    "mcp.client.*:*": _CLIENT,
    "mcp.os.*:*": "starts and stops a client's server processes",
    "mcp.server.auth.*:*": _ACCESS,
    "mcp.server.apps:*": _SETS_UP,
    "mcp.server.caching:*": _WIRE,
    "mcp.server.connection:*": _SERVES,
    "mcp.server.context:*": _PART,
    "mcp.server.elicitation:*": _PART,
    "mcp.server.extension:*": _SETS_UP,
    "mcp.server.lowlevel.server:Server.*": _SETS_UP,
    "mcp.server.lowlevel.server:lifespan": _SETS_UP,
    "mcp.server.mcpserver.context:*": _PART,
    "mcp.server.mcpserver.prompts.*:*": _PART,
    "mcp.server.mcpserver.resolve:*": _PART,
    "mcp.server.mcpserver.resources.*:*": _PART,
    "mcp.server.mcpserver.server:MCPServer.get_prompt": _DIRECT,
    "mcp.server.mcpserver.server:MCPServer.read_resource": _DIRECT,
    "mcp.server.mcpserver.server:MCPServer.run*": _SERVES,
    "mcp.server.mcpserver.server:MCPServer.*_app": _SERVES,
    "mcp.server.mcpserver.server:MCPServer.list_*": _SETS_UP,
    "mcp.server.mcpserver.server:MCPServer.[!cglrs]*": _SETS_UP,
    "mcp.server.mcpserver.server:MCPServer.completion": _SETS_UP,
    "mcp.server.mcpserver.server:MCPServer.custom_route": _SETS_UP,
    "mcp.server.mcpserver.server:MCPServer.remove_*": _SETS_UP,
    "mcp.server.mcpserver.server:MCPServer.resource": _SETS_UP,
    "mcp.server.mcpserver.server:MCPServer.session_manager": _SERVES,
    "mcp.server.mcpserver.server:[!M]*": _SETS_UP,
    "mcp.server.mcpserver.tools.*:*": _DIRECT,
    "mcp.server.mcpserver.utilities.context_injection:*": _PART,
    "mcp.server.mcpserver.utilities.func_metadata:FuncMetadata.[!c]*": _WIRE,
    "mcp.server.mcpserver.utilities.func_metadata:FuncMetadata.call_fn_*": "validates, and then calls what is watched",
    "mcp.server.mcpserver.utilities.func_metadata:FuncMetadata.convert_result": _WIRE,
    "mcp.server.mcpserver.utilities.func_metadata:[!F]*": _WIRE,
    "mcp.server.mcpserver.utilities.[!cf]*:*": _WIRE,
    "mcp.server.request_state:*": _PART,
    "mcp.server.runner:*": _SERVES,
    "mcp.server.session:*": _PART,
    "mcp.server.sse:*": _SERVES,
    "mcp.server.stdio:*": _SERVES,
    "mcp.server.streamable_http*:*": _SERVES,
    "mcp.server.subscriptions:*": _PART,
    "mcp.server.transport_security:*": _ACCESS,
    "mcp.server.validation:*": _WIRE,
    "mcp.shared.*:*": _WIRE,
    # fastmcp, which is built on mcp
    "fastmcp.apps.*:*": _SETS_UP,
    "fastmcp.cli.*:*": "a command line of its own",
    "fastmcp.client.*:*": _CLIENT,
    "fastmcp.contrib.*:*": "built on what is watched",
    "fastmcp.decorators:*": _SETS_UP,
    "fastmcp.exceptions:*": _WIRE,
    "fastmcp.experimental.*:*": "built on what is watched",
    "fastmcp.mcp_config:*": _SETS_UP,
    "fastmcp.prompts.*:*": _PART,
    "fastmcp.resources.*:*": _PART,
    "fastmcp.server.auth.*:*": _ACCESS,
    "fastmcp.server.server:FastMCP.[!c]*": f"{_SETS_UP}; {_DIRECT}",
    "fastmcp.server.server:FastMCP.c[!a]*": _SETS_UP,
    "fastmcp.server.server:[!F]*": _SETS_UP,
    "fastmcp.server.[!as]*:*": _PART,
    "fastmcp.server.session*:*": _PART,
    "fastmcp.settings:*": _SETS_UP,
    "fastmcp.skills.*:*": _SETS_UP,
    "fastmcp.telemetry:*": "the library's own spans, which the step is told on",
    "fastmcp.tools.*:*": _DIRECT,
    "fastmcp.utilities.*:*": _WIRE,
}
