"""A small OpenAI-compatible server on a real socket, with the faults that real ones have.

Written by hand because vLLM needs torch and minutes to start, and cannot be told to hang, refuse or lie.
"""

import hashlib
import json
import math
import threading
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from codeintel_rev.retrieval.terms import terms

DIM = 64
MODEL = "hashed-words"


def vector(text, dim=DIM):
    """Words hashed to places: texts that share words are near each other, and no model is needed."""
    made = [0.0] * dim
    for word in terms(text):
        made[hashlib.sha256(word.encode()).digest()[0] % dim] += 1.0
    length = math.sqrt(sum(value * value for value in made)) or 1.0
    return [value / length for value in made]


class Behaviour:
    """What the server does with a request; a test changes it while it runs."""

    def __init__(self):
        self.dim = DIM
        self.statuses = []  # answered one by one before the first success: (status, headers)
        self.hangs = False  # accepts, reads, and never answers
        self.drips = False  # sends one byte, and never the next
        self.body = None  # sent instead of the right answer
        self.models = [MODEL]
        self.longest = None  # characters; what is longer is refused, as vLLM does unless it was told to cut
        self.requests = []  # (path, body, headers)
        self.open = 0
        self.most_open = 0
        self.gate = None  # an Event that every answer waits for
        self.lock = threading.Lock()
        self.over = threading.Event()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(None)

    def do_POST(self):
        self.answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def answer(self, body):
        behaviour = self.server.behaviour
        with behaviour.lock:
            behaviour.requests.append((self.path, body, dict(self.headers)))
            behaviour.open += 1
            behaviour.most_open = max(behaviour.most_open, behaviour.open)
            status, headers = behaviour.statuses.pop(0) if behaviour.statuses else (200, {})
        try:
            self.say(behaviour, status, headers, body)
        finally:
            with behaviour.lock:
                behaviour.open -= 1

    def say(self, behaviour, status, headers, body):
        if behaviour.hangs:
            behaviour.over.wait()
            return
        if behaviour.gate is not None:
            behaviour.gate.wait()
        if refused(behaviour, body):
            status = 400
        content = b"busy" if status != 200 else self.content(behaviour, body)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if behaviour.drips:
            self.wfile.write(content[:1])
            self.wfile.flush()
            behaviour.over.wait()
            return
        self.wfile.write(content)

    def content(self, behaviour, body):
        if behaviour.body is not None:
            return behaviour.body
        return json.dumps(ROUTES[self.path](behaviour, body)).encode()

    def log_message(self, *_):
        """Standard error belongs to the tests."""


def refused(behaviour, body):
    if behaviour.longest is None or body is None or body.get("truncate_prompt_tokens") == -1:
        return False
    return any(len(text) > behaviour.longest for text in body.get("input", body.get("documents", [])))


def models(behaviour, _):
    return {"object": "list", "data": [{"id": name} for name in behaviour.models]}


def embeddings(behaviour, body):
    rows = [{"index": n, "embedding": vector(text, behaviour.dim)} for n, text in enumerate(body["input"])]
    return {"model": body["model"], "data": rows[::-1]}  # the protocol orders by index, not by place


def likeness(query, text):
    return sum((Counter(terms(query)) & Counter(terms(text))).values()) / (1 + len(terms(text)))


def rerank(_, body):
    scored = [{"index": n, "relevance_score": likeness(body["query"], t)} for n, t in enumerate(body["documents"])]
    return {"results": sorted(scored, key=lambda item: -item["relevance_score"])}


def score(_, body):
    return {"data": [{"index": n, "score": likeness(body["text_1"], t)} for n, t in enumerate(body["text_2"])]}


ROUTES = {"/v1/models": models, "/v1/embeddings": embeddings, "/v1/rerank": rerank, "/score": score}


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        """A client that has given up is what many of these tests are about."""


@contextmanager
def serving():
    """(URL, behaviour). What still hangs is let go at the end."""
    server = Server(("127.0.0.1", 0), Handler)
    server.behaviour = Behaviour()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server.behaviour
    finally:
        server.behaviour.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
