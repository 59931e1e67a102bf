"""Runs one question in SQL over the ledger, which it can read and in no way change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec

from codeintel_obs.errors import CodeIntelObsError
from codeintel_obs.query.library import duckdb
from codeintel_obs.query.tables import VIEWS, Tables

_BATCH: Final = 1024


class Answer(NamedTuple):
    """What was found: the columns' names, the rows, and how many lines of the ledger were damaged and left out."""

    columns: list[str]
    rows: Iterator[tuple[Any, ...]]
    left_out: int


def ask(sql: str, data_dirs: Iterable[str], since: str = "") -> Answer:
    """Return the answer to ``sql``, one SELECT. Raises CodeIntelObsError for any other statement, and for a wrong one."""
    library = duckdb("SQL over the ledger")
    tables = Tables(data_dirs, since)
    tables.close_off()
    try:
        statements = tables.con.extract_statements(sql)
        if [each.type for each in statements] != [library.StatementType.SELECT]:
            raise CodeIntelObsError(f"expected one SELECT over {', '.join(VIEWS)}: the ledger is only read")
        found = tables.con.execute(statements[0])
        types = [str(each[1]) for each in found.description]
        first = found.fetchmany(_BATCH)  # what is wrong shows here, and not when half is printed
    except library.Error as exc:
        raise CodeIntelObsError(
            f"{exc}\nviews: {', '.join(VIEWS)}; `DESCRIBE records` shows the columns of one"
        ) from exc
    return Answer([each[0] for each in found.description], _rows(tables, first, types), tables.left_out)


def _rows(tables: Tables, rows: list[tuple[Any, ...]], types: list[str]) -> Iterator[tuple[Any, ...]]:
    while rows:
        for row in rows:
            yield tuple(_plain(value, kind) for value, kind in zip(row, types, strict=True))
        rows = tables.con.fetchmany(_BATCH)


def _plain(value: Any, kind: str) -> Any:
    """Return ``value`` as JSON has it: times in UTC as in the ledger, and what is JSON already as what it says."""
    if isinstance(value, datetime):
        return f"{value.isoformat(timespec='microseconds')}Z"
    if kind == "JSON" and isinstance(value, str):
        return msgspec.json.decode(value)
    return value
