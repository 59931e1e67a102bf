"""Real ASGI servers on real sockets, stopped as an operator stops them; shared by the tests of plugins."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import processes
from receiver import free_ports

APPLICATIONS = {
    "fastapi": """
import asyncio
from contextlib import asynccontextmanager
from fastapi import FastAPI, WebSocket
from fastapi.responses import StreamingResponse

@asynccontextmanager
async def lifespan(_app):
    yield

app = FastAPI(lifespan=lifespan)

@app.get("/books/{number}")
def book(number: int):
    return {"number": number}

@app.get("/endless")
def endless():
    async def words():
        while True:
            yield "word " * 1000
            await asyncio.sleep(0.01)
    return StreamingResponse(words())

@app.websocket("/echo")
async def echo(socket: WebSocket):
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(text)
""",
    "bare": """
async def app(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})
""",
}
COMMANDS = {
    "uvicorn": ("uvicorn", "{app}", "--port", "{port}"),
    "uvicorn --workers 2": ("uvicorn", "{app}", "--port", "{port}", "--workers", "2"),
    "gunicorn": ("gunicorn", "{app}", "-k", "uvicorn_worker.UvicornWorker", "-w", "2", "-b", "127.0.0.1:{port}"),
    "gunicorn -k asgi": ("gunicorn", "{app}", "-k", "asgi", "-b", "127.0.0.1:{port}"),
    "hypercorn": ("hypercorn", "{app}", "-b", "127.0.0.1:{port}"),
}


class Server:
    """A running server, and what it answered."""

    def __init__(self, url: str, process: subprocess.Popen[bytes]) -> None:
        self.url = url
        self.process = process

    def get(self, path: str, **headers: str) -> Any:
        """Return the response to a request over a connection of its own."""
        request = urllib.request.Request(self.url + path, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            answer.read()
            return answer

    def connect(self) -> socket.socket:
        """Return a connection of its own."""
        return socket.create_connection(("127.0.0.1", int(self.url.rpartition(":")[2])), timeout=30)

    def stop(self) -> int:
        """Send SIGTERM, and return how the process ended."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def running(folder: Path, command: Sequence[str], **env: str) -> Iterator[Server]:
    """Run ``command`` with ``{port}`` in it, in a process group of its own, until it listens there."""
    (port,) = free_ports(1)
    words = [word.format(port=port) for word in command]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            words, cwd=folder, env=processes.environ(**env), stdout=log, stderr=log, start_new_session=True
        )
        try:
            _wait_for(port, process, folder)
            yield Server(f"http://127.0.0.1:{port}", process)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(30)


@contextmanager
def serving(
    folder: Path, application: str, server: str, launcher: Sequence[str] = (processes.OBS, "run", "--"), **env: str
) -> Iterator[Server]:
    """Serve one of `APPLICATIONS` by one of `COMMANDS`."""
    (folder / "served.py").write_text(APPLICATIONS[application])
    program, *arguments = (word.replace("{app}", "served:app") for word in COMMANDS[server])
    with running(folder, [*launcher, str(processes.BIN / program), *arguments], **env) as started:
        yield started


def _wait_for(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, (folder / "server.log").read_text()
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError((folder / "server.log").read_text())
