# ruff: noqa: E501 - a line of an expectation is a line of a report
"""Channels of a search: what an answer lacks when one of them is absent, empty, or raises."""

from __future__ import annotations

from typing import Any, Final

from . import search, sentences
from .case import Case
from .frames import script


def refuses_to_rerank(behaviour: Any) -> None:
    behaviour.statuses = [(200, {}), (400, {})]


def case(name: str, says: str, call: str, expect: str, prepare: Any = search.indexed, **more: Any) -> Case:
    given = {"exits": 0, "drive": search.served(), **more}
    return Case(
        name=f"channels.{name}", says=says, options=search.CHOSEN, prepare=prepare, parallel=True,
        script=search.program(call), expect=expect, **given,
    )  # fmt: skip


CASES: Final = (
    case(
        name="bm25_absent",
        says="The lexical part of the index is not there: the answer comes from the vectors.",
        call="search()",
        prepare=search.without_bm25,
        expect=script(
            """
                s1 app.search completed {}
                  s2 app.bm25 failed {} raised e1 FileNotFoundError: [Errno 2] No such file or directory: 'repo/.codeintel-rev/generations/<generation>/bm25/params.index.json'
                    s3 bm25.load failed {path: repo/.codeintel-rev/generations/<generation>/bm25} raised e1 FileNotFoundError: [Errno 2] No such file or directory: 'repo/.codeintel-rev/generations/<generation>/bm25/params.index.json'
                  s4 app.semantic completed {}
                    s5 app.request completed {}
                      s6 vllm.embed_batch completed {method: POST, host: 127.0.0.1, port: <port>, path: /v1/embeddings, mode: http, model: hashed-words, count: 1, status_code: 200, bytes: 459, outputs: 1, dim: 64}
                    s7 faiss.read_index completed {path: repo/.codeintel-rev/generations/<generation>/vectors.faiss, index_type: IndexFlatIP, d: 64, ntotal: 3, gpu: False}
                    s8 faiss.search completed {nq: 1, k: 3, index_type: IndexFlatIP, d: 64, ntotal: 3, gpu: False, missing: 0}
                    s9 python.import completed {module: httpx2, version: <version>}
                  s10 duckdb.close completed {method: __exit__, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb}
                  s11 duckdb.connect completed {database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb, read_only: True}
                  s12 duckdb.cursor completed {method: cursor, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb}
                  s13 duckdb.fetch completed {method: fetchall, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb, rows: 3} links s14
                  s14 duckdb.query completed {sql_len: 118, sql_sha256: f79647e1…, op: SELECT, statements: ['SELECT'], method: execute, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb, result: connection}
                s15 duckdb.close completed {method: close, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb}
                s16 python.import completed {module: bm25s, version: <version>}
                s17 python.import completed {module: duckdb, version: <version>}
                s18 python.import completed {module: faiss, version: <version>}
            """,
            watched="bm25, duckdb, faiss, http_client, logging, seams, no others chosen",
            more="""
                handled: s2, s3
            """,
        ),
    ),
    case(
        name="zero_tokens",
        says="The query has no word: the lexical channel finds nothing, and fails at nothing.",
        call='search("!!!", {**WEIGHTS, "semantic": 0})',
        expect=script(
            """
                s1 app.search completed {}
                  s2 app.bm25 completed {}
                    s3 bm25.load completed {path: repo/.codeintel-rev/generations/<generation>/bm25, method: lucene, backend: numpy, docs: 3, terms: 19}
                s4 python.import completed {module: bm25s, version: <version>}
                s5 python.import completed {module: duckdb, version: <version>}
                s6 python.import completed {module: faiss, version: <version>}
            """,
            watched="bm25, duckdb, faiss, logging, seams, no others chosen",
        ),
    ),
    case(
        name="splade_missing",
        says="A SPLADE model is configured, and the index was made without.",
        call='search(weights={"exact": 0}, splade=SpladeSettings(model="/no/such/model"))',
        expect=script(
            """
                s1 app.search completed {}
                  s2 app.bm25 completed {}
                    s3 bm25.load completed {path: repo/.codeintel-rev/generations/<generation>/bm25, method: lucene, backend: numpy, docs: 3, terms: 19}
                    s4 bm25.search completed {queries: 1, query_len: 2, k: 3, method: lucene, backend: numpy, docs: 3, terms: 19, results: 3, hits: 1}
                  s5 app.semantic completed {}
                    s6 app.request completed {}
                      s7 vllm.embed_batch completed {method: POST, host: 127.0.0.1, port: <port>, path: /v1/embeddings, mode: http, model: hashed-words, count: 1, status_code: 200, bytes: 459, outputs: 1, dim: 64}
                    s8 faiss.read_index completed {path: repo/.codeintel-rev/generations/<generation>/vectors.faiss, index_type: IndexFlatIP, d: 64, ntotal: 3, gpu: False}
                    s9 faiss.search completed {nq: 1, k: 3, index_type: IndexFlatIP, d: 64, ntotal: 3, gpu: False, missing: 0}
                    s10 python.import completed {module: httpx2, version: <version>}
                  s11 app.splade failed {} raised e1 codeintel_rev.errors.ModelUnavailableError: this index was made without SPLADE. Mend: codeintel-rev index REPO builds a new index
                  s12 duckdb.close completed {method: __exit__, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb}
                  s13 duckdb.connect completed {database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb, read_only: True}
                  s14 duckdb.cursor completed {method: cursor, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb}
                  s15 duckdb.fetch completed {method: fetchall, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb, rows: 3} links s16
                  s16 duckdb.query completed {sql_len: 118, sql_sha256: f79647e1…, op: SELECT, statements: ['SELECT'], method: execute, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb, result: connection}
                s17 duckdb.close completed {method: close, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb}
                s18 python.import completed {module: bm25s, version: <version>}
                s19 python.import completed {module: duckdb, version: <version>}
                s20 python.import completed {module: faiss, version: <version>}
            """,
            watched="bm25, duckdb, faiss, http_client, logging, seams, no others chosen",
            more="""
                handled: s11
            """,
        ),
    ),
    sentences.case(
        name="splade_model_missing",
        says="The SPLADE model is not on this machine, and nothing may be downloaded.",
        program=sentences.NO_MODEL,
        expect=script(
            """
                s1 splade.load failed {model: no/such-model, model_class: SparseEncoder} raised e1 OSError: We couldn't connect to 'https://huggingface.co' to load the files, and couldn't find them in the cached files.\\nCheck your internet connection or see how to run the library in offline mode at 'https://huggingface.co/docs/transformers/installation#offline-mode'. <- cause e2 huggingface_hub.errors.LocalEntryNotFoundError
            """,
            watched="rerank, splade, no others chosen",
            code=1,
            stop="""
                stopped by s1 splade.load failed: OSError: We couldn't connect to 'https://huggingface.co' to load the files, and couldn't find them in the cached files.\\nCheck your internet connection or see how to run the library in offline mode at 'https://huggingface.co/docs/transformers/installation#offline-mode'.
                  proof: run.end, process.exit, step.end s1
                  trail end: e1 OSError in s1 [step.end s1]
                  trail cause: e2 huggingface_hub.errors.LocalEntryNotFoundError in no step [none]
            """,
        ),
    ),
    sentences.case(
        name="splade_worker_killed",
        says="The worker that encodes for SPLADE is killed.",
        program=sentences.WORKER,
        model="ForMaskedLM",
        expect="""
            run fault.py: failed
              proof: process.exit
              exit: code 1 [process.exit]
            stopped by no step failed: concurrent.futures.process.BrokenProcessPool: A process in the process pool was terminated abruptly while the future was running or pending.
              proof: writer.end, process.exit
              trail end: e1 concurrent.futures.process.BrokenProcessPool in no step [none]
            s1 splade.load completed {model: tiny-canary-model, model_class: SparseEncoder}
            s2 splade.encode in_flight {count: 500000, method: encode, batch_size: 8, model: tiny-canary-model, model_class: SparseEncoder}
            p1: python -c began, did not close, gone
            p2: fault.py joined, closed, gone
            p3: fault.py joined, closed, gone
            watched in p1: rerank, splade, no others chosen
            watched in p2: no others chosen
        """,
    ),
    sentences.case(
        name="cross_encoder_raises",
        says="The reranker raises; the answer is given in the order that it had.",
        program=sentences.UNRANKED,
        model="ForSequenceClassification",
        exits=0,
        expect=script(
            """
                s1 rerank.load completed {model: tiny-canary-model, model_class: CrossEncoder}
                s2 rerank.score failed {docs: 3, method: predict, model: tiny-canary-model, model_class: CrossEncoder} raised e1 ValueError: Unsupported input type: NoneType. Expected one of: str, dict, PIL.Image.Image, np.ndarray, torch.Tensor
            """,
            watched="rerank, splade, no others chosen",
            more="""
                handled: s2
            """,
        ),
    ),
    case(
        name="all_empty",
        says="No channel finds anything.",
        call='search("zzzqqq", {**WEIGHTS, "semantic": 0})',
        expect=script(
            """
                s1 app.search completed {}
                  s2 app.bm25 completed {}
                    s3 bm25.load completed {path: repo/.codeintel-rev/generations/<generation>/bm25, method: lucene, backend: numpy, docs: 3, terms: 19}
                s4 python.import completed {module: bm25s, version: <version>}
                s5 python.import completed {module: duckdb, version: <version>}
                s6 python.import completed {module: faiss, version: <version>}
            """,
            watched="bm25, duckdb, faiss, logging, seams, no others chosen",
        ),
    ),
    case(
        name="all_fail",
        says="No channel can answer: the search fails.",
        call="search(embedding={'attempts': 1})",
        prepare=search.without_bm25,
        drive=search.refused,
        exits=1,
        expect=script(
            """
                s1 app.search failed {} raised e1 codeintel_rev.errors.SearchFailedError: no channel could answer: semantic failed: http://127.0.0.1:<port>/v1/embeddings cannot be reached: All connection attempts failed, 1 times; bm25 failed: FileNotFoundError: [Errno 2] No such file or directory: 'repo/.codeintel-rev/generations/<generation>/bm25/params.index.json'; splade skipped: its weight for a query of kind natural is 0; exact skipped: its weight for a query of kind natural is 0. Mend: codeintel-rev index REPO builds a new index
                  s2 app.bm25 failed {} raised e2 FileNotFoundError: [Errno 2] No such file or directory: 'repo/.codeintel-rev/generations/<generation>/bm25/params.index.json'
                    s3 bm25.load failed {path: repo/.codeintel-rev/generations/<generation>/bm25} raised e2 FileNotFoundError: [Errno 2] No such file or directory: 'repo/.codeintel-rev/generations/<generation>/bm25/params.index.json'
                  s4 app.semantic failed {} raised e3 codeintel_rev.errors.EmbeddingError: http://127.0.0.1:<port>/v1/embeddings cannot be reached: All connection attempts failed, 1 times. Mend: start that server <- cause e4 codeintel_rev.errors.RemoteError, cause e5 codeintel_rev.io.vllm_client._Passing, cause e6 httpx2.ConnectError, cause e7 httpcore2.ConnectError, context e8 OSError, cause e9 ConnectionRefusedError
                    s5 app.request failed {} raised e5 codeintel_rev.io.vllm_client._Passing: http://127.0.0.1:<port>/v1/embeddings cannot be reached: All connection attempts failed <- cause e6 httpx2.ConnectError, cause e7 httpcore2.ConnectError, context e8 OSError, cause e9 ConnectionRefusedError
                      s6 vllm.embed_batch failed {method: POST, host: 127.0.0.1, port: <port>, path: /v1/embeddings, mode: http, model: hashed-words, count: 1} raised e6 httpx2.ConnectError: All connection attempts failed <- cause e7 httpcore2.ConnectError, context e8 OSError, cause e9 ConnectionRefusedError
                    s7 python.import completed {module: httpx2, version: <version>}
                s8 python.import completed {module: bm25s, version: <version>}
                s9 python.import completed {module: duckdb, version: <version>}
                s10 python.import completed {module: faiss, version: <version>}
            """,
            watched="bm25, duckdb, faiss, http_client, logging, seams, no others chosen",
            code=1,
            stop="s1",
            more="""
                handled: s2, s3, s4, s5, s6
            """,
        ),
    ),
    case(
        name="reranker_raises",
        says="The reranker refuses; the answer is returned in the order that it had.",
        call='search(rerank=RerankSettings("vllm", url=URL, model="judge"))',
        drive=search.served(refuses_to_rerank),
        expect=script(
            """
                s1 app.search completed {}
                  s2 app.bm25 completed {}
                    s3 bm25.load completed {path: repo/.codeintel-rev/generations/<generation>/bm25, method: lucene, backend: numpy, docs: 3, terms: 19}
                    s4 bm25.search completed {queries: 1, query_len: 2, k: 3, method: lucene, backend: numpy, docs: 3, terms: 19, results: 3, hits: 1}
                  s5 app.rerank failed {} raised e1 codeintel_rev.errors.RemoteError: http://127.0.0.1:<port>/v1/rerank said 400: busy
                    s6 app.request failed {} raised e1 codeintel_rev.errors.RemoteError: http://127.0.0.1:<port>/v1/rerank said 400: busy
                      s7 vllm.rerank completed {method: POST, host: 127.0.0.1, port: <port>, path: /v1/rerank, mode: http, model: judge, count: 3, status_code: 400, bytes: 4}
                  s8 app.semantic completed {}
                    s9 app.request completed {}
                      s10 vllm.embed_batch completed {method: POST, host: 127.0.0.1, port: <port>, path: /v1/embeddings, mode: http, model: hashed-words, count: 1, status_code: 200, bytes: 459, outputs: 1, dim: 64}
                    s11 faiss.read_index completed {path: repo/.codeintel-rev/generations/<generation>/vectors.faiss, index_type: IndexFlatIP, d: 64, ntotal: 3, gpu: False}
                    s12 faiss.search completed {nq: 1, k: 3, index_type: IndexFlatIP, d: 64, ntotal: 3, gpu: False, missing: 0}
                    s13 python.import completed {module: httpx2, version: <version>}
                  s14 duckdb.close completed {method: __exit__, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb}
                  s15 duckdb.connect completed {database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb, read_only: True}
                  s16 duckdb.cursor completed {method: cursor, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb}
                  s17 duckdb.fetch completed {method: fetchall, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb, rows: 3} links s18
                  s18 duckdb.query completed {sql_len: 118, sql_sha256: f79647e1…, op: SELECT, statements: ['SELECT'], method: execute, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb, result: connection}
                s19 duckdb.close completed {method: close, database: repo/.codeintel-rev/generations/<generation>/catalog.duckdb}
                s20 python.import completed {module: bm25s, version: <version>}
                s21 python.import completed {module: duckdb, version: <version>}
                s22 python.import completed {module: faiss, version: <version>}
            """,
            watched="bm25, duckdb, faiss, http_client, logging, seams, no others chosen",
            more="""
                handled: s5, s6
            """,
        ),
    ),
)
