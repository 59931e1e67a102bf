"""FastAPI under Chroma: its server behind uvicorn, asked by its own client, which speaks through httpx."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import answers
import ports

TRACE = r" \(trace ID: [0-9a-f]+\)"
"""Chroma's server tells the trace of a request: where the recorder's client sends one, its own OpenTelemetry takes that."""


def main(folder: Path) -> None:
    port = ports.free()
    command = (sys.executable, "-m", "uvicorn", "chromadb.app:app", "--port", str(port), "--log-level", "warning")
    server = subprocess.Popen(command, cwd=folder)
    try:
        ports.wait_for(port, server)
        told = asked(port)
    finally:
        server.terminate()
    answers.keep(folder, **told, ended=server.wait())


def asked(port: int):
    import chromadb
    import numpy as np

    vectors = np.random.default_rng(7).normal(size=(200, 16))
    client = chromadb.HttpClient("127.0.0.1", port, settings=chromadb.Settings(anonymized_telemetry=False))
    collection = client.create_collection("words", embedding_function=None, metadata={"made": "here"})
    names = [f"word-{n}" for n in range(len(vectors))]
    collection.add(ids=names, embeddings=vectors, documents=names, metadatas=[{"n": n} for n in range(len(names))])
    found = collection.query(query_embeddings=vectors[:5] + 0.1, n_results=4, where={"n": {"$gt": 1}})
    collection.delete(ids=names[:50])
    refused = [refusal(lambda: client.get_collection("none")), refusal(lambda: client.create_collection("words"))]
    refused.append(refusal(lambda: collection.query(query_embeddings=[[1.0, 2.0]], n_results=1)))
    refused.append(refusal(lambda: collection.peek(3)))  # this server's own mistake, in 1.5.9
    kept = collection.get(ids=names[60:70], include=["documents", "metadatas"])
    listed = [one.name for one in client.list_collections()]
    return {"found": found, "left": collection.count(), "kept": kept, "refused": refused, "listed": listed}


def refusal(call) -> str:
    try:
        call()
    except Exception as error:  # noqa: BLE001 - a refusal is an answer to be compared
        return re.sub(TRACE, "", f"{type(error).__name__}: {error}")
    return "none"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
