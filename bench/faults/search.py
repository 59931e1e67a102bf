"""Searches of codeintel_rev in an index made before, with its channels and its requests declared as seams."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any, Final

from .case import Driver, Started

# what this family looks at, and not what other plugins tell of the same calls
CHOSEN: Final = ("--plugins", "seams,bm25,faiss,duckdb,http_client,logging")
_SEAMS: Final = {
    "codeintel_rev.io.hybrid_search:HybridSearch.search": "app.search",
    "codeintel_rev.io.channels:Channels.semantic": "app.semantic",
    "codeintel_rev.io.channels:Channels.bm25": "app.bm25",
    "codeintel_rev.io.channels:Channels.splade": "app.splade",
    "codeintel_rev.io.hybrid_search:_scores": "app.rerank",
    "codeintel_rev.io.vllm_client:VllmClient._once": "app.request",
}
_FILES: Final = {
    "shop/cart.py": "class Cart:\n    def add_item(self, item):\n        self.items.append(item)\n",
    "shop/pay.py": "def charge_card(number, amount):\n    return gateway.charge(number, amount)\n",
}
_PROGRAM: Final = """\
import os
from pathlib import Path

import bm25s, duckdb, faiss

from codeintel_rev.config.settings import EmbeddingSettings, RerankSettings, SearchSettings, Settings, SpladeSettings
from codeintel_rev.io.generations import IndexFolder
from codeintel_rev.io.hybrid_search import HybridSearch, Wish

URL = os.environ["SHOP_URL"]
EMBEDDING = {"kind": "vllm", "url": URL, "model": "hashed-words", "dim": 64, "query_timeout": 10.0}
SEARCH = SearchSettings(deadline=30.0, rest=0.0, recency=0.0)
WEIGHTS = {"exact": 0, "splade": 0}


def search(query="how to charge a card", weights=WEIGHTS, embedding={}, **more):
    embedding = EmbeddingSettings(**{**EMBEDDING, **embedding})
    settings = Settings(Path("cache"), embedding=embedding, search=SEARCH, **more)
    opened = HybridSearch(IndexFolder(Path("repo/.codeintel-rev")).current(), settings)
    try:
        return opened.search(query, 3, Wish(weights=weights))
    finally:
        opened.close()


"""


def program(call: str) -> str:
    """Return a program that makes one search."""
    return f"{_PROGRAM}{call}\n"


def import_tests() -> None:
    """Let the servers and corpora of the tests be imported: they are real ones, on real sockets."""
    path = str(Path(__file__).resolve().parents[2] / "tests")
    if path not in sys.path:
        sys.path.append(path)


def indexed(folder: Path) -> None:
    """Make a repository and its index, with vectors of a server that is gone afterwards; declare the seams."""
    import_tests()
    from openai_server import serving
    from rev_corpus import commit, remote

    from codeintel_rev.indexing.build import BuildRequest, build_index

    root = folder / "repo"
    root.mkdir()
    commit(root, _FILES)
    with serving() as (url, _):
        build_index(BuildRequest(root, remote(folder / "cache", url)))
    seams = [f'[[seams]]\ntarget = "{target}"\nkind = "{kind}"\n' for target, kind in _SEAMS.items()]
    # the servers here answer as vLLM does, which no path alone could tell a watcher
    (folder / "codeintel_obs.toml").write_text("\n".join(['vllm_hosts = ["127.0.0.1"]', *seams]))


def without_bm25(folder: Path) -> None:
    """Make the index, and take the lexical part out of it."""
    indexed(folder)
    found = [path for path in folder.glob("repo/.codeintel-rev/**/*bm25*") if path.exists()]
    assert found
    for path in sorted(found, reverse=True):
        if path.is_dir():
            for each in path.iterdir():
                each.unlink()
        else:
            path.unlink(missing_ok=True)


def served(misbehave: Callable[[Any], None] = lambda _: None) -> Driver:
    """Return a driver that launches beside a server which ``misbehave`` has told how to answer."""

    def drive(started: Started) -> int:
        import_tests()
        from openai_server import serving

        with serving() as (url, behaviour):
            misbehave(behaviour)
            return started.launch(SHOP_URL=url)

    return drive


def refused(started: Started) -> int:
    """Launch with the address of a port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return started.launch(SHOP_URL=f"http://127.0.0.1:{taken.getsockname()[1]}")


def cut(started: Started) -> int:
    """Launch beside a server that closes the connection in the middle of each answer."""
    with _cutting() as port:
        return started.launch(SHOP_URL=f"http://127.0.0.1:{port}")


@contextmanager
def _cutting() -> Iterator[int]:
    listening = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            with client:
                client.recv(1 << 16)
                client.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"data": [')

    thread = Thread(target=answer, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()
