# ruff: noqa: E501 - a line of an expectation is a line of a report
"""vLLM over HTTP: codeintel_rev searches while the embedding server misbehaves."""

from __future__ import annotations

from typing import Any, Final

from . import search
from .case import Case
from .frames import script


def busy_twice(behaviour: Any) -> None:
    behaviour.statuses = [(503, {}), (503, {})]


def asks_to_wait(behaviour: Any) -> None:
    behaviour.statuses = [(429, {"Retry-After": "3600"})] * 9


def hangs(behaviour: Any) -> None:
    behaviour.hangs = True


def shrinks(behaviour: Any) -> None:
    behaviour.dim = 7


_CANCELLED: Final = """
import signal
import threading
import time

from codeintel_rev.io.vllm_embedder import VllmEmbedder


def give_up(*_):
    raise InterruptedError("the user has gone")


signal.signal(signal.SIGALRM, give_up)
embedder = VllmEmbedder(EmbeddingSettings(**EMBEDDING))
signal.setitimer(signal.ITIMER_REAL, 1.0)
try:
    embedder.embed_query("how to charge a card")
except InterruptedError:
    time.sleep(0.5)
embedder.close()
"""


_READ_TIME_OUT: Final = """
import os

import httpx2

URL = os.environ["SHOP_URL"]
with httpx2.Client(timeout=1.0) as client:
    client.post(f"{URL}/v1/embeddings", json={"model": "hashed-words", "input": ["how to charge a card"]})
"""


def case(name: str, says: str, call: str, drive: Any, expect: str) -> Case:
    return Case(
        name=f"vllm.{name}", says=says, exits=0, options=search.CHOSEN, prepare=search.indexed, parallel=True,
        script=search.program(call), drive=drive, expect=expect,
    )  # fmt: skip


CASES: Final = (
    case(
        name="503_twice_then_200",
        says="503 twice, then 200: two requests failed, the third recovered them.",
        call="search()",
        drive=search.served(busy_twice),
        expect=script(
            """
                s1 app.search completed {}
                  s2 app.bm25 completed {}
                    s3 bm25.load completed {path: repo/.codeintel-rev/generations/<generation>/bm25, method: lucene, backend: numpy, docs: 3, terms: 19}
                    s4 bm25.search completed {queries: 1, query_len: 2, k: 3, method: lucene, backend: numpy, docs: 3, terms: 19, results: 3, hits: 1}
                  s5 app.semantic completed {}
                    s6 app.request failed {} raised e1 codeintel_rev.io.vllm_client._Passing: http://127.0.0.1:<port>/v1/embeddings said 503: busy
                      s7 vllm.embed_batch failed {method: POST, host: 127.0.0.1, port: <port>, path: /v1/embeddings, mode: http, model: hashed-words, count: 1, status_code: 503, bytes: 4} (status 503)
                    s8 app.request failed {} raised e2 codeintel_rev.io.vllm_client._Passing: http://127.0.0.1:<port>/v1/embeddings said 503: busy
                      s9 vllm.embed_batch failed {method: POST, host: 127.0.0.1, port: <port>, path: /v1/embeddings, mode: http, model: hashed-words, count: 1, status_code: 503, bytes: 4} (status 503)
                    s10 app.request completed {}
                      s11 vllm.embed_batch completed {method: POST, host: 127.0.0.1, port: <port>, path: /v1/embeddings, mode: http, model: hashed-words, count: 1, status_code: 200, bytes: 459, outputs: 1, dim: 64}
                    s12 faiss.read_index completed {path: repo/.codeintel-rev/generations/<generation>/vectors.faiss, index_type: IndexFlatIP, d: 64, ntotal: 3, gpu: False}
                    s13 faiss.search completed {nq: 1, k: 3, index_type: IndexFlatIP, d: 64, ntotal: 3, gpu: False, missing: 0}
                    s14 python.import completed {module: httpx2, version: <version>}
                  s15 duckdb.close completed {method: __exit__, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb}
                  s16 duckdb.connect completed {database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb, read_only: True}
                  s17 duckdb.cursor completed {method: cursor, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb}
                  s18 duckdb.fetch completed {method: fetchall, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb, rows: 3} links s19
                  s19 duckdb.query completed {sql_len: 118, sql_sha256: f79647e1…, op: SELECT, statements: ['SELECT'], method: execute, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb, result: connection}
                s20 duckdb.close completed {method: close, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb}
                s21 python.import completed {module: bm25s, version: <version>}
                s22 python.import completed {module: duckdb, version: <version>}
                s23 python.import completed {module: faiss, version: <version>}
            """,
            watched="bm25, duckdb, faiss, http_client, logging, seams, no others chosen",
            more="""
                handled: s6, s8
                recovered: app.request s6 by s10 [step.begin s6, step.end s6, step.begin s10, step.end s10]
                recovered: app.request s8 by s10 [step.begin s8, step.end s8, step.begin s10, step.end s10]
            """,
        ),
    ),
    case(
        name="429_past_the_deadline",
        says="429 with a Retry-After beyond the deadline: the semantic channel fails, the lexical one answers.",
        call="search()",
        drive=search.served(asks_to_wait),
        expect=script(
            """
                s1 app.search completed {}
                  s2 app.bm25 completed {}
                    s3 bm25.load completed {path: repo/.codeintel-rev/generations/<generation>/bm25, method: lucene, backend: numpy, docs: 3, terms: 19}
                    s4 bm25.search completed {queries: 1, query_len: 2, k: 3, method: lucene, backend: numpy, docs: 3, terms: 19, results: 3, hits: 1}
                  s5 app.semantic failed {} raised e1 codeintel_rev.errors.EmbeddingError: http://127.0.0.1:<port>/v1/embeddings said 429: busy; the next try would come too late <- cause e2 codeintel_rev.errors.RemoteError, cause e3 codeintel_rev.io.vllm_client._Passing
                    s6 app.request failed {} raised e3 codeintel_rev.io.vllm_client._Passing: http://127.0.0.1:<port>/v1/embeddings said 429: busy
                      s7 vllm.embed_batch completed {method: POST, host: 127.0.0.1, port: <port>, path: /v1/embeddings, mode: http, model: hashed-words, count: 1, status_code: 429, bytes: 4}
                    s8 python.import completed {module: httpx2, version: <version>}
                  s9 duckdb.close completed {method: __exit__, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb}
                  s10 duckdb.connect completed {database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb, read_only: True}
                  s11 duckdb.cursor completed {method: cursor, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb}
                  s12 duckdb.fetch completed {method: fetchall, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb, rows: 1} links s13
                  s13 duckdb.query completed {sql_len: 118, sql_sha256: f79647e1…, op: SELECT, statements: ['SELECT'], method: execute, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb, result: connection}
                s14 duckdb.close completed {method: close, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb}
                s15 python.import completed {module: bm25s, version: <version>}
                s16 python.import completed {module: duckdb, version: <version>}
                s17 python.import completed {module: faiss, version: <version>}
            """,
            watched="bm25, duckdb, faiss, http_client, logging, seams, no others chosen",
            more="""
                handled: s5, s6
            """,
        ),
    ),
    case(
        name="connection_refused",
        says="Nobody listens, at both tries: the answer is lexical.",
        call='search(embedding={"attempts": 2})',
        drive=search.refused,
        expect=script(
            """
                s1 app.search completed {}
                  s2 app.bm25 completed {}
                    s3 bm25.load completed {path: repo/.codeintel-rev/generations/<generation>/bm25, method: lucene, backend: numpy, docs: 3, terms: 19}
                    s4 bm25.search completed {queries: 1, query_len: 2, k: 3, method: lucene, backend: numpy, docs: 3, terms: 19, results: 3, hits: 1}
                  s5 app.semantic failed {} raised e1 codeintel_rev.errors.EmbeddingError: http://127.0.0.1:<port>/v1/embeddings cannot be reached: All connection attempts failed, 2 times. Mend: start that server <- cause e2 codeintel_rev.errors.RemoteError, cause e3 codeintel_rev.io.vllm_client._Passing, cause e4 httpx2.ConnectError, cause e5 httpcore2.ConnectError, context e6 OSError, cause e7 ConnectionRefusedError
                    s6 app.request failed {} raised e8 codeintel_rev.io.vllm_client._Passing: http://127.0.0.1:<port>/v1/embeddings cannot be reached: All connection attempts failed <- cause e9 httpx2.ConnectError, cause e10 httpcore2.ConnectError, context e11 OSError, cause e12 ConnectionRefusedError
                      s7 vllm.embed_batch failed {method: POST, host: 127.0.0.1, port: <port>, path: /v1/embeddings, mode: http, model: hashed-words, count: 1} raised e9 httpx2.ConnectError: All connection attempts failed <- cause e10 httpcore2.ConnectError, context e11 OSError, cause e12 ConnectionRefusedError
                    s8 app.request failed {} raised e3 codeintel_rev.io.vllm_client._Passing: http://127.0.0.1:<port>/v1/embeddings cannot be reached: All connection attempts failed <- cause e4 httpx2.ConnectError, cause e5 httpcore2.ConnectError, context e6 OSError, cause e7 ConnectionRefusedError
                      s9 vllm.embed_batch failed {method: POST, host: 127.0.0.1, port: <port>, path: /v1/embeddings, mode: http, model: hashed-words, count: 1} raised e4 httpx2.ConnectError: All connection attempts failed <- cause e5 httpcore2.ConnectError, context e6 OSError, cause e7 ConnectionRefusedError
                    s10 python.import completed {module: httpx2, version: <version>}
                  s11 duckdb.close completed {method: __exit__, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb}
                  s12 duckdb.connect completed {database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb, read_only: True}
                  s13 duckdb.cursor completed {method: cursor, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb}
                  s14 duckdb.fetch completed {method: fetchall, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb, rows: 1} links s15
                  s15 duckdb.query completed {sql_len: 118, sql_sha256: f79647e1…, op: SELECT, statements: ['SELECT'], method: execute, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb, result: connection}
                s16 duckdb.close completed {method: close, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb}
                s17 python.import completed {module: bm25s, version: <version>}
                s18 python.import completed {module: duckdb, version: <version>}
                s19 python.import completed {module: faiss, version: <version>}
            """,
            watched="bm25, duckdb, faiss, http_client, logging, seams, no others chosen",
            more="""
                handled: s5, s6, s7, s8, s9
            """,
        ),
    ),
    case(
        name="read_stall",
        says="The server accepts, reads, and never answers.",
        call='search(embedding={"query_timeout": 1.0})',
        drive=search.served(hangs),
        expect=script(
            """
                s1 app.search completed {}
                  s2 app.bm25 completed {}
                    s3 bm25.load completed {path: repo/.codeintel-rev/generations/<generation>/bm25, method: lucene, backend: numpy, docs: 3, terms: 19}
                    s4 bm25.search completed {queries: 1, query_len: 2, k: 3, method: lucene, backend: numpy, docs: 3, terms: 19, results: 3, hits: 1}
                  s5 app.semantic timed_out {} raised e1 codeintel_rev.errors.EmbeddingTimeoutError: http://127.0.0.1:<port>/v1/embeddings did not answer within 1 s. Mend: see whether that server still works <- cause e2 codeintel_rev.errors.RemoteTimeoutError, cause e3 TimeoutError, cause e4 asyncio.exceptions.CancelledError
                    s6 app.request failed {} (cancelled) raised e4 asyncio.exceptions.CancelledError: ''
                      s7 vllm.embed_batch failed {method: POST, host: 127.0.0.1, port: <port>, path: /v1/embeddings, mode: http, model: hashed-words, count: 1} (cancelled) raised e4 asyncio.exceptions.CancelledError: ''
                    s8 python.import completed {module: httpx2, version: <version>}
                  s9 duckdb.close completed {method: __exit__, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb}
                  s10 duckdb.connect completed {database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb, read_only: True}
                  s11 duckdb.cursor completed {method: cursor, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb}
                  s12 duckdb.fetch completed {method: fetchall, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb, rows: 1} links s13
                  s13 duckdb.query completed {sql_len: 118, sql_sha256: f79647e1…, op: SELECT, statements: ['SELECT'], method: execute, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb, result: connection}
                s14 duckdb.close completed {method: close, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb}
                s15 python.import completed {module: bm25s, version: <version>}
                s16 python.import completed {module: duckdb, version: <version>}
                s17 python.import completed {module: faiss, version: <version>}
            """,
            watched="bm25, duckdb, faiss, http_client, logging, seams, no others chosen",
            more="""
                handled: s5, s6, s7
            """,
        ),
    ),
    Case(
        name="vllm.read_time_out",
        says="The server accepts, reads, and never answers: the client's own time limit ends it.",
        script=_READ_TIME_OUT,
        options=("--plugins", "http_client"),
        env={"CODEINTEL_OBS_VLLM_HOSTS": "127.0.0.1"},
        drive=search.served(hangs),
        expect=script(
            """
                s1 python.import completed {module: httpx2, version: <version>}
                s2 vllm.embed_batch timed_out {method: POST, host: 127.0.0.1, port: <port>, path: /v1/embeddings, mode: http, model: hashed-words, count: 1} raised e1 httpx2.ReadTimeout: timed out <- cause e2 httpcore2.ReadTimeout, context e3 TimeoutError
            """,
            watched="http_client, no others chosen",
            code=1,
            stop="""
                stopped by s2 vllm.embed_batch timed_out: httpx2.ReadTimeout: timed out
                  proof: run.end, process.exit, step.end s2
                  trail end: e1 httpx2.ReadTimeout in s2 [step.end s2]
                  trail cause: e2 httpcore2.ReadTimeout in no step [none]
                  while_handling context: e3 TimeoutError in no step [none]
            """,
        ),
    ),
    case(
        name="wrong_dimension",
        says="The server serves another dimension than the index has: nothing is compared.",
        call='search(embedding={"dim": 0})',
        drive=search.served(shrinks),
        expect=script(
            """
                s1 app.search completed {}
                  s2 app.bm25 completed {}
                    s3 bm25.load completed {path: repo/.codeintel-rev/generations/<generation>/bm25, method: lucene, backend: numpy, docs: 3, terms: 19}
                    s4 bm25.search completed {queries: 1, query_len: 2, k: 3, method: lucene, backend: numpy, docs: 3, terms: 19, results: 3, hits: 1}
                  s5 app.semantic failed {} raised e1 codeintel_rev.errors.ModelUnavailableError: the index was made with vllm:hashed-words/64, the model here is vllm:hashed-words/7. Mend: codeintel-rev index REPO builds a new index with the present model
                    s6 app.request completed {}
                      s7 vllm.embed_batch completed {method: POST, host: 127.0.0.1, port: <port>, path: /v1/embeddings, mode: http, model: hashed-words, count: 1, status_code: 200, bytes: 159, outputs: 1, dim: 7}
                    s8 python.import completed {module: httpx2, version: <version>}
                  s9 duckdb.close completed {method: __exit__, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb}
                  s10 duckdb.connect completed {database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb, read_only: True}
                  s11 duckdb.cursor completed {method: cursor, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb}
                  s12 duckdb.fetch completed {method: fetchall, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb, rows: 1} links s13
                  s13 duckdb.query completed {sql_len: 118, sql_sha256: f79647e1…, op: SELECT, statements: ['SELECT'], method: execute, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb, result: connection}
                s14 duckdb.close completed {method: close, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb}
                s15 python.import completed {module: bm25s, version: <version>}
                s16 python.import completed {module: duckdb, version: <version>}
                s17 python.import completed {module: faiss, version: <version>}
            """,
            watched="bm25, duckdb, faiss, http_client, logging, seams, no others chosen",
            more="""
                handled: s5
            """,
        ),
    ),
    case(
        name="stream_cut",
        says="The connection closes in the middle of the answer.",
        call='search(embedding={"attempts": 1})',
        drive=search.cut,
        expect=script(
            """
                s1 app.search completed {}
                  s2 app.bm25 completed {}
                    s3 bm25.load completed {path: repo/.codeintel-rev/generations/<generation>/bm25, method: lucene, backend: numpy, docs: 3, terms: 19}
                    s4 bm25.search completed {queries: 1, query_len: 2, k: 3, method: lucene, backend: numpy, docs: 3, terms: 19, results: 3, hits: 1}
                  s5 app.semantic failed {} raised e1 codeintel_rev.errors.EmbeddingError: http://127.0.0.1:<port>/v1/embeddings cannot be reached: peer closed connection without sending complete message body (received 10 bytes, expected 1000), 1 times. Mend: start that server <- cause e2 codeintel_rev.errors.RemoteError, cause e3 codeintel_rev.io.vllm_client._Passing, cause e4 httpx2.RemoteProtocolError, cause e5 httpcore2.RemoteProtocolError, cause e6 h11._util.RemoteProtocolError
                    s6 app.request failed {} raised e3 codeintel_rev.io.vllm_client._Passing: http://127.0.0.1:<port>/v1/embeddings cannot be reached: peer closed connection without sending complete message body (received 10 bytes, expected 1000) <- cause e4 httpx2.RemoteProtocolError, cause e5 httpcore2.RemoteProtocolError, cause e6 h11._util.RemoteProtocolError
                      s7 vllm.embed_batch failed {method: POST, host: 127.0.0.1, port: <port>, path: /v1/embeddings, mode: http, model: hashed-words, count: 1, status_code: 200, bytes: 10} raised e4 httpx2.RemoteProtocolError: peer closed connection without sending complete message body (received 10 bytes, expected 1000) <- cause e5 httpcore2.RemoteProtocolError, cause e6 h11._util.RemoteProtocolError
                    s8 python.import completed {module: httpx2, version: <version>}
                  s9 duckdb.close completed {method: __exit__, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb}
                  s10 duckdb.connect completed {database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb, read_only: True}
                  s11 duckdb.cursor completed {method: cursor, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb}
                  s12 duckdb.fetch completed {method: fetchall, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb, rows: 1} links s13
                  s13 duckdb.query completed {sql_len: 118, sql_sha256: f79647e1…, op: SELECT, statements: ['SELECT'], method: execute, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb, result: connection}
                s14 duckdb.close completed {method: close, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb}
                s15 python.import completed {module: bm25s, version: <version>}
                s16 python.import completed {module: duckdb, version: <version>}
                s17 python.import completed {module: faiss, version: <version>}
            """,
            watched="bm25, duckdb, faiss, http_client, logging, seams, no others chosen",
            more="""
                handled: s5, s6, s7
            """,
        ),
    ),
    case(
        name="cancelled",
        says="The caller gives up, and the request is cancelled.",
        call=_CANCELLED,
        drive=search.served(hangs),
        expect=script(
            """
                s1 app.request failed {} (cancelled) raised e1 asyncio.exceptions.CancelledError: ''
                  s2 vllm.embed_batch failed {method: POST, host: 127.0.0.1, port: <port>, path: /v1/embeddings, mode: http, model: hashed-words, count: 1} (cancelled) raised e1 asyncio.exceptions.CancelledError: ''
                s3 python.import completed {module: bm25s, version: <version>}
                s4 python.import completed {module: duckdb, version: <version>}
                s5 python.import completed {module: faiss, version: <version>}
                s6 python.import completed {module: httpx2, version: <version>}
            """,
            watched="bm25, duckdb, faiss, http_client, logging, seams, no others chosen",
            more="""
                handled: s1, s2
            """,
        ),
    ),
)
