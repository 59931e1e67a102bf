"""Calls tools of an MCPServer and of a FastMCP server in memory, as a client would."""

from codeintel_obs import FieldClass
from codeintel_obs.testing import workout


def fill(server):
    import mcp_types as types

    @server.tool()
    def add(first: int, second: int) -> int:
        return first + second

    @server.tool()
    def boom(reason: str) -> str:
        raise ValueError("disk on fire")

    @server.tool()
    async def refuses() -> types.CallToolResult:
        return types.CallToolResult(content=[types.TextContent(type="text", text="no such index")], is_error=True)

    @server.resource("shelf://books")
    def books() -> str:
        return "one"

    @server.prompt()
    def ask(topic: str) -> str:
        return f"tell me of {topic}"

    return server


CALLS = (
    ("add", {"first": 1, "second": 2}),
    ("boom", {"reason": "canary-in-an-argument"}),
    ("refuses", {}),
    ("add", {"first": "canary-in-a-refused-argument", "second": 2}),
    ("missing", {}),
)
CANARIES = {"canary-in-an-argument": FieldClass.TEXT, "canary-in-a-refused-argument": FieldClass.TEXT}


async def asked(client, **options):
    seen = []
    async with client:
        for name, arguments in CALLS:
            result = await client.call_tool(name, arguments, **options)
            seen.append((name, result.is_error, [each.text for each in result.content]))
        resource = await client.read_resource("shelf://books")
        prompt = await client.get_prompt("ask", {"topic": "tides"})
    return seen, len(getattr(resource, "contents", resource)), len(prompt.messages)


@workout("mcp", canaries=CANARIES)
async def mcpserver(_folder):
    from mcp import Client
    from mcp.server.mcpserver import MCPServer

    return await asked(Client(fill(MCPServer("workout"))))


@workout("mcp", canaries=CANARIES)
async def fastmcp(_folder):
    from fastmcp import Client, FastMCP

    return await asked(Client(fill(FastMCP("workout"))), raise_on_error=False)
