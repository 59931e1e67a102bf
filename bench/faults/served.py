"""A small HTTP server and a small MCP server, and the clients that make their faults."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any, Final

from . import machine
from .case import Started

_SERVER: Final = """\
import socket
import threading
import time

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route

listening = socket.create_server(("127.0.0.1", 0))
PORT = listening.getsockname()[1]


def fine(request):
    return PlainTextResponse("fine")


def raises(request):
    raise LookupError("no such book")


class Refusing:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http" and scope["path"] == "/private":
            return await JSONResponse({"error": "who are you"}, status_code=401)(scope, receive, send)
        await self.app(scope, receive, send)


def endless(request):
    def words():
        while True:
            yield b"word " * 10000

    return StreamingResponse(words())


ROUTES = [Route("/fine", fine), Route("/raises", raises), Route("/private", fine), Route("/endless", endless)]
app = Starlette(routes=ROUTES, middleware=[Middleware(Refusing)])
server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))


def get(path):
    with socket.create_connection(("127.0.0.1", PORT)) as client:
        client.sendall(f"GET {path} HTTP/1.1\\r\\nHost: shop\\r\\nConnection: close\\r\\n\\r\\n".encode())
        while client.recv(65536):
            pass


def leave_early():
    with socket.create_connection(("127.0.0.1", PORT)) as client:
        client.sendall(b"GET /endless HTTP/1.1\\r\\nHost: shop\\r\\n\\r\\n")
        client.recv(1000)


def ask():
    while not server.started:
        time.sleep(0.02)
    {what}
    server.should_exit = True


threading.Thread(target=ask).start()
server.run(sockets=[listening])
"""


def server(what: str) -> str:
    """Return a program that serves, asks itself ``what``, and ends."""
    return _SERVER.replace("{what}", what)


TOOLS: Final = """\
import asyncio

import duckdb
from mcp.server.mcpserver import MCPServer

server = MCPServer("shop")


@server.tool()
def count(limit: int) -> int:
    return duckdb.connect().execute(f"select count(*) from range({limit})").fetchone()[0]


@server.tool()
async def sleeps() -> str:
    await asyncio.sleep(60)


server.run("stdio")
"""

_HELLO: Final = (
    {
        "method": "initialize",
        "id": 0,
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "bench", "version": "1"},
        },
    },
    {"method": "notifications/initialized"},
)


def call(tool: str, **arguments: Any) -> dict[str, Any]:
    return {"method": "tools/call", "id": 1, "params": {"name": tool, "arguments": arguments}}


class Client:
    """A client over stdio that says what it is told to, line by line."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        for message in _HELLO:
            self.send(message)
            if "id" in message:
                self.answer()

    def send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self._process.stdout
        return dict(json.loads(self._process.stdout.readline()))


def talking(talk: Callable[[Client, Started], None]) -> Callable[[Started], int]:
    """Return a driver that starts the server, lets ``talk`` speak to it, and closes its pipe."""

    def drive(started: Started) -> int:
        with started.begin(stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            talk(Client(process), started)
            process.stdin.close()
            return process.wait(60)

    return drive


def asking(tool: str, **arguments: Any) -> Callable[[Started], int]:
    def talk(client: Client, _: Started) -> None:
        client.send(call(tool, **arguments))
        client.answer()

    return talking(talk)


def begun(started: Started) -> None:
    machine.wait_for(lambda: machine.on_record(started.folder, b'"kind":"tool.call"'))


def leaving(client: Client, started: Started) -> None:
    """Ask for something long, and close the pipe while it is worked on."""
    client.send(call("sleeps"))
    begun(started)


def cancelling(client: Client, started: Started) -> None:
    """Ask for something long, and say that it is no longer wanted."""
    client.send(call("sleeps"))
    begun(started)
    client.send({"method": "notifications/cancelled", "params": {"requestId": 1, "reason": "no longer wanted"}})
    machine.wait_for(lambda: machine.on_record(started.folder, b'"event":"run.end"'))
