# ruff: noqa: E501 - a line of an expectation is a line of a report
"""DuckDB: what goes wrong with a database file, a statement, a fetch, and a connection that is shared."""

from __future__ import annotations

from typing import Final

from .case import Case
from .frames import script

_LOCK: Final = """\
import subprocess, sys, time
import duckdb

HOLD = "import duckdb, sys; c = duckdb.connect('shop.duckdb'); print(flush=True); sys.stdin.read()"
duckdb.connect("shop.duckdb").close()
holder = subprocess.Popen([sys.executable, "-S", "-c", HOLD], stdin=-1, stdout=-1, env={"PYTHONPATH": ":".join(sys.path)})
holder.stdout.readline()
"""


CASES: Final = (
    Case(
        name="duckdb.file_missing",
        says="The database is not there, and may not be made.",
        script="""
            import duckdb

            duckdb.connect("nowhere.duckdb", read_only=True)
        """,
        expect=script(
            """
                s1 python.import completed {module: duckdb, version: <version>}
                s2 duckdb.connect failed {database: nowhere.duckdb, read_only: True} raised e1 _duckdb.IOException: IO Error: Cannot open database "$CASE/nowhere.duckdb" in read-only mode: database does not exist
            """,
            watched="duckdb, logging",
            code=1,
            stop="s2",
        ),
    ),
    Case(
        name="duckdb.unreadable",
        says="The path leads through a file: nobody can open it.",
        script="""
            import duckdb

            open("file", "w").close()
            duckdb.connect("file/shop.duckdb")
        """,
        expect=script(
            """
                s1 python.import completed {module: duckdb, version: <version>}
                s2 duckdb.connect failed {database: file/shop.duckdb} raised e1 _duckdb.IOException: IO Error: Cannot open file "$CASE/file/shop.duckdb": Not a directory
            """,
            watched="duckdb, logging",
            code=1,
            stop="s2",
        ),
    ),
    Case(
        name="duckdb.locked_and_recovered",
        says="Another process holds the database; it lets go, and the second try succeeds.",
        exits=0,
        script=_LOCK
        + """
for attempt in range(2):
    try:
        duckdb.connect("shop.duckdb").close()
    except duckdb.IOException:
        holder.communicate()
""",
        expect=script(
            """
                s1 python.import completed {module: duckdb, version: <version>}
                s2 duckdb.connect completed {database: shop.duckdb}
                s3 duckdb.close completed {method: close, database: shop.duckdb}
                s4 duckdb.connect failed {database: shop.duckdb} raised e1 _duckdb.IOException: IO Error: Could not set lock on file "$CASE/shop.duckdb": Conflicting lock is held in $PYTHON (PID <pid>). See also https://duckdb.org/docs/current/connect/concurrency
                s5 duckdb.connect completed {database: shop.duckdb}
                s6 duckdb.close completed {method: close, database: shop.duckdb}
            """,
            watched="duckdb, logging",
            more="""
                handled: s4
                recovered: duckdb.connect s4 by s5 [step.begin s4, step.end s4, step.begin s5, step.end s5]
            """,
        ),
    ),
    Case(
        name="duckdb.locked",
        says="Another process holds the database, at both tries.",
        script=_LOCK
        + """
try:
    try:
        duckdb.connect("shop.duckdb")
    except duckdb.IOException:
        time.sleep(0.1)
    duckdb.connect("shop.duckdb")
finally:
    holder.communicate()
""",
        expect=script(
            """
                s1 python.import completed {module: duckdb, version: <version>}
                s2 duckdb.connect completed {database: shop.duckdb}
                s3 duckdb.close completed {method: close, database: shop.duckdb}
                s4 duckdb.connect failed {database: shop.duckdb} raised e2 _duckdb.IOException: IO Error: Could not set lock on file "$CASE/shop.duckdb": Conflicting lock is held in $PYTHON (PID <pid>). See also https://duckdb.org/docs/current/connect/concurrency
                s5 duckdb.connect failed {database: shop.duckdb} raised e1 _duckdb.IOException: IO Error: Could not set lock on file "$CASE/shop.duckdb": Conflicting lock is held in $PYTHON (PID <pid>). See also https://duckdb.org/docs/current/connect/concurrency
            """,
            watched="duckdb, logging",
            code=1,
            stop="s5",
            more="""
                handled: s4
            """,
        ),
    ),
    Case(
        name="duckdb.missing_table",
        says="A query names a table that is not there.",
        script="""
            import duckdb

            duckdb.connect().execute("select * from nothing")
        """,
        expect=script(
            """
                s1 python.import completed {module: duckdb, version: <version>}
                s2 duckdb.connect completed {}
                s3 duckdb.query failed {sql_len: 21, sql_sha256: 9008369b…, op: SELECT, statements: ['SELECT'], method: execute} raised e1 _duckdb.CatalogException: Catalog Error: Table with name […] does not exist!
            """,
            watched="duckdb, logging",
            code=1,
            stop="s3",
        ),
    ),
    Case(
        name="duckdb.late_error",
        says="The statement begins well; the error comes with the rows, in the fetch.",
        script="""
            import duckdb

            found = duckdb.connect().sql("select 1 / 0 as a, (i || 'x')::int as b from range(300000) t(i)")
            found.fetchall()
        """,
        expect=script(
            """
                s1 python.import completed {module: duckdb, version: <version>}
                s2 duckdb.connect completed {}
                s3 duckdb.query completed {sql_len: 63, sql_sha256: 1b2d4025…, op: SELECT, statements: ['SELECT'], method: sql, result: relation}
                s4 duckdb.fetch failed {method: fetchall} links s3 raised e1 _duckdb.ConversionException: Conversion Error: Could not convert string […] to […]
                  s5 duckdb.submit failed {sql_len: 63, sql_sha256: 1b2d4025…, op: SELECT, statements: ['SELECT']} raised e1 _duckdb.ConversionException: Conversion Error: Could not convert string […] to […]
            """,
            watched="duckdb, logging",
            code=1,
            stop="s5",
        ),
    ),
    Case(
        name="duckdb.interrupted",
        says="Another thread interrupts a query.",
        script="""
            import threading

            import duckdb

            connection = duckdb.connect()
            connection.execute("set threads = 1")
            threading.Timer(0.3, connection.interrupt).start()
            connection.execute("select count(*) from range(1000000000) a, range(1000000000) b").fetchall()
        """,
        expect=script(
            """
                s1 python.import completed {module: duckdb, version: <version>}
                s2 duckdb.connect completed {}
                s3 duckdb.query completed {sql_len: 15, sql_sha256: 8949e956…, op: SET, statements: ['SET'], method: execute, result: connection}
                s4 duckdb.query failed {sql_len: 61, sql_sha256: afff764d…, op: SELECT, statements: ['SELECT'], method: execute} raised e1 _duckdb.InterruptException: INTERRUPT Error: Interrupted!
                s5 duckdb.interrupt completed {method: interrupt}
            """,
            watched="duckdb, logging",
            code=1,
            stop="s4",
        ),
    ),
    Case(
        name="duckdb.time_out",
        says="A query runs into the time limit that the connection sets.",
        script="""
            import duckdb

            connection = duckdb.connect()
            connection.execute("set max_execution_time = 200")
            connection.execute("select count(*) from range(1000000000) a, range(1000000000) b").fetchall()
        """,
        expect=script(
            """
                s1 python.import completed {module: duckdb, version: <version>}
                s2 duckdb.connect completed {}
                s3 duckdb.query completed {sql_len: 28, sql_sha256: 71e8b82f…, op: SET, statements: ['SET'], method: execute, result: connection}
                s4 duckdb.query timed_out {sql_len: 61, sql_sha256: afff764d…, op: SELECT, statements: ['SELECT'], method: execute} raised e1 _duckdb.InterruptException: INTERRUPT Error: Query exceeded maximum execution time
            """,
            watched="duckdb, logging",
            code=1,
            stop="s4",
        ),
    ),
    Case(
        name="duckdb.out_of_memory",
        says="A query needs more memory than the connection may have, and there is no disk to spill to.",
        script="""
            import duckdb

            connection = duckdb.connect()
            connection.execute("set memory_limit = '20MB'; set temp_directory = ''; set threads = 1")
            connection.execute("select list(i) from range(20000000) t(i)").fetchall()
        """,
        expect=script(
            """
                s1 python.import completed {module: duckdb, version: <version>}
                s2 duckdb.connect completed {}
                s3 duckdb.query completed {sql_len: 67, sql_sha256: 7134084b…, op: SET, statements: ['SET', 'SET', 'SET'], method: execute, result: connection}
                s4 duckdb.query failed {sql_len: 40, sql_sha256: da4d8945…, op: SELECT, statements: ['SELECT'], method: execute} raised e1 _duckdb.OutOfMemoryException: Out of Memory Error: failed to allocate data of size […] used)
            """,
            watched="duckdb, logging",
            code=1,
            stop="s4",
        ),
    ),
    Case(
        name="duckdb.corrupt_file",
        says="What should be a database is something else.",
        script="""
            import duckdb

            with open("shop.duckdb", "wb") as file:
                file.write(b"no database at all" * 1000)
            duckdb.connect("shop.duckdb")
        """,
        expect=script(
            """
                s1 python.import completed {module: duckdb, version: <version>}
                s2 duckdb.connect failed {database: shop.duckdb} raised e1 _duckdb.IOException: IO Error: The file "$CASE/shop.duckdb" exists, but it is not a valid DuckDB database file!
            """,
            watched="duckdb, logging",
            code=1,
            stop="s2",
        ),
    ),
    Case(
        name="duckdb.cursor_dropped",
        says="A cursor is dropped half way: no error, and the rows that were fetched are counted.",
        exits=0,
        script="""
            import duckdb

            connection = duckdb.connect()
            cursor = connection.cursor()
            cursor.execute("select i from range(100000) t(i)")
            cursor.fetchmany(10)
            del cursor
            connection.execute("select 42").fetchone()
            connection.close()
        """,
        expect=script(
            """
                s1 python.import completed {module: duckdb, version: <version>}
                s2 duckdb.connect completed {}
                s3 duckdb.cursor completed {method: cursor}
                s4 duckdb.query completed {sql_len: 32, sql_sha256: 6a5a70f4…, op: SELECT, statements: ['SELECT'], method: execute, result: connection}
                s5 duckdb.fetch completed {method: fetchmany, size: 10, rows: 10} links s4
                s6 duckdb.query completed {sql_len: 9, sql_sha256: 24e7b17c…, op: SELECT, statements: ['SELECT'], method: execute, result: connection}
                s7 duckdb.fetch completed {method: fetchone, rows: 1} links s6
                s8 duckdb.close completed {method: close}
            """,
            watched="duckdb, logging",
        ),
    ),
)
