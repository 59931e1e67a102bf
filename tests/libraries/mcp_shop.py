"""An MCP server whose tools end in every way, made with `mcp` or `fastmcp`, and a client that calls each of them.

Run as a program: ``mcp_shop.py MAKE serve stdio``, ``mcp_shop.py MAKE serve http PORT``, or ``mcp_shop.py MAKE call
memory|stdio|URL FOLDER``, which prints what the client saw as JSON. The server knows nothing of a recorder. With
``SHOP_ERA=legacy`` the client of `mcp` opens with the handshake that the protocol had until 2026.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

import mcp_types
from opentelemetry import baggage

TRACE = "0af7651916cd43dd8448eb211c80319c"
META = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "baggage": "tenant=acme"}
CELLS = {
    "ok": ("ok", META),
    "raises": ("raises", META),
    "isError": ("refuses", META),
    "cancelled": ("sleeps", META),
    "no traceparent": ("plain", {}),
}


def made(make):
    """Return a server of this make."""
    if make == "mcp":
        from mcp.server.mcpserver import MCPServer

        server = MCPServer("shop")
    else:
        from fastmcp import FastMCP

        server = FastMCP("shop")

    @server.tool()
    async def ok() -> dict[str, str]:
        return {name: str(value) for name, value in baggage.get_all().items()}

    @server.tool()
    def plain() -> str:
        return "plain"

    @server.tool()
    def raises() -> str:
        raise LookupError("no such book")

    @server.tool()
    def refuses() -> mcp_types.CallToolResult:
        text = mcp_types.TextContent(type="text", text="the shop is closed")
        return mcp_types.CallToolResult(content=[text], is_error=True)

    @server.tool()
    async def sleeps(folder: str) -> str:
        (Path(folder) / "sleeping").touch()
        try:
            await asyncio.sleep(60)
        finally:
            (Path(folder) / "woken").touch()
        return "slept"

    return server


def serve(make, transport, port=None):
    """Serve until the client or the operator ends it."""
    server = made(make)
    if transport == "stdio":
        server.run("stdio")
    elif make == "mcp":
        server.run("streamable-http", port=int(port))
    else:
        server.run("http", port=int(port), show_banner=False)


def client_of(make, where):
    """Return a real client of this make for a server in memory, in a child process, or at a URL."""
    command = ["run", "--quiet", "--exec", "--", sys.executable, __file__, make, "serve", "stdio"]
    if make == "mcp":
        from mcp import Client, StdioServerParameters

        stdio = StdioServerParameters(command="codeintel-obs", args=command, env=dict(os.environ))
        server = {"memory": lambda: made(make), "stdio": lambda: stdio}.get(where, lambda: where)()
        return Client(server, mode=os.environ.get("SHOP_ERA", "auto"))
    from fastmcp import Client
    from fastmcp.client.transports import StdioTransport

    stdio = StdioTransport("codeintel-obs", command, env=dict(os.environ), keep_alive=False)
    return Client({"memory": lambda: made(make), "stdio": lambda: stdio}.get(where, lambda: where)())


async def call(make, where, folder):
    """Call every tool once; return what the client saw of each."""
    seen = {}
    options = {} if make == "mcp" else {"raise_on_error": False}
    async with client_of(make, where) as client:
        for cell, (tool, meta) in CELLS.items():
            named = {**meta, "run_id": f"asked-{tool}", "session_id": "visit"}
            if cell == "cancelled":
                task = asyncio.create_task(client.call_tool(tool, {"folder": folder}, meta=named))
                await appeared(Path(folder) / "sleeping")
                task.cancel()
                seen[cell] = {"raised": type((await asyncio.gather(task, return_exceptions=True))[0]).__name__}
                await appeared(Path(folder) / "woken")
            else:
                result = await client.call_tool(tool, {}, meta=named, **options)
                seen[cell] = {
                    "is_error": result.is_error,
                    "text": [each.text for each in result.content],
                    "meta": dict(result.meta or {}),
                }
    return seen


async def appeared(path):
    """Wait for a file of the server's."""
    for _ in range(600):
        if path.exists():
            return
        await asyncio.sleep(0.05)
    raise TimeoutError(f"{path} did not appear")


if __name__ == "__main__":
    make, verb, *rest = sys.argv[1:]
    if verb == "serve":
        serve(make, *rest)
    else:
        print(json.dumps(asyncio.run(call(make, *rest))))
