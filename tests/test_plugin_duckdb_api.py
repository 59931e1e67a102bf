"""The whole public API of the installed DuckDB is classified: a point, or excluded with a reason."""

from __future__ import annotations

import inspect
import re
from fnmatch import fnmatchcase

import duckdb
import pytest

from codeintel_obs.plugins.duckdb.instrumentor import DuckDBInstrumentor
from codeintel_obs.testing import recording

POINTS = {point.name for point in DuckDBInstrumentor.points}
SPECIAL = {
    *("__len__", "__repr__", "__str__", "__getitem__", "__contains__", "__getattr__", "__enter__", "__exit__"),
    *("__del__", "__arrow_c_stream__", "_repr_mimebundle_"),
}


def _public():
    """Yield every function of the module and every method and property of its classes, as the table names them."""
    for name, value in vars(duckdb).items():
        if name.startswith("_") or inspect.ismodule(value):
            continue
        if not inspect.isclass(value):
            if callable(value):
                yield name
            continue
        for own, member in vars(value).items():
            if (not own.startswith("_") or own in SPECIAL) and hasattr(member, "__get__"):
                yield f"{name}.{own}"


def _excluded(name):
    return [pattern for pattern in DuckDBInstrumentor.exclusions if fnmatchcase(name, pattern)]


def test_everything_public_is_a_point_or_excluded():
    """A name that a new version brings fails here until somebody has decided what it is."""
    assert [name for name in _public() if name not in POINTS and not _excluded(name)] == []


def test_nothing_is_both_a_point_and_excluded():
    """A pattern of the exclusions never hides a step."""
    functions = {name: found for name in POINTS if (found := [p for p in _excluded(name) if "*" in p or p == name])}
    assert functions == {}


def test_grouped_relations_of_2_0_are_classified():
    """The one public class that the module does not export: what group_by returns."""
    relation = getattr(duckdb, "_relation", None)
    own = [name for name in vars(getattr(relation, "GroupedRelation", object)) if not name.startswith("_")]
    assert own in ([], ["agg"])


def test_every_point_that_all_versions_have_is_wrapped():
    """Only what a version lacks may be missing, and that is said to be so."""
    with recording(DuckDBInstrumentor):
        plugin = DuckDBInstrumentor()
        facts = {point.name: (plugin.fact_of(point), point.optional) for point in plugin.points}
        kinds = plugin.kinds()
    assert {fact for fact, optional in facts.values() if not optional} == {"wrapped"}
    assert {fact for fact, optional in facts.values() if optional} <= {"wrapped", "attribute missing"}
    assert (kinds["duckdb.query"], kinds["duckdb.fetch"]) == ("wrapped", "wrapped")


def test_every_kind_is_a_library_s_verb_with_attributes():
    """Kinds are duckdb.verb, and each has its semantic-convention attributes."""
    kinds = {point.kind for point in DuckDBInstrumentor.points}
    assert all(re.fullmatch(r"duckdb\.[a-z_]+", kind) for kind in kinds)
    assert set(DuckDBInstrumentor.semantics) == kinds


def test_each_exclusion_has_a_reason():
    """A reason is a sentence, not a word."""
    assert all(len(reason.split()) >= 2 for reason in DuckDBInstrumentor.exclusions.values())


@pytest.mark.parametrize("owner", ["DuckDBPyConnection", "DuckDBPyRelation"])
def test_aliases_are_told_by_the_name_that_was_called(owner):
    """Two names of one function are two slots, and each says its own name."""
    with recording(DuckDBInstrumentor) as told:
        con = duckdb.connect()
        if owner == "DuckDBPyConnection":
            con.query("select 1")
            con.from_query("select 1")
        else:
            relation = con.sql("select 1 as a")
            relation.sum("a"), relation.mean("a"), relation.avg("a")
    methods = [told.payload(step)["method"] for step in told.steps if step.kind in {"duckdb.query", "duckdb.relation"}]
    assert methods == (["query", "from_query"] if "Conn" in owner else ["sql", "sum", "mean", "avg"])
