"""What of a SQL text is kept at which content level: nothing of it below ``all``, and its secrets never."""

from __future__ import annotations

import contextlib

import duckdb
import pytest

import codeintel_obs
from codeintel_obs.plugins.duckdb.errors import message
from codeintel_obs.plugins.duckdb.instrumentor import DuckDBInstrumentor
from codeintel_obs.plugins.duckdb.sql import facts, first_words, without_secrets
from codeintel_obs.testing import recording

CANARY = "kanarie7vogel"
WORD = "kanarie"  # no digit gives it away
FAILING = [
    "selec '{0}'", "select {0}", "select {0} from t", "select * from {0}", "select {0}(1)", "select '{0}'::int",
    "insert into t values (1, '{0}'), (1, '{0}')", "select 1 + '{0}'", "drop table {0}", "set {0} = 1", "load {0}",
    "select * from read_csv('/nowhere/{0}.csv')", "attach '/nowhere/{0}/a.db' as {0}", "select error('{0}')",
    "select error('Error: {0}' || chr(10) || 'Error: {0}')", "select t.{0} from t", "pragma {0}", "use {0}",
    "create secret (type {0}, secret '{0}')", "select date '{0}'", "select * from t where i = '{0}'", "select ${0}",
    "execute {0}", "select regexp_matches('a', '({0}')", "copy t to '/nowhere/{0}/b.csv'", "'{0}'", "{0}",
    "select * from t {0} join t {0} on true", "insert into t ({0}) values (1)", "alter table t add column i {0}",
    "select strptime('{0}', '%Y')", "select 1 from {0}.{0}.{0}", "select json_extract('{{{0}', '$')",
    "update t set {0} = 1", "delete from {0}", "call {0}()", "create type x as enum ('{0}', '{0}')",
    "select * from t limit '{0}'", 'select "{0}', "select '{0}", "select $${0}", "/* {0}", "explain select {0}",
    "select struct_extract({{'a': 1}}, '{0}')", "select '{0}'::uuid", "select interval '{0}'", "select '{0}'::json",
    "create table t ({0} int)", "create view {0} as select {0}", "select cast('{0}' as decimal(3, 1))",
]  # fmt: skip


@pytest.fixture
def con():
    con = duckdb.connect()
    con.execute("create table t (i int primary key, s varchar)").fetchall()
    con.execute("insert into t values (7, 'x')").fetchall()
    return con


@pytest.mark.parametrize("word", [CANARY, WORD])
@pytest.mark.parametrize("template", FAILING)
def test_an_error_s_message_echoes_nothing_of_the_statement(con, template, word):
    """Below content level all, no literal, name or value of the statement is in what is told of its error."""
    with pytest.raises(duckdb.Error) as caught:
        con.execute(template.format(word)).fetchall()
    assert word not in message(caught.value)
    assert "Error" in message(caught.value) or "INTERRUPT" in message(caught.value)


def test_the_library_s_own_words_stay(con):
    """What is left still says what went wrong."""
    with pytest.raises(duckdb.Error) as caught:
        con.execute("select nope from t")
    assert message(caught.value) == "Binder Error: Referenced column […] not found in FROM clause!"
    with pytest.raises(duckdb.Error) as caught:
        con.execute("select * from nope")
    assert message(caught.value) == "Catalog Error: Table with name […] does not exist!"


@pytest.mark.parametrize(("level", "kept"), [("none", False), ("messages", False), ("all", True)])
def test_an_error_on_its_way_out_echoes_no_more_than_the_query_that_raised_it(con, level, kept):
    """The steps that an error passes, and a log of it, tell the same words of it as the step that first saw it."""
    with recording(DuckDBInstrumentor, content=level) as told:
        with contextlib.suppress(duckdb.Error), codeintel_obs.step("retrieval.hydrate"):
            con.execute(f"select * from {CANARY}")
        query, around = told.only("duckdb.query"), told.only("retrieval.hydrate")
    assert (query.error.id, query.error.message) == (around.error.id, around.error.message)
    assert (CANARY in (around.error.message or "")) is kept


@pytest.mark.parametrize(("level", "kept"), [("none", False), ("messages", False), ("all", True)])
def test_the_text_of_a_query_is_kept_at_level_all_only(level, kept):
    """Text, error and spans' attributes: the canary is where its level allows it, and nowhere else."""
    with recording(DuckDBInstrumentor, content=level) as told:
        con = duckdb.connect()
        con.execute(f"select '{CANARY}' as {CANARY}").fetchall()
        con.sql(f"select '{CANARY}' as a").filter(f"a <> '{CANARY}'").fetchall()
        with pytest.raises(duckdb.Error):
            con.execute(f"select '{CANARY}'::int").fetchall()
    texts = [repr(told.payload(step)) + repr(step.error) + repr(step.detail) for step in told.steps]
    assert any(CANARY in text for text in texts) is kept
    hashes = [told.payload(step).get("sql_sha256") for step in told.of("duckdb.query")]
    assert len(set(hashes)) == 3


@pytest.mark.parametrize("name", ["access_mode", "kanarie7vogel", "threads"])
def test_a_bad_configuration_is_told_without_its_value(name):
    """The names of settings are kept, their values never: not in the payload and not in the error."""
    with recording(DuckDBInstrumentor) as told, pytest.raises(duckdb.Error):
        duckdb.connect(config={name: f"{WORD}-value"})
    step = told.only("duckdb.connect")
    assert told.payload(step) == {"config": [name]}
    assert f"{WORD}-value" not in step.error.message
    assert step.status == "failed"


@pytest.mark.parametrize("level", ["none", "messages", "all"])
def test_parameters_and_results_are_kept_at_no_level(level):
    """Values go in and out unrecorded."""
    with recording(DuckDBInstrumentor, content=level) as told:
        con = duckdb.connect()
        con.execute("create table t(s varchar)")
        con.execute("insert into t values (?)", [CANARY])
        con.executemany("insert into t values (?)", [[CANARY], [CANARY]])
        con.sql("select ?", params=[CANARY]).fetchall()
        assert con.execute("select * from t where s = $s", {"s": CANARY}).fetchall() == [(CANARY,)] * 3
    assert [step.kind for step in told.steps if CANARY in repr(told.payload(step)) + repr(step.error)] == []


@pytest.mark.parametrize(
    "text",
    [
        f"create secret s (type s3, key_id '{CANARY}', secret '{CANARY}')",
        f"CREATE OR REPLACE PERSISTENT SECRET s (TYPE http, EXTRA_HTTP_HEADERS MAP {{'X': $${CANARY}$$}})",
        f"attach 'a.db' as a (encryption_key '{CANARY}')",
        f"attach 'postgres://user:{CANARY}@host/db' as p",
        f"attach 'host=h password={CANARY} user=u' as p (type postgres)",
        f"set s3_secret_access_key = '{CANARY}'",
        f"set motherduck_token='{CANARY}'",
        f"pragma add_parquet_key('name', '{CANARY}')",
        f"copy t to 'a.parquet' (encryption_config {{footer_key: 'x', footer_key_value: '{CANARY}'}})",
        f"set s3_secret_access_key to '{CANARY}'",
        f"set global http_proxy_password to {CANARY}",
        f"set http_proxy_password /* of */ = -- the proxy\n '{CANARY}'",
        f"set http_proxy_password = 'a' || '{CANARY}'; select 1",
        f"create secret s (type http, bearer_token {CANARY})",
        f"attach 'a.db' as a (encryption_key {CANARY})",
        f"attach 'user=u password = ''{CANARY}'' host=h' as p (type postgres)",
    ],
)
def test_credentials_in_sql_are_kept_at_no_level(text, tmp_path, monkeypatch):
    """Even at level all, the literals that DuckDB takes credentials in are masked."""
    monkeypatch.chdir(tmp_path)
    with recording(DuckDBInstrumentor, content="all") as told:
        con = duckdb.connect(config={"autoinstall_known_extensions": False})
        with contextlib.suppress(
            duckdb.Error
        ):  # some need an extension, a file or a server: they were sent all the same
            con.execute(text)
    step = told.only("duckdb.query")
    assert CANARY not in repr(told.payload(step))
    assert "[redacted]" in told.payload(step)["sql"]


@pytest.mark.parametrize("text", ["select 1", "attach 'a.db' as a", "select key from t where s = 'x'"])
def test_a_text_without_secrets_is_kept_as_it_is(text):
    """Only what credentials are taken in is masked."""
    assert without_secrets(text) == text or "key" in text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("select 1; insert into t values (';')", ["SELECT", "INSERT"]),
        ("-- select;\n/* drop; */ (select 1)", ["SELECT"]),
        ("select $tag$ ; drop table t $tag$; show tables;", ["SELECT", "SHOW"]),
        ("select e'\\';' ; update t set i = 1", ["SELECT", "UPDATE"]),
        ('select ";" from t', ["SELECT"]),
        ("kanarie from t", ["other"]),
        ("'kanarie", ["other"]),
        ("", []),
        (" ; ; ", []),
        ("from range(3)", ["FROM"]),
        ("SELECT 'unterminated ; drop", ["SELECT"]),
        ("select 1" + " " * 70000 + "; drop table t", ["SELECT"]),
    ],
)
def test_statements_are_told_by_known_words_only(text, words):
    """What a statement begins with is told when it is a keyword; a quote, a comment or a tag splits nothing."""
    assert first_words(text) == words


@pytest.mark.parametrize("piece", ["a", "key", "$a", "'", "create ", "/*", "set ", "set/**/", "(", '"', "-- ", "e'\\"])
def test_a_hostile_text_costs_no_more_than_its_length(piece):
    """A megabyte of anything is told in one pass: the test's own time-out is the judge of a regex that is not."""
    text = piece * (1_000_000 // len(piece)) + " secret"
    said = facts(text)
    assert said["sql_len"] == len(text)
    assert said["sql"].endswith("characters]")


def test_a_cut_text_says_how_much_was_cut():
    """What is kept of a long text and what was cut of it add up."""
    with recording(DuckDBInstrumentor, content="all") as told:
        con = duckdb.connect()
        con.execute("select 1" + " " * 100_000)
    sql = told.payload(told.only("duckdb.query"))["sql"]
    kept, _, cut = sql.rpartition(" [cut ")
    assert len(kept) + int(cut.split()[0]) == 100_008


def test_a_lone_surrogate_in_a_text_is_no_error_of_ours():
    """The library refuses it; the step has its identity all the same."""
    with recording(DuckDBInstrumentor) as told:
        con = duckdb.connect()
        with pytest.raises((duckdb.Error, UnicodeEncodeError, TypeError, RuntimeError)):
            con.execute("select '\ud800'")
    assert len(told.payload(told.only("duckdb.query"))["sql_sha256"]) == 64
