"""The chunks themselves, by document number: what the other indexes only point at, and the names they go by."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self

import duckdb

from codeintel_rev.retrieval.exact import Named

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from codeintel_rev.indexing.chunks import Chunk

FILE = "catalog.duckdb"
_TYPES = {"str": "varchar", "int": "integer"}
_NAMED = "select doc, path, kind, name, start_line from chunks"
# A name is found by itself, and by what stands behind a dot of it; what is cut off must not be the definition.
_NEAREST = "lower(name) <> $1, kind in ('body', 'lines'), doc"
_BY_NAME = f"{_NAMED} where lower(name) = $1 or ends_with(lower(name), '.' || $1) order by {_NEAREST} limit $2"
_BY_PATH = f"{_NAMED} where contains(lower(path), $1) order by length(path), doc limit $2"
# RE2: it has no backtracking, so there is no expression that explodes
_BY_TEXT = f"{_NAMED} where regexp_matches(text, $1) order by doc limit $2"
_UNDATED = -(2**63)
_ALL_DATES = (
    "select coalesce(committed_at, $1::bigint) as committed from chunks left join files using (path) order by doc"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One chunk as stored; the columns of the table `chunks` are these fields."""

    doc: int
    path: str
    start_line: int
    end_line: int
    kind: str
    name: str
    text: str
    blob: str


_COLUMNS = {field.name: _TYPES[str(field.type)] for field in fields(Row)}


def build(folder: Path, chunks: Sequence[Chunk], committed: Mapping[str, int] | None = None) -> None:
    """Documents are numbered from 0 in the order of the chunks.

    `committed`: when each path was last committed, in seconds of the epoch; without it nothing is boosted.
    """
    rows = [Row(doc, c.path, c.start_line, c.end_line, c.kind, c.name, c.text, c.blob) for doc, c in enumerate(chunks)]
    columns = [
        [getattr(row, name) for row in rows] for name in _COLUMNS
    ]  # astuple copies deeply: measured 5 times slower
    typed = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
    lists = ", ".join(f"unnest(${place}::{kind}[])" for place, kind in enumerate(_COLUMNS.values(), 1))
    dates = committed or {}
    with duckdb.connect(str(folder / FILE)) as connection:
        connection.execute(f"create table chunks ({typed})")
        # one statement with a list per column: measured 74 times faster than a row at a time
        connection.execute(f"insert into chunks select {lists}", columns)
        connection.execute("create table files (path varchar, committed_at bigint)")
        connection.execute(
            "insert into files select unnest($1::varchar[]), unnest($2::bigint[])",
            [list(dates), list(dates.values())],
        )
        connection.execute("checkpoint")  # that of closing fails silently on a full disk


class DuckDBCatalog:
    """An open catalog, read-only: any number of processes may have it open, and any number of threads ask it."""

    def __init__(self, folder: Path) -> None:
        """duckdb.Error for a file that is missing or is no database."""
        self._connection = duckdb.connect(str(folder / FILE), read_only=True)
        self._idle: list[duckdb.DuckDBPyConnection] = []  # as many as have asked at the same time
        self._dates: NDArray[np.int64] | None = None  # two threads may both read them, and read the same

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """For when nobody asks any more."""
        for cursor in self._idle:
            cursor.close()
        self._connection.close()

    def rows(self, docs: Iterable[int]) -> dict[int, Row]:
        """By document number; a number that is not there is left out."""
        columns = ", ".join(_COLUMNS)  # names of our own fields, nothing from outside
        query = f"select {columns} from chunks where doc in (select unnest($1::integer[]))"  # noqa: S608
        found = [Row(*values) for values in self._ask(query, [list(docs)])]
        return {row.doc: row for row in found}

    def committed(self, docs: Iterable[int]) -> dict[int, int]:
        """When the file of each document was last committed; documents without a date are left out."""
        dates = self._all_dates()
        return {doc: int(dates[doc]) for doc in docs if doc < len(dates) and dates[doc] != _UNDATED}

    def _all_dates(self) -> NDArray[np.int64]:
        # of every document at the first question: 8 bytes each, 7 ms for 60,000, where each question took 2
        if self._dates is None:
            with self._cursor() as cursor:
                self._dates = cursor.execute(_ALL_DATES, [_UNDATED]).fetchnumpy()["committed"]
        return self._dates

    def named(self, name: str, limit: int) -> list[Named]:
        """Chunks of that name, or whose qualified name ends in it, in whatever case; in document order."""
        return [Named(*values) for values in self._ask(_BY_NAME, [name.lower(), limit])]

    def under(self, path: str, limit: int) -> list[Named]:
        """Chunks whose path contains this, in whatever case; the shortest paths first."""
        return [Named(*values) for values in self._ask(_BY_PATH, [path.lower(), limit])]

    def matching(self, expression: str, limit: int) -> list[Named]:
        """Chunks whose text has a match; duckdb.Error for an expression that RE2 refuses."""
        return [Named(*values) for values in self._ask(_BY_TEXT, [expression, limit])]

    def _ask(self, query: str, parameters: list[object]) -> list[tuple[Any, ...]]:
        with self._cursor() as cursor:
            found: list[tuple[Any, ...]] = cursor.execute(query, parameters).fetchall()
            return found

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection is used by one thread at a time; a cursor of it is a connection to the same database."""
        try:
            cursor = self._idle.pop()
        except IndexError:
            cursor = self._connection.cursor()
        try:
            yield cursor
        finally:
            self._idle.append(cursor)
