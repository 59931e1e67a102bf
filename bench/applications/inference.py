"""A server that answers as OpenAI's and Ollama's do, by fixed rules; one run of it is a process of its own."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOLD = ["one", "two", "three", "four", "five", "six"]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "inference"
    sys_version = ""

    def date_time_string(self, timestamp=None) -> str:  # noqa: ARG002 - a fixed date, so that answers can be compared
        return "Mon, 30 Nov 2026 00:00:00 GMT"

    def do_GET(self) -> None:
        status, content = (404, {"error": "no such page"}) if "missing" in self.path else (200, {"path": self.path})
        self.answer(status, json.dumps(content).encode())

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "fail" in json.dumps(asked):
            self.answer(400, b'{"error": {"message": "asked to fail", "type": "invalid_request_error"}}')
        elif self.path.endswith(("/embeddings", "/embed")):
            self.answer(200, json.dumps(embedded(asked)).encode())
        else:
            lines = [*map(event, TOLD), b"data: [DONE]\n\n"] if asked.get("stream") else [whole()]
            self.answer(200, b"".join(lines), "text/event-stream" if asked.get("stream") else "application/json")

    def answer(self, status: int, content: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def embedded(asked) -> dict:
    texts = [asked["input"]] if isinstance(asked["input"], str) else asked["input"]
    vectors = [[byte / 256 for byte in hashlib.sha256(text.encode()).digest()] for text in texts]
    data = [{"object": "embedding", "index": n, "embedding": vector} for n, vector in enumerate(vectors)]
    return {
        "data": data,
        "embeddings": vectors,
        "model": asked["model"],
        "usage": {"prompt_tokens": 7, "total_tokens": 7},
    }


def event(word: str) -> bytes:
    choice = {"index": 0, "delta": {"role": "assistant", "content": f"{word} "}, "finish_reason": None}
    return b"data: " + json.dumps(completion("chat.completion.chunk", choice)).encode() + b"\n\n"


def whole() -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": " ".join(TOLD)}, "finish_reason": "stop"}
    usage = {"usage": {"prompt_tokens": 3, "completion_tokens": 6, "total_tokens": 9}}
    return json.dumps(completion("chat.completion", choice) | usage).encode()


def completion(kind: str, choice: dict) -> dict:
    return {"id": "chatcmpl-1", "object": kind, "created": 1_790_000_000, "model": "tiny", "choices": [choice]}


def started() -> tuple[subprocess.Popen[str], str]:
    """Start the server; the caller terminates it."""
    process = subprocess.Popen((sys.executable, __file__), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, f"http://127.0.0.1:{process.stdout.readline().strip()}"


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()
