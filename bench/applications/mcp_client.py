"""An MCP server over stdio, asked by the SDK's own client: what it lists and what each call brings."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

OURS = ("run_id", "trace_id", "report")
"""What the recorder adds to a result's ``_meta``, as docs/transparency.md says."""


async def asked(command: tuple[str, ...], calls: Iterable[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """Return the server's tools, and the answer to each call or the error that came in its place."""
    server = StdioServerParameters(command=command[0], args=list(command[1:]), env=dict(os.environ))
    async with stdio_client(server) as streams, ClientSession(*streams) as session:
        begun = await session.initialize()
        tools = await session.list_tools()
        told = [await answered(session, tool, arguments) for tool, arguments in calls]
        return {"server": whole(begun), "tools": whole(tools), "answers": told}


async def answered(session: ClientSession, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    try:
        return whole(await session.call_tool(tool, arguments))
    except Exception as error:  # noqa: BLE001 - an error of the protocol is an answer to be compared
        return {"error": type(error).__name__, "text": str(error)}


def whole(message: Any) -> dict[str, Any]:
    told = message.model_dump(mode="json", by_alias=True)
    told["_meta"] = {key: value for key, value in (told.get("_meta") or {}).items() if key not in OURS}
    return told
