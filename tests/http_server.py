"""A small HTTP server on a real socket that streams, redirects, hangs up, hangs and refuses, as real ones do."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from openai_server import Server

TOKENS = ("one", "two", "three")
USAGE = {"prompt_tokens": 5, "total_tokens": 8, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __getattr__(self, name):
        if name.startswith("do_") and name[3:].isupper():
            return self.answer  # every method is answered alike
        raise AttributeError(name)

    def answer(self):
        self.sent = self.body()
        self.server.requests.append((self.command, self.path, dict(self.headers), self.sent))
        name = "do_" + urlsplit(self.path).path.strip("/").replace("/", "_")
        getattr(self, name, self.do_missing)()

    def body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        pieces = []
        while size := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def say(self, status, content=b"", **headers):
        self.send_response(status)
        for name, value in {"Content-Length": len(content), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
            self.wfile.flush()

    def chunk(self, content):
        self.wfile.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")
        self.wfile.flush()

    def stream(self, kind="text/event-stream"):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def event(self, value):
        self.chunk(b"data: " + (value if isinstance(value, bytes) else json.dumps(value).encode()) + b"\n\n")

    def hang_up(self):
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    # -- what the paths do ----------------------------------------------------------------------------------------

    def do_ok(self):
        self.say(200, b'{"fine": true}', Content_Type="application/json")

    def do_missing(self):
        self.say(404, b"nothing here")

    def do_empty(self):
        self.say(204)

    def do_busy(self):
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        self.say(status, b"busy" if status != 200 else b"fine")

    def do_moved(self):
        self.say(302, Location="/ok")

    def do_moved_away(self):
        self.say(302, Location=f"http://127.0.0.2:{self.server.server_port}/ok")

    def do_hang(self):
        self.server.over.wait()

    def do_slow(self):
        """The head, one byte, and no more."""
        self.send_response(200)
        self.send_header("Content-Length", "10")
        self.end_headers()
        self.wfile.write(b"x")
        self.wfile.flush()
        self.server.over.wait()

    def do_cut(self):
        """Ten bytes are announced and three come."""
        self.send_response(200)
        self.send_header("Content-Length", "10")
        self.end_headers()
        self.wfile.write(b"xxx")
        self.wfile.flush()
        self.hang_up()

    def do_slam(self):
        self.hang_up()

    # -- as vLLM does ---------------------------------------------------------------------------------------------

    def do_v1_embeddings(self):
        if self.server.statuses:
            return self.do_busy()
        asked = json.loads(self.sent)["input"]
        rows = [{"index": n, "object": "embedding", "embedding": [0.5, 0.25]} for n in range(len(asked))]
        usage = {"prompt_tokens": 7, "total_tokens": 7, "completion_tokens": 0}
        made = {"object": "list", "model": "tiny", "data": rows, "usage": usage}
        return self.say(200, json.dumps(made).encode(), Content_Type="application/json")

    def do_v1_completions(self):
        choice = {"index": 0, "text": "canary-of-an-answer", "finish_reason": "length"}
        made = {"id": "c", "object": "text_completion", "created": 1, "model": "tiny", "choices": [choice]}
        self.say(200, json.dumps({**made, "usage": USAGE}).encode(), Content_Type="application/json")

    def do_v1_rerank(self):
        rows = [{"index": 0, "relevance_score": 0.5}, {"index": 1, "relevance_score": 0.25}]
        self.say(200, json.dumps({"results": rows, "usage": {"total_tokens": 9}}).encode())

    def do_v1_chat_completions(self):
        base = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "tiny"}
        self.stream()
        for token in TOKENS:
            self.event({**base, "choices": [{"index": 0, "delta": {"content": token}, "finish_reason": None}]})
            if self.server.cut:
                return self.hang_up()
            if self.server.breaks:
                self.event({"error": {"message": "engine died", "code": 500}})
                return self.chunk(b"")
            time.sleep(0.005)
        self.event({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        self.event({**base, "choices": [], "usage": USAGE})
        self.event(b"[DONE]")
        return self.chunk(b"")

    def log_message(self, *_):
        """Standard error belongs to the tests."""


class Served:
    """Where the server is, what it was asked, and what it shall do."""

    def __init__(self, server):
        self.server = server
        self.host = f"127.0.0.1:{server.server_port}"
        self.url = f"http://{self.host}"
        self.port = server.server_port

    @property
    def requests(self):
        return self.server.requests

    @property
    def headers(self):
        """Those of the latest request, by lower-case name."""
        return {name.lower(): value for name, value in self.requests[-1][2].items()}

    def does(self, **how):
        for name, value in how.items():
            setattr(self.server, name, value)


@contextmanager
def serving():
    server = Server(("0.0.0.0", 0), Handler)  # the whole of 127/8
    server.requests, server.statuses, server.over = [], [], threading.Event()
    server.cut = server.breaks = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield Served(server)
    finally:
        server.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def refusing():
    """A URL where nothing listens: its port is bound and never opened."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"
