"""The watched program of the kill proof: four threads work FAISS, DuckDB and git, and tell an oracle of each call.

Before a call it writes ``c THREAD NUMBER KIND`` to the pipe given as its first argument, after it ``a THREAD NUMBER KIND``: one
``write`` each, so that what the oracle has read is what had happened.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import duckdb
import faiss
import git
import numpy as np

PIPE = int(sys.argv[1])
REPOSITORY = sys.argv[2]


def calls_of(thread: int) -> list[tuple[str, Callable[[], Any]]]:
    """Return one round of calls: each is exactly one step of its kind outside any other."""
    rng = np.random.default_rng(thread)
    index = faiss.IndexFlatL2(16)
    index.add(rng.random((200, 16), dtype="float32"))
    query = rng.random((1, 16), dtype="float32")
    connection = duckdb.connect(":memory:")
    runner = git.Git(REPOSITORY)
    return [
        ("faiss.search", lambda: index.search(query, 5)),
        ("duckdb.query", lambda: connection.execute("select 1")),
        ("duckdb.fetch", connection.fetchall),
        ("faiss.add", lambda: index.add(query)),
        ("git.process", lambda: runner.execute(["git", "rev-parse", "HEAD"])),
    ]


def work(thread: int, calls: list[tuple[str, Callable[[], Any]]], ready: threading.Barrier) -> None:
    ready.wait()
    number = 0
    while True:
        kind, call = calls[number % len(calls)]
        os.write(PIPE, f"c {thread} {number} {kind}\n".encode())
        call()
        os.write(PIPE, f"a {thread} {number} {kind}\n".encode())
        number += 1


def main() -> None:
    """Start the threads, each named for the oracle; they work until somebody kills the process."""
    ready = threading.Barrier(4, action=lambda: os.write(PIPE, b"ready\n"))
    threads = [
        threading.Thread(target=work, args=(each, calls_of(each), ready), name=f"worker-{each}") for each in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
