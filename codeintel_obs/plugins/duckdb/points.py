"""The table of points: which methods and functions of DuckDB are steps, of which kind, and what describes them.

A name with a question mark is not in every supported version. The relation of 2.0 is Python, whose work goes through
``_submit`` of its connection; before, it is C++ and only its own methods can be seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from codeintel_obs.plugins.duckdb import describe as told
from codeintel_obs.plugins.duckdb.errors import message, opening, timed_out
from codeintel_obs.steps import Point

_CONNECTION: Final = "DuckDBPyConnection."
_RELATION: Final = "DuckDBPyRelation."
_APPENDER: Final = "Appender."
_MODULE: Final = ""
_EITHER: Final = (_CONNECTION, _MODULE)

_LEADS_CONNECTION: Final = {"leads": told.to_connection}
_MAKES: Final = {"after": told.handed_on, "leads": told.to_result}
_DERIVES: Final = {**_MAKES, "follows": told.to_instance, "passes_on": True}
_OF_RELATION: Final = {"follows": told.to_instance}
_FETCHES: Final = {"before": told.fetch, "after": told.fetched, "follows": told.of_connection}

_BUILDERS: Final = """
    any_value arg_max arg_min avg mean bit_and bit_or bit_xor bitstring_agg bool_and bool_or count value_counts
    favg first fsum geomean histogram list last max min product string_agg sum unique median mode quantile_cont
    quantile_disc quantile stddev_pop stddev_samp stddev std var_pop var_samp variance var row_number rank
    dense_rank rank_dense percent_rank cume_dist first_value n_tile lag last_value lead nth_value union except_
    intersect describe __getitem__ filter select project select_types select_dtypes set_alias order sort
    aggregate apply join cross distinct limit map union_by_name? with_columns? drop? rename? unnest? unpivot?
    pivot? sample? head? offset? group_by?
"""


def _points(owner: str | tuple[str, ...], kind: str, names: str, **described: Any) -> Iterator[Point]:
    for each in (owner,) if isinstance(owner, str) else owner:
        for name in names.split():
            yield Point(
                module="duckdb",
                name=each + name.rstrip("?"),
                kind=f"duckdb.{kind}",
                optional=name.endswith("?"),
                from_outside=name != "_submit?",
                **{"before": told.plain, "message": message, "timed_out": timed_out, **described},
            )


def _connections() -> Iterator[Point]:
    yield from _points(_MODULE, "connect", "connect", before=told.connect, after=told.connected, message=opening)
    yield from _points(_EITHER, "cursor", "cursor duplicate", after=told.handed_on)
    default = {"follows": told.of_argument, "leads": told.to_default, "passes_on": True}
    yield from _points(_MODULE, "set_default_connection", "set_default_connection", **default)
    yield from _points(_EITHER, "close", "close")
    yield from _points(_CONNECTION, "close", "__exit__")
    for verb in ("begin", "commit", "rollback", "checkpoint"):
        yield from _points(_EITHER, verb, verb, **_LEADS_CONNECTION)
    yield from _points(_EITHER, "interrupt", "interrupt")
    for verb in ("complete", "abort", "enable_profiling", "disable_profiling"):
        yield from _points(_EITHER, verb, f"{verb}?")


def _queries() -> Iterator[Point]:
    runs = {"before": told.query, "after": told.queried}
    counts = {"before": told.execute, "after": told.executed, "failed": told.counted}
    yield from _points(_EITHER, "query", "execute executemany", **counts, **_LEADS_CONNECTION)
    yield from _points(_EITHER, "query", "sql query from_query", **runs, leads=told.to_result)
    over = {"before": told.relation_query, "after": told.queried, "leads": told.to_result}
    yield from _points(_RELATION, "query", "query", **over, **_OF_RELATION)
    yield from _points(_MODULE, "query", "query_df", **over)
    yield from _points(_RELATION, "query", "execute?", leads=told.to_instance, **_OF_RELATION)
    yield from _points(_CONNECTION, "submit", "_submit?", before=told.submit)
    yield from _points(_EITHER, "extract_statements", "extract_statements")
    yield from _points(_EITHER, "get_table_names", "get_table_names")


def _fetches() -> Iterator[Point]:
    everywhere = "fetchall fetchnumpy torch tf"
    rows = "fetchone fetchmany fetchdf fetch_df fetch_df_chunk"
    arrow = "pl? fetch_arrow_table? fetch_record_batch? to_arrow_table? to_arrow_reader?"
    yield from _points(_EITHER, "fetch", f"{everywhere} {rows} {arrow}", **_FETCHES)
    yield from _points(_CONNECTION, "fetch", "df arrow?", **_FETCHES)
    either = {"after": told.fetched_or_made, "leads": told.to_result, "follows": told.to_default_unless_given}
    yield from _points(_MODULE, "df", "df", **either)
    yield from _points(_MODULE, "arrow", "arrow", **either)
    own = "df fetchdf to_df pl arrow fetch_arrow_table to_arrow_table fetch_record_batch fetch_arrow_reader"
    some = "fetchone? fetchmany? fetch_df_chunk? to_arrow_reader? record_batch? to_dicts? __arrow_c_stream__"
    yield from _points(_RELATION, "fetch", f"{everywhere} {own} {some}", **{**_FETCHES, **_OF_RELATION})


def _relations() -> Iterator[Point]:
    named = {"before": told.on_argument("table_name", "table"), **_MAKES}
    yield from _points(_EITHER, "relation", "table", **named)
    yield from _points(_EITHER, "relation", "view", **{**named, "before": told.on_argument("view_name", "view")})
    yield from _points(
        _EITHER, "relation", "table_function", **{**named, "before": told.on_argument("name", "function")}
    )
    yield from _points(_EITHER, "relation", "values from_df from_arrow", **_MAKES)
    files = {"before": told.on_argument("path_or_buffer", "path", path=True), **_MAKES}
    yield from _points(_EITHER, "relation", "read_csv from_csv_auto read_parquet from_parquet", **files)
    yield from _points(_EITHER, "relation", "read_json", **files)
    yield from _points(_RELATION, "relation", _BUILDERS, **_DERIVES)
    yield from _points("_relation.GroupedRelation.", "relation", "agg?", **_MAKES)
    yield from _points(_MODULE, "relation", "project distinct aggregate alias filter limit order", **_MAKES)


def _terminals() -> Iterator[Point]:
    yield from _points(_RELATION, "show", "show __str__ __repr__ preview? _repr_mimebundle_?", **_OF_RELATION)
    yield from _points(_RELATION, "len", "__len__", after=told.length, **_OF_RELATION)
    yield from _points(_RELATION, "shape", "shape", after=told.shape, **_OF_RELATION)
    yield from _points(_RELATION, "explain", "explain", **_OF_RELATION)
    yield from _points(_RELATION, "materialize", "materialize?", **_MAKES, **_OF_RELATION)
    table = {"before": told.on_argument("table_name", "table"), **_OF_RELATION}
    yield from _points(_RELATION, "create", "create to_table", **table)
    yield from _points(_RELATION, "insert", "insert_into", **table)
    yield from _points(_RELATION, "insert", "insert", **_OF_RELATION)
    yield from _points(_RELATION, "update", "update", **_OF_RELATION)
    view = {**_DERIVES, "before": told.on_argument("view_name", "view")}
    yield from _points(_RELATION, "create_view", "create_view to_view", **view)
    file = {"before": told.on_argument("file_name", "path", path=True), **_OF_RELATION}
    yield from _points(_RELATION, "write_csv", "write_csv to_csv", **file)
    yield from _points(_RELATION, "write_parquet", "write_parquet to_parquet", **file)
    of_frame = told.on_argument("filename", "path", 1, path=True)
    yield from _points(_MODULE, "write_csv", "write_csv", before=of_frame)


def _others() -> Iterator[Point]:
    counts = {"before": told.append, "after": told.counted, "failed": told.counted}
    yield from _points(_EITHER, "append", "append", **counts, **_LEADS_CONNECTION)
    opens = {"leads": told.to_result, "after": told.handed_on}
    yield from _points(_EITHER, "appender", "appender?", before=told.on_argument("table", "table"), **opens)
    yield from _points(_EITHER, "appender", "query_appender?", before=told.appended_query, **opens)
    for verb in ("append_row", "append_rows", "flush", "clear"):
        yield from _points(_APPENDER, verb, f"{verb}?", **_OF_RELATION)
    yield from _points(_APPENDER, "flush", "__exit__?", **_OF_RELATION)
    view = told.on_argument("view_name", "view")
    for verb in ("register", "unregister"):
        yield from _points(_EITHER, verb, verb, before=view)
    for verb in ("register_filesystem", "unregister_filesystem"):
        yield from _points(_EITHER, verb, verb)
    for verb in ("create_function", "remove_function"):
        yield from _points(_EITHER, verb, verb, before=told.on_argument("name", "function"))
    for verb in ("install_extension", "load_extension"):
        yield from _points(_EITHER, verb, verb, before=told.on_argument("extension", "extension"))


POINTS: Final = (*_connections(), *_queries(), *_fetches(), *_relations(), *_terminals(), *_others())
