"""DuckDB steps: kinds, payloads, links between them, and how they end."""

from __future__ import annotations

import contextlib
import hashlib
import threading

import duckdb
import numpy as np
import pytest

from codeintel_obs.plugins.duckdb.instrumentor import DuckDBInstrumentor
from codeintel_obs.testing import recording

IS_2 = not duckdb.__version__.startswith("1.")


@pytest.fixture
def told():
    with recording(DuckDBInstrumentor, content="all") as told:
        yield told


def links(step):
    return [link.span_id for link in step.links]


def test_a_query_names_its_statements_and_is_identified_by_the_hash_of_its_text(told):
    """Op and statements are the words they begin with; the text's length and SHA-256 identify it."""
    con = duckdb.connect()
    text = "create table t(i int); insert into t values (1)"
    con.execute(text)
    step = told.only("duckdb.query")
    payload = told.payload(step)
    assert (step.status, step.source) == ("completed", "duckdb")
    assert payload.pop("affected", None) == (1 if IS_2 else None)
    assert payload == {
        "sql_len": len(text),
        "sql_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "sql": text,
        "op": "CREATE",
        "statements": ["CREATE", "INSERT"],
        "method": "execute",
        "result": "connection",
    }


def test_a_parsed_statement_says_its_own_type(told):
    """A Statement object is told by the library's type of it."""
    con = duckdb.connect()
    (statement,) = con.extract_statements("from range(3)")
    con.execute(statement)
    payload = told.payload(told.only("duckdb.query"))
    assert (payload["op"], payload["statements"]) == ("SELECT", ["SELECT"])


def test_executemany_counts_the_sets_of_parameters_and_records_none(told):
    """The parameters are counted where that consumes nothing, and never written."""
    con = duckdb.connect()
    con.execute("create table t(s varchar)")
    con.executemany("insert into t values (?)", [["canary-1"], ["canary-2"]])
    step = told.of("duckdb.query")[-1]
    assert told.payload(step)["parameter_sets"] == 2
    assert "canary" not in repr(told.payload(step))


def test_connect_tells_the_database_and_later_steps_repeat_it(told, tmp_path):
    """The database is what connect was given; queries, cursors and relations of it say it again."""
    path = tmp_path / "a.db"
    with duckdb.connect(str(path), config={"threads": 1}) as con:
        con.cursor().execute("select 1")
        con.sql("select 2").fetchall()
    connect = told.payload(told.only("duckdb.connect"))
    assert connect == {"database": str(path), "config": ["threads"]}
    assert [told.payload(step)["database"] for step in told.steps] == [str(path)] * len(told.steps)
    assert told.kinds[-1] == "duckdb.close"


def test_a_bad_path_fails_in_connect(told, tmp_path):
    """A database that cannot be opened is a failed duckdb.connect with the library's own error."""
    with pytest.raises(duckdb.IOException):
        duckdb.connect(str(tmp_path / "absent" / "a.db"))
    step = told.only("duckdb.connect")
    assert step.status == "failed"
    assert step.error.type.endswith("IOException")
    assert "absent" in step.error.message


@pytest.mark.parametrize("fetch", ["fetchall", "fetchone", "fetchmany", "fetchnumpy"])
def test_a_fetch_links_its_query_and_counts_rows(told, fetch):
    """Whatever fetches a connection's rows links the query they come from."""
    con = duckdb.connect()
    con.execute("select 1")
    con.execute("select 2 as a")
    getattr(con, fetch)()
    step = told.only("duckdb.fetch")
    assert links(step) == [told.of("duckdb.query")[-1].span_id]
    assert (told.payload(step)["rows"], told.payload(step)["method"]) == (1, fetch)


def test_an_exhausted_fetchone_has_no_row(told):
    """None from fetchone is no row, and fetchmany tells how many were asked for and how many came."""
    con = duckdb.connect()
    con.execute("select * from range(3)")
    assert len(con.fetchmany(2)) == 2
    assert (con.fetchone(), con.fetchone()) == ((2,), None)
    told_rows = [(told.payload(step).get("size"), told.payload(step)["rows"]) for step in told.of("duckdb.fetch")]
    assert told_rows == [(2, 2), (None, 1), (None, 0)]


def test_module_functions_are_steps_on_the_default_connection(told):
    """duckdb.execute leads what is fetched through the module and through the connection that it hands out."""
    default = duckdb.execute("select 41")
    assert duckdb.fetchall() == [(41,)]
    assert duckdb.execute("select 42") is default
    assert default.fetchall() == [(42,)]
    assert duckdb.execute("select 43").fetchall() == [(43,)]
    queries, fetches = told.of("duckdb.query"), told.of("duckdb.fetch")
    assert [links(step) for step in fetches] == [[step.span_id] for step in queries]


def test_another_default_connection_brings_its_own_query_along(told):
    """After set_default_connection the module's fetch is of that connection's query."""
    before, con = duckdb.default_connection(), duckdb.connect()
    con.execute("select 1")
    duckdb.set_default_connection(con)
    assert duckdb.fetchall() == [(1,)]
    duckdb.set_default_connection(before)
    assert links(told.only("duckdb.fetch")) == [told.only("duckdb.query").span_id]


def test_a_module_function_links_by_the_connection_it_is_given(told):
    """The keyword argument connection decides whose query a fetch links."""
    con = duckdb.connect()
    con.execute("select 1")
    duckdb.execute("select 2")
    assert duckdb.fetchall(connection=con) == [(1,)]
    duckdb.fetchall()
    assert [links(step) for step in told.of("duckdb.fetch")] == [[step.span_id] for step in told.of("duckdb.query")]


def test_module_df_makes_a_step_of_its_own_name(told):
    """duckdb.df fetches the default connection's rows; the step says df, since it could have made a relation."""
    duckdb.execute("select 1 as a")
    if not _has("pandas"):
        with pytest.raises((ModuleNotFoundError, duckdb.Error)):
            duckdb.df()
        assert told.only("duckdb.df").status == "failed"
    else:
        duckdb.df()
        assert told.payload(told.only("duckdb.df"))["rows"] == 1
    assert links(told.only("duckdb.df")) == [told.only("duckdb.query").span_id]


def _has(name):
    from importlib.util import find_spec

    return find_spec(name) is not None


def test_a_relation_links_the_query_that_made_it_through_all_that_is_derived(told):
    """con.sql runs nothing; what runs later links it, also from a relation derived from it."""
    con = duckdb.connect()
    relation = con.sql("select * from range(5) t(i)").filter("i > 2").order("i")
    assert relation.fetchall() == [(3,), (4,)]
    query = told.only("duckdb.query")
    assert told.payload(query)["result"] == "relation"
    assert [links(step) for step in told.of("duckdb.relation")] == [[query.span_id]] * 2
    fetch = told.only("duckdb.fetch")
    assert (links(fetch), told.payload(fetch)["rows"]) == ([query.span_id], 2)


def test_len_shape_and_repr_of_a_relation_are_steps(told):
    """They run queries, so they are told, each once."""
    con = duckdb.connect()
    relation = con.sql("select * from range(7) t(i)")
    assert (len(relation), relation.shape, "i" in repr(relation)) == (7, (7, 1), True)
    kinds = [kind for kind in told.kinds if kind not in {"duckdb.submit", "duckdb.connect", "duckdb.query"}]
    assert kinds == ["duckdb.len", "duckdb.shape", "duckdb.show"]
    assert told.payload(told.only("duckdb.shape"))["columns"] == 1


def test_describing_runs_no_query_of_ours(told):
    """A relation whose run is counted by a sequence was run as often as the application asked for it."""
    con = duckdb.connect()
    con.execute("create sequence s")
    relation = con.sql("select nextval('s') as n")
    relation.fetchall()
    ran = con.execute("select currval('s')").fetchone()
    del relation
    assert ran == (1,)


def test_the_funnel_of_2_0_tells_what_a_relation_hands_to_the_engine(told):
    """On 2.0 each statement of a relation is a duckdb.submit under the step that asked; before, there is no funnel."""
    con = duckdb.connect()
    con.sql("select 42 as a").fetchall()
    submits = told.of("duckdb.submit")
    if IS_2:
        assert [step.parent_span_id for step in submits] == [told.only("duckdb.fetch").span_id]
        assert "select 42" in told.payload(submits[0])["sql"]
    else:
        assert submits == []


def test_a_late_error_is_a_failed_fetch_that_links_its_query(told):
    """DuckDB streams: the query completed, and the fetch is where its error surfaces."""
    con = duckdb.connect()
    con.execute("select case when i = 900000 then cast(i::varchar || 'x' as int) end from range(1000000) t(i)")
    with pytest.raises(duckdb.Error):
        con.fetchall()
    assert told.only("duckdb.query").status == "completed"
    fetch = told.only("duckdb.fetch")
    assert (fetch.status, links(fetch)) == ("failed", [told.only("duckdb.query").span_id])


def test_after_a_failed_query_a_fetch_links_nothing(told):
    """What an older query left on the connection is not what this fetch is about."""
    con = duckdb.connect()
    con.execute("select 1").fetchall()
    with pytest.raises(duckdb.Error):
        con.execute("select nope")
    with pytest.raises(duckdb.Error):
        con.execute("select nope").fetchall()
    assert [step.status for step in told.of("duckdb.query")] == ["completed", "failed", "failed"]
    with contextlib.suppress(duckdb.Error):  # 2.0 has no result then, 1.x still the old one
        con.fetchall()
    assert links(told.of("duckdb.fetch")[-1]) == []


def test_an_interrupted_query_failed(told):
    """Somebody interrupted: that is a failure, not a time-out of the library."""
    con = duckdb.connect()
    timer = threading.Timer(0.2, con.interrupt)
    timer.start()
    with pytest.raises(duckdb.InterruptException):
        con.execute("select count(*) from range(1000000000000) t(i) where i % 3 = 1").fetchall()
    timer.join()
    assert "timed_out" not in {str(step.status) for step in told.steps}
    assert told.only("duckdb.interrupt").status == "completed"
    assert {str(step.status) for step in told.steps if step.error} == {"failed"}


def test_only_max_execution_time_is_a_time_out(told):
    """2.0 interrupts after max_execution_time and says so; 1.x has no such setting."""
    con = duckdb.connect()
    if not IS_2:
        with pytest.raises(duckdb.CatalogException):
            con.execute("set max_execution_time = 50")
        return
    con.execute("set max_execution_time = 50")
    with pytest.raises(duckdb.InterruptException):
        con.execute("select count(*) from range(1000000000000) t(i) where i % 3 = 1").fetchall()
    assert told.steps[-1].status == "timed_out"


def test_transactions_are_steps_and_lead_what_is_fetched_after_them(told):
    """begin, commit and rollback replace the connection's result: a fetch after one is not of the query before it."""
    con = duckdb.connect()
    con.begin()
    con.execute("create table t(i int)").fetchall()
    con.rollback()
    con.begin()
    con.commit()
    con.checkpoint()
    con.execute("select 1")
    con.begin()
    con.fetchall()
    assert told.kinds[1:] == [
        *("duckdb.begin", "duckdb.query", "duckdb.fetch", "duckdb.rollback", "duckdb.begin", "duckdb.commit"),
        *("duckdb.checkpoint", "duckdb.query", "duckdb.begin", "duckdb.fetch"),
    ]
    assert links(told.steps[-1]) == [told.steps[-2].span_id]


def test_cursors_in_threads_link_their_own_queries(told):
    """Each thread's cursor has its own result, and its fetch links its own query."""
    con = duckdb.connect()

    def work(cursor, number):
        for _ in range(20):
            assert cursor.execute(f"select {number}").fetchall() == [(number,)]

    threads = [threading.Thread(target=work, args=(con.cursor(), number), name=f"w{number}") for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    queries = {step.span_id: told.payload(step)["sql"] for step in told.of("duckdb.query")}
    assert len(told.of("duckdb.fetch")) == 80
    assert all(queries[links(step)[0]] == f"select {step.thread[1:]}" for step in told.of("duckdb.fetch"))


def test_files_and_tables_are_named(told, tmp_path):
    """Reading and writing files, creating and filling tables: each by the library's own verb."""
    con = duckdb.connect()
    path = str(tmp_path / "a.csv")
    relation = con.sql("select 1 as i")
    relation.write_csv(path)
    relation.create("t")
    relation.insert_into("t")
    con.read_csv(path).fetchall()
    con.table("t").fetchall()
    assert told.payload(told.only("duckdb.write_csv"))["path"] == path
    assert told.payload(told.only("duckdb.create"))["table"] == "t"
    assert told.payload(told.only("duckdb.insert"))["method"] == "insert_into"
    read, table = told.of("duckdb.relation")
    assert (told.payload(read)["path"], told.payload(table)["table"]) == (path, "t")


def test_an_appender_of_2_0_is_told(told):
    """Rows appended without SQL are steps; the rows are not consumed by us."""
    con = duckdb.connect()
    con.execute("create table t(i int)")
    if not hasattr(con, "appender"):
        assert not hasattr(duckdb, "Appender")
        return
    with con.appender("t") as appender:
        appender.append_row(1)
        appender.append_rows((i,) for i in range(2))
    assert con.execute("select count(*) from t").fetchone() == (3,)
    assert [kind for kind in told.kinds if kind in {"duckdb.append_row", "duckdb.append_rows", "duckdb.flush"}] == [
        *("duckdb.append_row", "duckdb.append_rows", "duckdb.flush"),
    ]
    assert told.payload(told.only("duckdb.appender"))["table"] == "t"


def test_a_function_that_queries_while_it_is_queried_is_told_under_it(told):
    """A Python function of the application's, run by the engine, keeps its own steps."""
    inner = duckdb.connect()

    def ask(number: int) -> int:
        return inner.execute("select ?::int + 1", [number]).fetchone()[0]

    con = duckdb.connect(config={"threads": 1})
    con.create_function("ask", ask, ["INTEGER"], "INTEGER")
    assert con.execute("select ask(1)").fetchall() == [(2,)]
    asked = next(step for step in told.of("duckdb.query") if told.payload(step)["sql"].startswith("select ?"))
    assert told.payload(told.only("duckdb.create_function"))["function"] == "ask"
    assert asked.status == "completed"


def test_spans_carry_the_database_conventions(told):
    """Operation, summary and rows go out under their conventional names."""
    attributes = DuckDBInstrumentor.semantics["duckdb.query"]
    said = attributes({"op": "SELECT", "statements": ["SELECT", "INSERT"], "database": "a.db", "sql": "x"})
    assert said == {
        "db.system.name": "duckdb",
        "db.operation.name": "SELECT",
        "db.namespace": "a.db",
        "db.query.text": "x",
        "db.query.summary": "SELECT; INSERT",
    }
    assert DuckDBInstrumentor.semantics["duckdb.fetch"]({"rows": 3})["db.response.returned_rows"] == 3


def test_numpy_arrays_are_counted_by_their_length(told):
    """fetchnumpy gives one array per column."""
    con = duckdb.connect()
    arrays = con.sql("select * from range(4) t(i)").fetchnumpy()
    assert isinstance(arrays["i"], np.ndarray)
    assert told.payload(told.only("duckdb.fetch"))["rows"] == 4
