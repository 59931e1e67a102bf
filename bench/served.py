"""Servers in process for `bench/plugins.py`: a request to an ASGI application, and a tool call, as one plain call each.

Each begins a run of its own when it is recorded, so what is added has the begin and the end of a ledger file in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

Call = Callable[[], object]


def in_loop(work: Callable[[], Awaitable[object]]) -> Call:
    """Return ``work`` as a plain call: the loop stays, so a call costs little more than what it awaits."""
    loop = asyncio.new_event_loop()
    return lambda: loop.run_until_complete(work())


def request(application: Any, path: str) -> Call:
    """Return a GET of ``application``, with nothing between us and it."""
    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": [], "http_version": "1.1"}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_message: Any) -> None:
        return None

    return in_loop(lambda: application({**scope, "asgi": {"version": "3.0"}}, receive, send))


def a_millisecond() -> list[int]:
    return sorted(hash(("query", number)) for number in range(2500))[:10]


def fastapi_cheapest() -> Call:
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def hello(_request: Any) -> Any:
        return PlainTextResponse("hello")

    return request(Starlette(routes=[Route("/", hello)]), "/")


def fastapi_excluded() -> Call:
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def hello(_request: Any) -> Any:
        return PlainTextResponse("hello")

    return request(Starlette(routes=[Route("/healthz", hello)]), "/healthz")


def fastapi_realistic() -> Call:
    from fastapi import FastAPI
    from pydantic import BaseModel

    class Answer(BaseModel):
        query: str
        hits: list[int]

    app = FastAPI()

    @app.get("/search/{query}", response_model=Answer)
    def search(query: str, limit: int = 10):
        return Answer(query=query, hits=a_millisecond()[:limit])

    return request(app, "/search/needle")


def tool_call(client: Any, name: str, arguments: dict[str, Any]) -> Call:
    """Return a call of a tool over one session that stays open."""
    loop = asyncio.new_event_loop()
    loop.run_until_complete(client.__aenter__())
    return lambda: loop.run_until_complete(client.call_tool(name, arguments))


def mcp_cheapest() -> Call:
    from mcp import Client
    from mcp.server.mcpserver import MCPServer

    server = MCPServer("bench")

    @server.tool()
    async def hello() -> str:
        return "hello"

    return tool_call(Client(server), "hello", {})


def mcp_realistic() -> Call:
    from fastmcp import Client, FastMCP

    server = FastMCP("bench")

    @server.tool()
    def search(query: str, limit: int = 10) -> dict[str, list[int]]:
        return {query: a_millisecond()[:limit]}

    return tool_call(Client(server), "search", {"query": "needle"})
