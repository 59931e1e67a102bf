"""What a call of DuckDB says of itself. Reads arguments and results only; never asks the database anything."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any, Final

from codeintel_obs import semconv
from codeintel_obs.beside import Beside
from codeintel_obs.plugins.duckdb import row_counts
from codeintel_obs.plugins.duckdb.sql import facts
from codeintel_obs.steps import Call

Payload = dict[str, Any]

_databases: Beside[str] = Beside()
"""The database that a connection was opened on, or a relation's connection was, as `duckdb.connect` was given it."""


def _given(call: Call) -> Any:
    """Return what the call was made on: its instance, or the ``connection`` that a module function was given."""
    # of a module's function the instance is what C++ bound it to: a capsule, or the module
    return call.instance if "." in call.name else call.kwargs.get("connection")


def _about(call: Call, **said: Any) -> Payload:
    """Return ``said`` with what every step says: the method, and the database where it is known."""
    said["method"] = call.name.rpartition(".")[2]
    database = _databases.get(_given(call))
    if database is not None:
        said["database"] = database
    return said


def _path(value: Any) -> str | None:
    # of the standard library's paths only: another's `__fspath__` is the application's code
    return str(value) if type(value) is str or isinstance(value, PurePath) else None


def _text(value: Any) -> str | None:
    return value if type(value) is str else None


# -- connections ----------------------------------------------------------------------------------------------------


def connect(call: Call) -> Payload:
    read_only, config = call.arg(1, "read_only"), call.arg(2, "config")
    return {
        "database": _path(call.arg(0, "database")),
        "read_only": read_only if type(read_only) is bool else None,
        "config": [name for name in config if type(name) is str] if type(config) is dict else None,
    }


def connected(call: Call, result: Any) -> None:
    database = _path(call.arg(0, "database"))
    if database is not None:
        _databases.put(result, database)


def plain(call: Call) -> Payload:
    return _about(call)


def handed_on(call: Call, result: Any) -> None:
    """Remember that ``result`` works on the same database."""
    database = _databases.get(_given(call))
    if database is not None and result is not None:
        _databases.put(result, database)


# -- queries and fetches --------------------------------------------------------------------------------------------


def query(call: Call) -> Payload:
    said = _about(call, **statement(call.arg(0, "query")))
    if said["method"] == "executemany":
        sets = call.arg(1, "parameters")
        said["parameter_sets"] = len(sets) if type(sets) in {list, tuple} else None
    return said


def execute(call: Call) -> Payload:
    call.notes = row_counts.begin(of_connection(call))
    return query(call)


def relation_query(call: Call) -> Payload:
    """Describe ``relation.query(name, sql)``, and ``duckdb.query_df(frame, name, sql)``."""
    at = 0 if "." in call.name else 1
    return _about(call, view=_text(call.arg(at, "virtual_table_name")), **statement(call.arg(at + 1, "sql_query")))


def submit(call: Call) -> Payload:
    return {**statement(call.arg(0, "sql")), "database": _databases.get(call.instance)}


def appended_query(call: Call) -> Payload:
    return _about(call, **statement(call.arg(0, "dml")))


def statement(given: Any) -> Payload:
    """Return what is said of a SQL text, or of a `Statement` that the application had parsed."""
    if type(given) is str:
        return facts(given)
    if type(given).__name__ != "Statement":
        return {}
    kind = given.type.name
    return {**facts(given.query), "op": kind, "statements": [kind]}


def queried(call: Call, result: Any) -> Payload:
    """Say what came back: the connection itself, nothing, or a relation, which has not run yet."""
    if result is None:
        return {"result": "none"}
    if _is(result, "DuckDBPyRelation"):
        handed_on(call, result)
        return {"result": "relation"}
    return {"result": "connection"} if _is(result, "DuckDBPyConnection") else {}


def executed(call: Call, result: Any) -> Payload:
    said = queried(call, result)
    if said.get("result") == "connection":
        said["affected"] = row_counts.read(call.notes, result)
    counted(call)
    return said


def append(call: Call) -> Payload:
    call.notes = row_counts.begin(of_connection(call))
    return _about(call, table=_text(call.arg(0, "table_name")))


def counted(call: Call, _result: Any = None) -> None:
    """End the turn of a call that leaves a row count, whether it returned or raised."""
    row_counts.end(call.notes, of_connection(call))


def _is(thing: Any, name: str) -> bool:
    return isinstance(thing, getattr(sys.modules["duckdb"], name))


def fetch(call: Call) -> Payload:
    said = _about(call)
    if said["method"] == "fetchmany":
        size = call.arg(0, "size")
        said["size"] = size if type(size) is int else None
    return said


def fetched(call: Call, result: Any) -> Payload:
    if call.name.endswith("fetchone"):
        return {"rows": 0 if result is None else 1}
    return {"rows": _rows(result)}


def _rows(result: Any) -> int | None:
    """Return how many rows a fetched object holds, as it knows itself; None for a stream, which nobody has read yet."""
    kind = type(result)
    if kind is list:
        return len(result)
    if kind is dict:  # one array or tensor per column
        return len(next(iter(result.values()), ()))
    library, name = kind.__module__.partition(".")[0], kind.__name__
    if library == "pandas" and name == "DataFrame":
        return len(result.index)
    if library == "pyarrow" and name == "Table":
        return int(result.num_rows)
    if library == "polars" and name == "DataFrame":
        return int(result.height)
    return None


# -- relations ------------------------------------------------------------------------------------------------------


def shape(_call: Call, result: Any) -> Payload:
    return {"rows": result[0], "columns": result[1]}


def length(_call: Call, result: Any) -> Payload:
    return {"rows": result}


def fetched_or_made(call: Call, result: Any) -> Payload:
    """Describe `duckdb.df` and `duckdb.arrow`, which fetch unless they are given an object to make a relation of."""
    return queried(call, result) if _is(result, "DuckDBPyRelation") else {"rows": _rows(result)}


def on_argument(name: str, key: str, position: int = 0, *, path: bool = False) -> Callable[[Call], Payload]:
    """Return a describe function that tells one argument, a text or a path."""
    read = _path if path else _text

    def described(call: Call) -> Payload:
        return _about(call, **{key: read(call.arg(position, name))})

    return described


# -- what links what ------------------------------------------------------------------------------------------------


def of_connection(call: Call) -> Any:
    """Return the connection that the call works on; the module stands for the default one, which only C++ keeps."""
    given = _given(call)
    return given if given is not None else sys.modules["duckdb"]


def to_connection(call: Call, result: Any) -> Any:
    """Return by what a result is found: the connection, and what was handed out for the default one."""
    return (of_connection(call), result)


def to_default(_call: Call, _result: Any) -> Any:
    return sys.modules["duckdb"]


def of_argument(call: Call) -> Any:
    return call.arg(0, "connection")


def to_result(_call: Call, result: Any) -> Any:
    return result


def to_instance(call: Call, _result: Any = None) -> Any:
    return call.instance


def to_default_unless_given(call: Call) -> Any:
    """Return whose rows `duckdb.df` and `duckdb.arrow` fetch, or None when they are given an object of their own."""
    given = call.args[0] if call.args else call.kwargs.get("df", call.kwargs.get("arrow_object"))
    return of_connection(call) if given is None or type(given) is int else None


# -- spans ----------------------------------------------------------------------------------------------------------

_ATTRIBUTES: Final = {
    "database": semconv.DB_NAMESPACE,
    "table": semconv.DB_COLLECTION_NAME,
    "sql": semconv.DB_QUERY_TEXT,
    "rows": semconv.DB_RESPONSE_RETURNED_ROWS,
    "parameter_sets": semconv.DB_OPERATION_BATCH_SIZE,
}


def attributes(kind: str) -> Callable[[Mapping[str, Any]], Payload]:
    """Return the semantic-convention attributes of ``kind``, from a step's filtered payload."""
    verb = kind.rpartition(".")[2]

    def described(payload: Mapping[str, Any]) -> Payload:
        said: Payload = {semconv.DB_SYSTEM_NAME: "duckdb", semconv.DB_OPERATION_NAME: payload.get("op") or verb}
        said.update((name, payload[key]) for key, name in _ATTRIBUTES.items() if key in payload)
        if "statements" in payload:
            said[semconv.DB_QUERY_SUMMARY] = "; ".join(payload["statements"])[:255]
        return said

    return described
