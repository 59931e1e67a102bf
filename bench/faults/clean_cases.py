# ruff: noqa: E501 - a line of an expectation is a line of a report
"""Clean controls: nothing goes wrong, and no report says that anything did."""

from __future__ import annotations

from typing import Final

from .case import Case
from .frames import script
from .git_cases import repository

CASES: Final = (
    Case(
        name="clean.faiss",
        says="Train, add, write, read and search.",
        sort="control",
        exits=0,
        script="""
            import faiss
            import numpy as np

            index = faiss.index_factory(8, "IVF2,Flat")
            index.cp.min_points_per_centroid = 1
            index.train(np.eye(8, dtype="float32"))
            index.add(np.eye(8, dtype="float32"))
            faiss.write_index(index, "index.faiss")
            faiss.read_index("index.faiss").search(np.zeros((2, 8), dtype="float32"), 1)
        """,
        expect=script(
            """
                s1 python.import completed {module: faiss, version: <version>}
                s2 faiss.index_factory completed {d: 8, factory: IVF2,Flat, index_type: IndexIVFFlat, ntotal: 0, gpu: False}
                s3 faiss.train completed {n: 8, index_type: IndexIVFFlat, d: 8, ntotal: 0, gpu: False, is_trained: True}
                s4 faiss.add completed {n: 8, index_type: IndexIVFFlat, d: 8, ntotal: 8, gpu: False}
                s5 faiss.write_index completed {path: index.faiss, index_type: IndexIVFFlat, d: 8, ntotal: 8, gpu: False}
                s6 faiss.read_index completed {path: index.faiss, index_type: IndexIVFFlat, d: 8, ntotal: 8, gpu: False}
                s7 faiss.search completed {nq: 2, k: 1, index_type: IndexIVFFlat, d: 8, ntotal: 8, gpu: False, nprobe: 1, missing: 0}
            """,
            watched="faiss, logging",
        ),
    ),
    Case(
        name="clean.duckdb",
        says="A transaction, a query and its rows.",
        sort="control",
        exits=0,
        script="""
            import duckdb

            with duckdb.connect("shop.duckdb") as connection:
                connection.begin()
                connection.execute("create table books (name text)")
                connection.executemany("insert into books values (?)", [["one"], ["two"]])
                connection.commit()
                connection.sql("select * from books").fetchall()
        """,
        expect=script(
            """
                s1 python.import completed {module: duckdb, version: <version>}
                s2 duckdb.connect completed {database: shop.duckdb}
                s3 duckdb.begin completed {method: begin, database: shop.duckdb}
                s4 duckdb.query completed {sql_len: 30, sql_sha256: 94748473…, op: CREATE, statements: ['CREATE'], method: execute, database: shop.duckdb, result: connection}
                s5 duckdb.query completed {sql_len: 28, sql_sha256: 4fd7f710…, op: INSERT, statements: ['INSERT'], method: executemany, database: shop.duckdb, parameter_sets: 2, result: connection, affected: 2}
                s6 duckdb.commit completed {method: commit, database: shop.duckdb}
                s7 duckdb.query completed {sql_len: 19, sql_sha256: 1740af47…, op: SELECT, statements: ['SELECT'], method: sql, database: shop.duckdb, result: relation}
                s8 duckdb.fetch completed {method: fetchall, database: shop.duckdb, rows: 2} links s7
                  s9 duckdb.submit completed {sql_len: 19, sql_sha256: 1740af47…, op: SELECT, statements: ['SELECT'], database: shop.duckdb}
                s10 duckdb.close completed {method: __exit__, database: shop.duckdb}
            """,
            watched="duckdb, logging",
        ),
    ),
    Case(
        name="clean.git",
        says="History and blame.",
        sort="control",
        exits=0,
        prepare=repository,
        script="""
            import git

            with git.Repo("shop") as repo:
                list(repo.iter_commits("HEAD"))
                repo.blame("HEAD", "pay.py")
        """,
        expect=script(
            """
                s1 python.import completed {module: git, version: <version>}
                  s2 git.process completed {subcommand: version, arguments: 0, pid: <pid>, exit_code: 0, stdout_len: <stdout_len>}
                  s3 git.process completed {subcommand: version, arguments: 0, pid: <pid>, exit_code: 0, stdout_len: <stdout_len>}
                s4 git.open completed {path: shop, repository: $CASE/shop, bare: False}
                s5 git.history completed {repository: $CASE/shop, range: HEAD, items: 1}
                  s6 git.process completed {subcommand: rev-list, arguments: 2, streamed: True, cwd: $CASE/shop, pid: <pid>, exit_code: 0}
                s7 git.blame completed {repository: $CASE/shop, range: HEAD, path: pay.py, items: 1, lines: 2}
                  s8 git.process completed {subcommand: blame, options: ['-p'], arguments: 4, cwd: $CASE/shop, pid: <pid>, exit_code: 0, stdout_len: 349}
            """,
            watched="git, logging",
        ),
    ),
    Case(
        name="clean.expected_error",
        says="A file that may be missing is missing, and no watched library is concerned.",
        sort="control",
        exits=0,
        script="""
            import duckdb

            try:
                open("nowhere")
            except FileNotFoundError:
                duckdb.connect().close()
        """,
        expect=script(
            """
                s1 python.import completed {module: duckdb, version: <version>}
                s2 duckdb.connect completed {}
                s3 duckdb.close completed {method: close}
            """,
            watched="duckdb, logging",
        ),
    ),
    Case(
        name="clean.threads",
        says="Searches in four threads, one after the other.",
        sort="control",
        exits=0,
        script="""
            import threading

            import faiss
            import numpy as np

            index = faiss.IndexFlatL2(8)
            index.add(np.eye(8, dtype="float32"))
            for _ in range(4):
                thread = threading.Thread(target=index.search, args=(np.zeros((1, 8), dtype="float32"), 1))
                thread.start()
                thread.join()
        """,
        expect=script(
            """
                s1 python.import completed {module: faiss, version: <version>}
                s2 faiss.add completed {n: 8, index_type: IndexFlatL2, d: 8, ntotal: 8, gpu: False}
                s3 faiss.search completed {nq: 1, k: 1, index_type: IndexFlatL2, d: 8, ntotal: 8, gpu: False, missing: 0}
                s4 faiss.search completed {nq: 1, k: 1, index_type: IndexFlatL2, d: 8, ntotal: 8, gpu: False, missing: 0}
                s5 faiss.search completed {nq: 1, k: 1, index_type: IndexFlatL2, d: 8, ntotal: 8, gpu: False, missing: 0}
                s6 faiss.search completed {nq: 1, k: 1, index_type: IndexFlatL2, d: 8, ntotal: 8, gpu: False, missing: 0}
            """,
            watched="faiss, logging",
        ),
    ),
    Case(
        name="clean.logging",
        says="The application logs errors that are none.",
        sort="control",
        exits=0,
        script="""
            import logging

            import duckdb

            logging.basicConfig()
            logging.getLogger("shop").error("0 errors so far")
            duckdb.connect().close()
        """,
        expect=script(
            """
                s1 python.import completed {module: duckdb, version: <version>}
                s2 duckdb.connect completed {}
                s3 duckdb.close completed {method: close}
            """,
            watched="duckdb, logging",
            more="""
                log ERROR shop: 0 errors so far [log]
            """,
        ),
    ),
    Case(
        name="clean.early_exit",
        says="SystemExit with code 0 inside a try.",
        sort="control",
        exits=0,
        script="""
            import sys

            import duckdb

            connection = duckdb.connect()
            try:
                connection.execute("select 1").fetchall()
                sys.exit(0)
            finally:
                connection.close()
        """,
        expect=script(
            """
                s1 python.import completed {module: duckdb, version: <version>}
                s2 duckdb.connect completed {}
                s3 duckdb.query completed {sql_len: 8, sql_sha256: 822ae07d…, op: SELECT, statements: ['SELECT'], method: execute, result: connection}
                s4 duckdb.fetch completed {method: fetchall, rows: 1} links s3
                s5 duckdb.close completed {method: close}
            """,
            watched="duckdb, logging",
        ),
    ),
    Case(
        name="clean.child_process",
        says="A Python child works in the same run.",
        sort="control",
        exits=0,
        script="""
            import subprocess
            import sys

            import duckdb

            duckdb.connect("shop.duckdb").close()
            subprocess.run([sys.executable, "-c", "import duckdb; duckdb.connect('shop.duckdb').close()"], check=True)
        """,
        expect="""
            run fault.py: completed
              proof: process.exit, run.end
              exit: code 0 [process.exit]
            s1 python.import completed {module: duckdb, version: <version>}
            s2 duckdb.connect completed {database: shop.duckdb}
            s3 duckdb.close completed {method: close, database: shop.duckdb}
            s4 python.import completed {module: duckdb, version: <version>} in p2
            s5 duckdb.connect completed {database: shop.duckdb} in p2
            s6 duckdb.close completed {method: close, database: shop.duckdb} in p2
            p1: fault.py began, closed, gone
            p2: python -c joined, closed, gone
            p3: fault.py joined, closed, gone
            watched in p1: duckdb, logging
            watched in p2: duckdb, logging
        """,
    ),
    Case(
        name="clean.nothing_watched",
        says="A program that uses none of the watched libraries, and leaves nothing to tell.",
        sort="control",
        exits=0,
        script="""
            print("hello")
        """,
        expect="""
            run fault.py: completed
              proof: process.exit, run.end
              exit: code 0 [process.exit]
            p1: fault.py began, closed, gone
        """,
    ),
    Case(
        name="clean.asyncio",
        says="Two tasks, each with a query of its own in a thread.",
        sort="control",
        exits=0,
        script="""
            import asyncio

            import duckdb


            async def main():
                with duckdb.connect() as connection:
                    for number in range(2):
                        await asyncio.to_thread(connection.execute, f"select {number}")


            asyncio.run(main())
        """,
        expect=script(
            """
                s1 python.import completed {module: duckdb, version: <version>}
                s2 duckdb.connect completed {}
                s3 duckdb.query completed {sql_len: 8, sql_sha256: 7cb54edf…, op: SELECT, statements: ['SELECT'], method: execute, result: connection}
                s4 duckdb.query completed {sql_len: 8, sql_sha256: 822ae07d…, op: SELECT, statements: ['SELECT'], method: execute, result: connection}
                s5 duckdb.close completed {method: __exit__}
            """,
            watched="duckdb, logging",
        ),
    ),
)
