# ruff: noqa: E501 - a line of an expectation is a line of a report
"""The process: how it is killed, stopped, stuck, and left without disk, memory or a collector."""

from __future__ import annotations

from typing import Final

from . import drivers, machine
from .case import Case
from .frames import script

_LONG: Final = "select count(*) from range(1000000000) a, range(1000000000) b"
_SEARCH: Final = """\
import faiss
import numpy as np

index = faiss.IndexFlatL2(8)
index.add(np.eye(8, dtype="float32"))
QUERY = np.zeros((1, 8), dtype="float32")
"""


CASES: Final = (
    Case(
        name="process.sigkill",
        says="SIGKILL in the middle of a query.",
        exits=-9,
        script=f"""
            import os
            import signal
            import threading

            import duckdb

            connection = duckdb.connect()
            threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGKILL)).start()
            connection.execute("{_LONG}").fetchall()
        """,
        expect=script(
            """
                s1 python.import completed {module: duckdb, version: <version>}
                s2 duckdb.connect completed {}
                s3 duckdb.query in_flight {sql_len: 61, sql_sha256: afff764d…, op: SELECT, statements: ['SELECT'], method: execute}
            """,
            watched="duckdb, logging",
            signal=9,
        ),
    ),
    Case(
        name="process.sigterm_with_grace",
        says="SIGTERM; the application finishes what it is at, and ends by itself.",
        exits=0,
        script="""
            import os
            import signal
            import threading

            import duckdb

            stop = threading.Event()
            signal.signal(signal.SIGTERM, lambda *_: stop.set())
            connection = duckdb.connect()
            os.kill(os.getpid(), signal.SIGTERM)
            while not stop.is_set():
                pass
            connection.execute("select 1").fetchall()
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
        name="process.sigterm",
        says="SIGTERM without a handler, between two queries.",
        exits=-15,
        script="""
            import os
            import signal

            import duckdb

            connection = duckdb.connect()
            connection.execute("select 1").fetchall()
            os.kill(os.getpid(), signal.SIGTERM)
            connection.execute("select 2").fetchall()
        """,
        expect=script(
            """
                s1 python.import completed {module: duckdb, version: <version>}
                s2 duckdb.connect completed {}
                s3 duckdb.query completed {sql_len: 8, sql_sha256: 822ae07d…, op: SELECT, statements: ['SELECT'], method: execute, result: connection}
                s4 duckdb.fetch completed {method: fetchall, rows: 1} links s3
            """,
            watched="duckdb, logging",
            signal=15,
        ),
    ),
    Case(
        name="process.os_exit",
        says="os._exit(3): no handler, no clean-up.",
        exits=3,
        script="""
            import os

            import duckdb

            duckdb.connect().execute("select 1").fetchall()
            os._exit(3)
        """,
        expect="""
            run fault.py: failed
              proof: process.exit
              exit: code 3 [process.exit]
            stopped by no step failed: exit code 3
              proof: process.exit
            s1 python.import completed {module: duckdb, version: <version>}
            s2 duckdb.connect completed {}
            s3 duckdb.query completed {sql_len: 8, sql_sha256: 822ae07d…, op: SELECT, statements: ['SELECT'], method: execute, result: connection}
            s4 duckdb.fetch completed {method: fetchall, rows: 1} links s3
            p1: fault.py began, did not close, gone
            p2: fault.py joined, closed, gone
            watched in p1: duckdb, logging
        """,
    ),
    Case(
        name="process.out_of_memory",
        says="The kernel kills the process for its memory.",
        exits=-9,
        cannot=machine.no_memory_group,
        drive=drivers.out_of_memory,
        script=_SEARCH
        + """
index.search(QUERY, 1)
hoard = []
while True:
    hoard.append(b"x" * 10_000_000)
""",
        expect="""
            run sh: interrupted
              proof: process.exit
              exit: signal 9 [process.exit]
            s1 python.import completed {module: faiss, version: <version>}
            s2 faiss.add completed {n: 8, index_type: IndexFlatL2, d: 8, ntotal: 8, gpu: False}
            s3 faiss.search completed {nq: 1, k: 1, index_type: IndexFlatL2, d: 8, ntotal: 8, gpu: False, missing: 0}
            p1: fault.py began, did not close, gone
            p2: sh joined, closed, gone
            watched in p1: faiss, logging
        """,
    ),
    Case(
        name="process.dead_lock",
        says="A function called from SQL waits for a lock that nobody gives back; read while it hangs, and when it is killed.",
        exits=-9,
        drive=drivers.stuck,
        script="""
            import threading

            import duckdb

            lock = threading.Lock()
            lock.acquire()
            connection = duckdb.connect()


            def waits(number: int) -> int:
                with lock:
                    return number


            connection.create_function("waits", waits)
            connection.sql("select waits(1)").fetchall()
        """,
        expect="""
            -- while it is stuck
            run fault.py: in_progress
              proof: all of p1
              no end
            s1 python.import completed {module: duckdb, version: <version>}
            s2 duckdb.connect completed {}
            s3 duckdb.create_function completed {function: waits, method: create_function}
            s4 duckdb.query completed {sql_len: 15, sql_sha256: 5fec9806…, op: SELECT, statements: ['SELECT'], method: sql, result: relation}
            s5 duckdb.fetch in_flight {method: fetchall} links s4
              s6 duckdb.submit in_flight {sql_len: 15, sql_sha256: 5fec9806…, op: SELECT, statements: ['SELECT']}
            complete: False
            p1: fault.py began, did not close, alive
            watched in p1: duckdb, logging
            run fault.py: interrupted
              proof: process.exit
              exit: signal 9 [process.exit]
            s1 python.import completed {module: duckdb, version: <version>}
            s2 duckdb.connect completed {}
            s3 duckdb.create_function completed {function: waits, method: create_function}
            s4 duckdb.query completed {sql_len: 15, sql_sha256: 5fec9806…, op: SELECT, statements: ['SELECT'], method: sql, result: relation}
            s5 duckdb.fetch in_flight {method: fetchall} links s4
              s6 duckdb.submit in_flight {sql_len: 15, sql_sha256: 5fec9806…, op: SELECT, statements: ['SELECT']}
            p1: fault.py began, did not close, gone
            p2: fault.py joined, closed, gone
            watched in p1: duckdb, logging
        """,
    ),
    Case(
        name="process.disk_full",
        says="The application's disk is full.",
        script=_SEARCH
        + """
index.add(np.zeros((10_000, 8), dtype="float32"))
faiss.write_index(index, "/dev/full")
""",
        expect=script(
            """
                s1 python.import completed {module: faiss, version: <version>}
                s2 faiss.add completed {n: 8, index_type: IndexFlatL2, d: 8, ntotal: 8, gpu: False}
                s3 faiss.add completed {n: 10000, index_type: IndexFlatL2, d: 8, ntotal: 10008, gpu: False}
                s4 faiss.write_index failed {path: /dev/full, index_type: IndexFlatL2, d: 8, ntotal: 10008, gpu: False} raised e1 RuntimeError: Error in void faiss::write_index(const Index*, IOWriter*, int) at <source>: Error: 'ret == (size * 4)' failed: write error in /dev/full: 4051 != 320256 (No space left on device)
            """,
            watched="faiss, logging",
            code=1,
            stop="s4",
        ),
    ),
    Case(
        name="process.ledger_disk_full",
        says="The ledger's disk fills up, and has room again later; the application notices nothing.",
        exits=0,
        cannot=machine.no_root,
        drive=drivers.full_ledger,
        options=(),
        env={"CODEINTEL_OBS_CONTENT": "all"},
        script="""
            import os
            import time

            import duckdb

            LONG = "select 1 /* " + "x" * 4096 + " */"  # a record that needs a page of its own
            connection = duckdb.connect()
            connection.execute("select 1")
            with open(".codeintel/filler", "wb", buffering=0) as filler:
                try:
                    while filler.write(b"x" * 4096):
                        pass
                except OSError:
                    pass
            for _ in range(3):
                connection.execute(LONG)
            os.remove(".codeintel/filler")
            time.sleep(1.5)
            connection.execute("select 2")
            connection.close()
        """,
        expect="""
            -- from the full disk
            run fault.py: completed
              proof: process.exit, run.end
              exit: code 0 [process.exit]
            s1 python.import completed {module: duckdb, version: <version>}
            s2 duckdb.connect completed {}
            s3 duckdb.query completed {sql_len: 8, sql_sha256: 822ae07d…, sql: select 1, op: SELECT, statements: ['SELECT'], method: execute, result: connection}
            s4 duckdb.query completed {sql_len: 4111, op: SELECT, method: execute, statements: ['SELECT'], sql_sha256: 82be92db…, sql: select 1 /* x… [cut 2151 characters], result: connection}
            s5 duckdb.query completed {sql_len: 8, sql_sha256: 3cf988cc…, sql: select 2, op: SELECT, statements: ['SELECT'], method: execute, result: connection}
            s6 duckdb.close completed {method: close}
            complete: False
            integrity: {'torn_tail': ['<day>/$RUN.jsonl:11'], 'dropped': 4}
            p1: fault.py began, closed, gone
            p2: fault.py joined, closed, gone
            watched in p1: duckdb, logging
            warning: 4 records could not be written: ENOSPC [drop]
        """,
    ),
    Case(
        name="process.ledger_read_only",
        says="The telemetry directory is read-only: nothing is on record, and the application notices nothing.",
        exits=0,
        cannot=machine.no_root,
        drive=drivers.read_only,
        script=_SEARCH
        + """
index.search(QUERY, 1)
""",
        expect="""
            no run on record
        """,
    ),
    Case(
        name="process.collector_down",
        says="The collector is down, then back.",
        exits=0,
        drive=drivers.collector_comes_back,
        script=_SEARCH
        + """
import time

for _ in range(5):
    index.search(QUERY, 1)
    time.sleep(0.5)
""",
        expect=script(
            """
                s1 python.import completed {module: faiss, version: <version>}
                s2 faiss.add completed {n: 8, index_type: IndexFlatL2, d: 8, ntotal: 8, gpu: False}
                s3 faiss.search completed {nq: 1, k: 1, index_type: IndexFlatL2, d: 8, ntotal: 8, gpu: False, missing: 0}
                s4 faiss.search completed {nq: 1, k: 1, index_type: IndexFlatL2, d: 8, ntotal: 8, gpu: False, missing: 0}
                s5 faiss.search completed {nq: 1, k: 1, index_type: IndexFlatL2, d: 8, ntotal: 8, gpu: False, missing: 0}
                s6 faiss.search completed {nq: 1, k: 1, index_type: IndexFlatL2, d: 8, ntotal: 8, gpu: False, missing: 0}
                s7 faiss.search completed {nq: 1, k: 1, index_type: IndexFlatL2, d: 8, ntotal: 8, gpu: False, missing: 0}
            """,
            watched="faiss, http_client, logging",
        ),
    ),
    Case(
        name="process.same_run_id",
        says="The same run id twice: the first attempt fails, the second does not.",
        exits=0,
        drive=drivers.twice,
        script="""
            import duckdb

            open("file").close()
            duckdb.connect().execute("select 1")
        """,
        expect="""
            run fault.py: failed (attempt 1 of 2)
              proof: process.exit
              exit: code 1 [process.exit]
            stopped by no step failed: FileNotFoundError: [Errno 2] No such file or directory: 'file'
              proof: run.end, process.exit
              trail end: e1 FileNotFoundError in no step [none]
            s1 python.import completed {module: duckdb, version: <version>}
            p1: fault.py began, closed, gone
            p2: fault.py joined, closed, gone
            watched in p1: duckdb, logging
            run fault.py: completed (attempt 2 of 2)
              proof: process.exit, run.end
              exit: code 0 [process.exit]
            s1 python.import completed {module: duckdb, version: <version>}
            s2 duckdb.connect completed {}
            s3 duckdb.query completed {sql_len: 8, sql_sha256: 822ae07d…, op: SELECT, statements: ['SELECT'], method: execute, result: connection}
            p1: fault.py began, closed, gone
            p2: fault.py joined, closed, gone
            watched in p1: duckdb, logging
        """,
    ),
)
