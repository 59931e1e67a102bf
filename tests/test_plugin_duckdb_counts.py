"""Row counts that a DuckDB connection keeps: told of the call that left them, and of no other."""

from __future__ import annotations

import contextlib
import sys
import threading

import duckdb
import pytest

from codeintel_obs.plugins.duckdb.instrumentor import DuckDBInstrumentor
from codeintel_obs.testing import recording

IS_2 = not duckdb.__version__.startswith("1.")


@pytest.fixture
def told():
    with recording(DuckDBInstrumentor, content="all") as told:
        yield told


@pytest.fixture
def often_switched():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def test_a_row_count_is_told_of_the_call_that_left_it_only(told, often_switched):
    """Threads that share a connection find each other's counts on it: a count that may be another's is not told."""
    con = duckdb.connect()
    con.execute("create table t(i int)")

    def insert(rows):
        done = 0
        while done < 40:
            with contextlib.suppress(duckdb.Error):  # 2.0 refuses a connection that is at work
                con.execute(f"insert into t select range from range({rows})")
                done += 1

    threads = [threading.Thread(target=insert, args=(rows,)) for rows in (1, 2, 100_000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    said = [told.payload(step) for step in told.of("duckdb.query") if step.status == "completed"]
    counted = {(each["sql"], each["affected"]) for each in said if "affected" in each}
    assert counted <= {(f"insert into t select range from range({rows})", rows) for rows in (1, 2, 100_000)}


def test_a_failed_query_takes_no_count_from_the_next_one(told):
    """A call that raised is over: the next one on its connection is alone on it."""
    con = duckdb.connect()
    con.execute("create table t(i int)")
    with pytest.raises(duckdb.Error):
        con.execute("insert into t values ('no number')")
    con.execute("insert into t values (1), (2)")
    assert told.payload(told.of("duckdb.query")[-1]).get("affected") == (2 if IS_2 else None)  # 1.x counts no rows
