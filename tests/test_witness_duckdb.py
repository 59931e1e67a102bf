"""The steps of a random workload agree one to one with DuckDB's own query log, which the workload switches on."""

from __future__ import annotations

import os
import random
from collections import Counter

import duckdb
import pytest

from codeintel_obs.plugins.duckdb.instrumentor import DuckDBInstrumentor
from codeintel_obs.testing import recording

IS_2 = not duckdb.__version__.startswith("1.")
OPERATIONS = 2_000
TEXTS = {"duckdb.begin": "BEGIN TRANSACTION", "duckdb.commit": "COMMIT", "duckdb.rollback": "ROLLBACK"}
TERMINALS = {"duckdb.fetch", "duckdb.show", "duckdb.len"}


class Workload:
    """Random calls of one connection and of relations; every text is unlike any other, so order is seen too."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.con = duckdb.connect()
        self.serial = 0
        self.in_transaction = False
        self.con.execute("create table t(i int, s varchar)").fetchall()
        self.con.execute("insert into t values (1, 'a'), (2, 'b')").fetchall()
        self.relation = self.con.sql("select i, s from t where i > 0")

    def number(self):
        self.serial += 1
        return self.serial

    def select(self):
        cursor = self.con.execute(f"select {self.number()} as n, i from t limit 3")
        self.random.choice([cursor.fetchall, cursor.fetchnumpy, lambda: cursor.fetchmany(5)])()
        cursor.fetchall()

    def insert(self):
        self.con.execute(f"insert into t values ({self.number()}, 'x')").fetchall()

    def update(self):
        self.con.execute(f"update t set s = 'y' where i = {self.number()}").fetchall()

    def delete(self):
        self.con.execute(f"delete from t where i = {self.number()}").fetchall()

    def prepared(self):
        self.con.execute(f"select ? + {self.number()}", [self.random.random()]).fetchall()

    def many(self):
        sets = [[self.number()] for _ in range(self.random.randint(1, 4))]
        self.con.executemany("insert into t values (?, 'm')", sets)

    def named(self):
        self.con.execute(f"select $a + {self.number()}", {"a": 1}).fetchall()

    def late(self):
        try:
            self.con.execute(f"select ('x' || i)::int + {self.number()} from t").fetchall()
        except duckdb.Error:
            self._recover()

    def sql_now(self):
        self.con.sql(f"insert into t values ({self.number()}, 'now')")

    def sql_lazy(self):
        self.con.sql(f"select {self.number()} as n")

    def terminal(self):
        relation = self.relation.filter(f"i > {self.number() % 7}").limit(2)
        self.random.choice([relation.fetchall, relation.fetchnumpy, lambda: repr(relation), lambda: len(relation)])()

    def builder(self):
        self.relation.order("i").project("i")

    def transaction(self):
        if self.in_transaction:
            self.random.choice([self.con.commit, self.con.rollback])()
        else:
            self.con.begin()
        self.in_transaction = not self.in_transaction

    def unbound(self):
        try:
            self.con.execute(f"select nope_{self.number()} from t")
        except duckdb.Error:
            self._recover()

    def unparsed(self):
        try:
            self.con.execute(f"selec {self.number()}")
        except duckdb.Error:
            self._recover()  # 2.0 aborts the transaction, 1.x does not

    def _recover(self):
        if self.in_transaction:
            self.con.rollback()
            self.in_transaction = False

    def step(self):
        getattr(self, self.random.choice(ACTIONS))()


ACTIONS = (
    *("select", "insert", "update", "delete", "prepared", "many", "named", "late", "sql_now", "sql_lazy", "terminal"),
    *("builder", "transaction", "unbound", "unparsed"),
)


def _logged(con):
    text = "select message from duckdb_logs where type = 'QueryLog' order by query_id, timestamp"
    return [_plain(row[0]) for row in con.execute(text).fetchall()]


def _plain(text):
    return text.strip().rstrip(";").strip()


def _handed_to_the_engine(told, step):
    """Return what a step says was run: the text of each run, or None for a run whose text no step can know."""
    payload = told.payload(step)
    if step.kind in TEXTS:
        return [TEXTS[step.kind]]
    if step.kind == "duckdb.submit":
        return [_plain(payload["sql"])]
    if step.kind == "duckdb.query":
        return [_plain(payload["sql"])] * _runs(step, payload)
    of_relation = any(told.payload(each).get("result") == "relation" for each in _linked(told, step))
    # before 2.0 a relation runs in one call of C++; from 2.0 on its steps hold a duckdb.submit
    return [None] if of_relation and not IS_2 and step.kind in TERMINALS else []


def _runs(step, payload):
    """Return how often a query was run: not at all when it did not parse, or was lazy, or was run by a submit."""
    unparsed = step.error is not None and step.error.type.endswith("ParserException")
    if unparsed or payload.get("result") == "relation" or (IS_2 and payload["method"] == "sql"):
        return 0
    # 2.0 logs the statement once more, when it is prepared for all of its sets
    return payload.get("parameter_sets", 1 - IS_2) + IS_2


def _linked(told, step):
    ids = {link.span_id for link in step.links}
    return [each for each in told.steps if each.span_id in ids] if ids else []


@pytest.fixture
def seed():
    chosen = int(os.environ.get("CODEINTEL_OBS_TEST_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"to repeat: CODEINTEL_OBS_TEST_SEED={chosen}")
    return chosen


def test_the_steps_agree_one_to_one_with_the_query_log(seed):
    """Each run that the library logged has its step, and each step that says it ran has its log entry, in order."""
    with recording(DuckDBInstrumentor, content="all") as told:
        work = Workload(seed)
        work.con.execute("CALL enable_logging('QueryLog')").fetchall()
        first = len(told.begun)
        for _ in range(OPERATIONS):
            work.step()
        steps = told.begun[first:]
        work.con.execute("CALL disable_logging()").fetchall()
        logged = _logged(work.con)
    assert _plain(logged.pop()) == "CALL disable_logging()"
    said = [text for step in steps for text in _handed_to_the_engine(told, step)]
    assert len(logged) == len(said)
    differing = [pair for pair in zip(said, logged, strict=True) if pair[0] not in (None, pair[1])]
    assert differing == []
    assert told.open == []
    assert {"completed", "failed"} == {str(step.status) for step in steps}
    assert Counter(step.kind for step in steps)["duckdb.query"] > OPERATIONS / 3
