"""Qdrant's HTTP interface on a real socket, in front of its client's own embedded engine.

No Qdrant server can be installed from the registries that these tests use. What is shown here is the way over HTTP: the
requests that the client makes, its key, its time-outs, and which collections are kept. What a server's own index
(HNSW) finds and costs is not: `bench/retrieval_vectors.py --qdrant URL` measures it.
"""

import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from qdrant_client import QdrantClient, models

COLLECTION = re.compile(r"/collections/([\w-]+)(/[\w/]+)?\Z")


class Behaviour:
    """`requests` are (method, path); `hangs` makes a server that accepts, reads and never answers."""

    def __init__(self):
        self.engine = QdrantClient(":memory:", force_disable_check_same_thread=True)
        self.lock = threading.Lock()
        self.requests = []
        self.keys = set()
        self.hangs = False
        self.over = threading.Event()

    def names(self):
        return sorted(each.name for each in self.engine.get_collections().collections)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer("GET")

    def do_PUT(self):
        self.answer("PUT")

    def do_POST(self):
        self.answer("POST")

    def do_DELETE(self):
        self.answer("DELETE")

    def answer(self, method):
        behaviour, path = self.server.behaviour, self.path.partition("?")[0]
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "null")
        if behaviour.hangs:
            behaviour.over.wait()
            return
        with behaviour.lock:
            behaviour.requests.append((method, path))
            behaviour.keys.add(self.headers.get("api-key"))
            try:
                status, content = (
                    200,
                    {"result": result(behaviour.engine, method, path, body), "status": "ok", "time": 0},
                )
            except ValueError as error:  # what the engine raises for a collection that is not there
                status, content = 404, {"status": {"error": str(error)}, "time": 0}
        sent = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, *_):
        """Standard error belongs to the tests."""


def result(engine, method, path, body):
    if path == "/collections":
        return {"collections": [{"name": each.name} for each in engine.get_collections().collections]}
    name, what = COLLECTION.match(path).groups()
    if (method, what) == ("PUT", None):
        return engine.create_collection(name, vectors_config=models.VectorParams(**body["vectors"]))
    if (method, what) == ("DELETE", None):
        return engine.delete_collection(name)
    if what == "/exists":
        return {"exists": engine.collection_exists(name)}
    if what == "/points/count":
        return {"count": engine.count(name, exact=body["exact"]).count}
    if what == "/points/query":
        found = engine.query_points(name, query=body["query"]["nearest"], limit=body["limit"], with_payload=False)
        return {"points": [{"id": each.id, "version": 0, "score": each.score} for each in found.points]}
    assert (method, what) == ("PUT", "/points"), (method, path)
    engine.upsert(name, points(body))
    return {"operation_id": 0, "status": "completed"}


def points(body):
    if "batch" in body:
        return models.Batch(**body["batch"])
    return [models.PointStruct(**{"payload": None} | each) for each in body["points"]]


@contextmanager
def serving():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.behaviour = behaviour = Behaviour()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", behaviour
    finally:
        behaviour.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
        behaviour.engine.close()
