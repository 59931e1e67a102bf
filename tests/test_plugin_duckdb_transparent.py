"""What DuckDB sees of its caller, and what the application sees of DuckDB, is the same with and without us."""

from __future__ import annotations

import contextlib
import gc
import inspect
import pickle
import subprocess
import sys
import traceback
import warnings
import weakref

import duckdb
import numpy as np
import pytest

from codeintel_obs.plugins.duckdb.instrumentor import DuckDBInstrumentor
from codeintel_obs.testing import recording

numbers_of_module = np.array([1, 2, 3])
recorder = np.array([7])  # the names that our own modules use
wrapped = np.array([8])
args = np.array([9])
annotations = np.array([10])


@pytest.fixture
def told():
    with recording(DuckDBInstrumentor) as told:
        yield told


@pytest.fixture
def con(told):
    return duckdb.connect()


def rows(relation):
    return [row[0] for row in relation.fetchall()]


class InAClass:
    """Runs queries in its body, with names of the body."""

    def __new__(cls):
        class Body:
            local = np.array([5])
            found = duckdb.connect().execute("select * from local").fetchall()

        return Body.found


def test_a_local_array_is_found(con):
    """A name of the calling function is a table, through each way to query."""
    local = np.array([4, 5])
    assert con.execute("select * from local").fetchall() == [(4,), (5,)]
    assert rows(con.sql("select * from local")) == [4, 5]
    assert rows(duckdb.sql("select * from local")) == [4, 5]
    assert rows(con.query("select * from local").filter("column0 > 4")) == [5]
    assert local.shape == (2,)


def test_a_global_array_is_found(con):
    """A name of the calling module is a table, and a local one comes first."""
    assert rows(con.sql("select * from numbers_of_module")) == [1, 2, 3]
    numbers_of_module = np.array([0])
    assert rows(con.sql("select * from numbers_of_module")) == [0]
    assert len(numbers_of_module) == 1


def test_names_of_an_enclosing_function_are_found_when_they_are_used(con):
    """A closure's cell counts as a local name."""
    around = np.array([6])

    def nested():
        assert around is not None
        return rows(con.sql("select * from around"))

    assert nested() == [6]
    assert (lambda near: rows(con.sql("select * from near")))(np.array([3])) == [3]


def test_names_of_a_class_body_and_of_a_comprehension_are_found(con, told):
    """Frames of every sort can be the caller."""
    assert InAClass() == [(5,)]
    assert [rows(con.sql("select * from each")) for each in [np.array([1]), np.array([2])]] == [[1], [2]]


def test_a_relation_in_a_variable_is_found_and_combined(con):
    """A relation is a table by its variable's name too."""
    relation = con.sql("select 11 as a")
    assert rows(con.sql("select a + 1 from relation")) == [12]
    assert relation.query("v", "select v.a from v join relation using (a)").fetchall() == [(11,)]


def test_a_name_that_is_nowhere_is_not_found(con):
    """What the library does not find without us, it does not find with us."""
    with pytest.raises(duckdb.CatalogException):
        con.execute("select * from _codeintel_frame")
    with pytest.raises(duckdb.CatalogException):
        con.execute("select * from nowhere")


def test_all_frames_can_be_scanned(con):
    """With python_scan_all_frames the names of callers' callers are found, and none of ours is in the way."""
    con.execute("set python_scan_all_frames = true")
    far = np.array([21])
    kwargs, instance, begun = np.array([22]), np.array([23]), np.array([24])

    def query(name):
        return con.execute(f"select * from {name}").fetchall()

    assert [query(name) for name in ("far", "kwargs", "instance", "begun")] == [[(21,)], [(22,)], [(23,)], [(24,)]]
    assert [query(name) for name in ("recorder", "wrapped", "args", "annotations")] == [[(7,)], [(8,)], [(9,)], [(10,)]]
    assert len(far) + len(kwargs) + len(instance) + len(begun) == 4


def test_replacement_scans_can_be_switched_off(con):
    """The library's own switch keeps its meaning."""
    con.execute("set python_enable_replacements = false")
    with pytest.raises(duckdb.CatalogException):
        con.execute("select * from numbers_of_module")


def test_a_relation_is_bound_again_in_the_frame_that_fetches(con):
    """What a terminal looks up is looked up where it is called: the same with us as without."""

    def outcome(connection):
        connection.execute("create or replace view bound as select 1 as a")
        relation = connection.sql("select * from bound")
        connection.execute("drop view bound")
        bound = np.array([5])
        assert len(bound) == 1
        try:
            return relation.fetchall(), list(getattr(relation, "iter_rows", list)())
        except duckdb.Error as error:
            return type(error)

    watched = outcome(con)
    DuckDBInstrumentor().uninstrument()
    assert outcome(duckdb.connect()) == watched


def test_a_warning_names_the_line_of_the_application(con):
    """Deprecations point at the caller, not at us."""
    if not hasattr(duckdb, "Appender"):  # before 2.0 the library warns of nothing that needs no other library
        pytest.importorskip("pyarrow", reason="1.x warns only where pyarrow is there")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with contextlib.suppress(ImportError):  # 2.0 warns first, then misses pyarrow
            con.sql("select 1 as a").fetch_record_batch()
    line = inspect.currentframe().f_lineno - 1
    where = [(each.filename, each.lineno) for each in caught if each.category is DeprecationWarning]
    assert where in ([(__file__, line)], [])
    assert where or duckdb.__version__.startswith("1.4")


def test_a_traceback_shows_the_application_and_none_of_our_frames(con):
    """The exception is the library's own, raised on the application's line."""
    with pytest.raises(duckdb.BinderException) as caught:
        con.execute("select nope")
    files = {frame.filename for frame in traceback.extract_tb(caught.value.__traceback__)}
    assert not [name for name in files if "codeintel_obs" in name]
    assert __file__ in files


def test_results_are_the_library_s_own_objects(con):
    """execute and with hand back the connection itself; types stay."""
    assert con.execute("select 1") is con
    assert con.__enter__() is con
    assert type(con) is duckdb.DuckDBPyConnection
    assert type(con.sql("select 1")) is duckdb.DuckDBPyRelation
    assert duckdb.execute("select 1") is duckdb.default_connection()
    other = duckdb.connect()
    before = duckdb.default_connection()
    duckdb.set_default_connection(other)
    assert duckdb.execute("select 3").fetchall() == [(3,)]
    assert duckdb.default_connection() is other
    duckdb.set_default_connection(before)


def test_the_class_can_be_called_through(con):
    """An unbound method takes the connection as its first argument."""
    assert duckdb.DuckDBPyConnection.execute(con, "select 1").fetchall() == [(1,)]


def test_a_function_that_the_library_defines_elsewhere_pickles_as_itself(con):
    """`duckdb.sql` is defined in `_duckdb`: unpickled it is the same again, watched where its reader is."""
    assert pickle.loads(pickle.dumps(duckdb.sql)) is duckdb.sql
    assert b"codeintel" not in pickle.dumps(duckdb.sql)


def test_a_bound_method_names_the_connection_that_it_is_bound_to(con):
    """What is bound answers for itself: the unbound method of 1.x has a `__self__` too, a record of the binding's."""
    assert con.execute.__self__ is con
    assert con.sql("select 1").fetchall.__self__.columns == ["1"]


def test_a_failed_query_keeps_nothing_alive_that_the_exception_alone_would_not(told):
    """An exception that the application keeps holds neither the connection nor the arguments."""
    con = duckdb.connect()
    parameter = np.array([1, 2])
    held = weakref.ref(con), weakref.ref(parameter)
    kept = _failure(con, parameter)
    del con, parameter
    gc.collect()
    assert [each() for each in held] == [None, None]
    assert isinstance(kept, Exception)


def _failure(con, parameter):
    try:
        con.execute("select nope, ?", [parameter])
    except duckdb.Error as error:
        return error.with_traceback(error.__traceback__.tb_next)
    raise AssertionError


def test_objects_die_when_they_die_without_us():
    """Side data is held weakly: no connection, relation or array lives longer for being watched."""
    bare, _ = _deaths()
    with recording(DuckDBInstrumentor) as told:
        seen, refs = _deaths()
    gc.collect()
    assert seen == bare
    assert [ref() for ref in refs] == [None] * 4
    assert len(told.of("duckdb.fetch")) == 3


def _deaths():
    con, numbers = duckdb.connect(), np.array([1])
    relation = con.sql("select * from numbers")
    derived = relation.filter("column0 > 0")
    derived.fetchall()
    relation.fetchall()
    con.execute("select * from numbers").fetchall()
    refs = [weakref.ref(thing) for thing in (derived, relation, con, numbers)]
    seen = []
    for name in ("derived", "relation", "numbers"):
        if name == "derived":
            del derived
        elif name == "relation":
            del relation
        else:
            con.close()
            del con, numbers
        gc.collect()
        seen += [ref() is None for ref in refs]
    return seen, refs


def test_reference_counts_stay():
    """After a hundred queries an argument has as many references as before."""
    con, parameters = duckdb.connect(), [object()]
    before = None
    with recording(DuckDBInstrumentor):
        for _ in range(3):
            with pytest.raises(duckdb.Error):
                con.execute("select ?", parameters)
        before = sys.getrefcount(parameters), sys.getrefcount(parameters[0]), sys.getrefcount(con)
        for _ in range(100):
            with pytest.raises(duckdb.Error):
                con.execute("select ?", parameters)
        after = sys.getrefcount(parameters), sys.getrefcount(parameters[0]), sys.getrefcount(con)
    assert after == before


def test_uninstrumenting_restores_the_identical_objects():
    """Every slot holds the very object that stood there."""
    owners = [duckdb, duckdb.DuckDBPyConnection, duckdb.DuckDBPyRelation]
    before = [dict(vars(owner)) for owner in owners]
    with recording(DuckDBInstrumentor):
        assert vars(duckdb)["execute"] is not before[0]["execute"]
        assert vars(duckdb.DuckDBPyRelation)["shape"] is not before[2]["shape"]
    for owner, kept in zip(owners, before, strict=True):
        now = vars(owner)
        assert [name for name in kept if now[name] is not kept[name]] == []


def test_a_watched_process_leaves_in_silence():
    """Nothing of ours keeps the library's objects to the end: some bindings report what was not released."""
    program = (
        "from codeintel_obs.plugins.duckdb.instrumentor import DuckDBInstrumentor\n"
        "from codeintel_obs.testing import recording\n"
        "told = recording(DuckDBInstrumentor).__enter__()\n"
        "import duckdb\n"
        "con = duckdb.connect()\n"
        "con.sql('select 1 as a').filter('a > 0').fetchall()\n"
        "duckdb.execute('select 1').fetchall()\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_the_rows_of_a_generator_are_told_by_their_run(con, told):
    """iter_rows of 2.0 hands out the library's own generator; what it runs, and when, is a duckdb.submit."""
    relation = con.sql("select * from range(5) t(i)")
    if not hasattr(relation, "iter_rows"):
        assert duckdb.__version__.startswith("1.")
        return
    stream = relation.iter_rows(batch_size=2)
    assert inspect.isgenerator(stream)
    assert "duckdb.submit" not in told.kinds
    assert [row[0] for row in stream] == [0, 1, 2, 3, 4]
    assert told.kinds.count("duckdb.submit") == 1
