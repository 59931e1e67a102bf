"""HTTP requests to a server of their own, for `bench/plugins.py`: the cheapest answer, and embeddings of 32 texts."""

from __future__ import annotations

import atexit
import functools
import json
import subprocess
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

VECTORS = {"data": [{"index": n, "embedding": [0.125] * 384} for n in range(32)], "usage": {"prompt_tokens": 640}}
ANSWERS = {"/ok": b"ok", "/v1/embeddings": json.dumps(VECTORS).encode()}
TEXTS = {"model": "tiny", "input": ["parse the header of a file and return its fields as a mapping"] * 32}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet an answer

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        content = ANSWERS[self.path]
        self.send_response(200)
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


def httpx_realistic() -> Callable[[], object]:
    import httpx

    url, client = f"{served()}/v1/embeddings", httpx.Client(trust_env=False, verify=False)
    return lambda: client.post(url, json=TEXTS).json()


if __name__ == "__main__":
    serve()
