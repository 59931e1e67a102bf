"""HTTP requests to a server of their own, for `bench/plugins.py`: the cheapest answer, and embeddings of 32 texts."""

from __future__ import annotations

import asyncio
import atexit
import functools
import json
import subprocess
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

VECTORS = {"data": [{"index": n, "embedding": [0.125] * 384} for n in range(32)], "usage": {"prompt_tokens": 640}}
MODELS = {"object": "list", "data": []}
ANSWERS = {"/ok": b"ok", "/v1/models": json.dumps(MODELS).encode(), "/v1/embeddings": json.dumps(VECTORS).encode()}
TEXTS = {"model": "tiny", "input": ["parse the header of a file and return its fields as a mapping"] * 32}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet an answer

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        content = ANSWERS[self.path]
        self.send_response(200)
        self.send_header("Content-Type", "text/plain" if self.path == "/ok" else "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET  # noqa: N815 - the name that http.server calls

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def serve() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


@functools.cache
def served() -> str:
    """Return the URL of a server in a process of its own, whose CPU is not counted."""
    process = subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, text=True)
    atexit.register(process.terminate)
    assert process.stdout is not None
    return f"http://127.0.0.1:{process.stdout.readline().strip()}"


def httpx_cheapest() -> Callable[[], object]:
    import httpx

    url, client = f"{served()}/ok", httpx.Client(trust_env=False, verify=False)
    return lambda: client.get(url)


def requests_cheapest() -> Callable[[], object]:
    import requests

    url, session = f"{served()}/ok", requests.Session()
    session.trust_env = False
    return lambda: session.get(url, timeout=60)


def aiohttp_cheapest() -> Callable[[], object]:
    import aiohttp

    loop = asyncio.new_event_loop()

    async def opened() -> aiohttp.ClientSession:
        return aiohttp.ClientSession()

    url, session = f"{served()}/ok", loop.run_until_complete(opened())
    atexit.register(lambda: loop.run_until_complete(session.close()))

    async def ask() -> bytes:
        async with session.get(url) as response:
            return await response.read()

    return lambda: loop.run_until_complete(ask())


def openai_cheapest() -> Callable[[], object]:
    client = _openai()
    return lambda: client.models.list()


def openai_realistic() -> Callable[[], object]:
    client = _openai()
    return lambda: client.embeddings.create(**TEXTS, encoding_format="float")


def _openai() -> Any:
    import httpx2
    import openai

    client = httpx2.Client(trust_env=False, verify=False)
    return openai.OpenAI(base_url=f"{served()}/v1", api_key="none", http_client=client)


def httpx_realistic() -> Callable[[], object]:
    import httpx

    url, client = f"{served()}/v1/embeddings", httpx.Client(trust_env=False, verify=False)
    return lambda: client.post(url, json=TEXTS).json()


if __name__ == "__main__":
    serve()
