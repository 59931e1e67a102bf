"""Where a name is defined, by the catalog of one generation."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Self

import duckdb

from codeintel_rev.errors import DamagedIndexError, UsageError
from codeintel_rev.io.duckdb_catalog import FILE
from codeintel_rev.io.globs import PathFilter

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

LONGEST = 300
MOST_SYMBOLS = 200
_ROWS = 5000  # before paths are filtered and the pieces of long definitions put together
_WIDTH = 160
_SEPARATORS = re.compile(r"::|#|->|/")
Match = Literal["exact", "member", "prefix", "contains"]
_MATCHES: tuple[Match, ...] = ("exact", "member", "prefix", "contains")

# Same case before another; `member`: the last part of a qualified name, which is what people remember.
_FIND = """
select path, kind, name, start_line, end_line, text,
  case when lower(name) = $1 then 0 when ends_with(lower(name), '.' || $1) then 1
       when starts_with(lower(split_part(name, '.', -1)), $1) then 2 else 3 end as distance
from chunks
where contains(lower(name), $1) and kind not in ('body', 'lines', 'module') and ($3 = '' or kind = $3)
order by distance, not contains(name, $2), length(name), path, start_line
limit $4
"""


@dataclass(frozen=True, slots=True)
class Symbol:
    """A definition; `signature` is the line that names it. `end_line` of a class is that of its head."""

    name: str
    kind: str
    path: str
    start_line: int
    end_line: int
    signature: str
    match: Match


@dataclass(frozen=True, slots=True)
class SymbolQuery:
    """`name`: qualified or not, in whatever case; `kind`: function, method, class … or empty for all."""

    name: str
    kind: str = ""
    globs: tuple[str, ...] = ()
    limit: int = 10


class Symbols:
    """Of one generation; threads may share it."""

    def __init__(self, generation: Path) -> None:
        """DamagedIndexError for a catalog that cannot be read."""
        try:
            self._connection = duckdb.connect(str(generation / FILE), read_only=True)
        except duckdb.Error as error:
            raise _damaged(generation, error) from error
        self._generation = generation

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def find(self, query: SymbolQuery) -> tuple[list[Symbol], bool]:
        """The likeliest first, and whether there are more."""
        name, wanted = checked_name(query), PathFilter(query.globs)
        parameters = [name.lower(), name, query.kind, _ROWS]
        try:
            # a cursor is a connection of its own: one connection serves one thread at a time
            with self._connection.cursor() as cursor:
                rows = cursor.execute(_FIND, parameters).fetchall()
        except duckdb.Error as error:
            raise _damaged(self._generation, error) from error
        found = _whole([_symbol(row) for row in rows if wanted(row[0])])
        return found[: query.limit], len(found) > query.limit


def checked_name(query: SymbolQuery) -> str:
    """The name with dots between its parts, as the catalog has it."""
    name = _SEPARATORS.sub(".", query.name.strip().removesuffix("()"))
    if not name:
        raise UsageError("the name is empty", "Mend: give the name of a function, method or class, or a part of one")
    if len(name) > LONGEST:
        raise UsageError(f"the name has {len(name)} characters, at most {LONGEST} are read")
    if not 1 <= query.limit <= MOST_SYMBOLS:
        raise UsageError(f"limit is {query.limit}", f"Mend: give 1 to {MOST_SYMBOLS}")
    try:
        (name + query.kind).encode()
    except UnicodeEncodeError as error:
        raise UsageError("the name is not valid text (a lone surrogate)") from error
    return name


def _symbol(row: Sequence[object]) -> Symbol:
    path, kind, name, start, end, text, distance = row
    signature = _signature(str(text), str(name).rpartition(".")[2])
    return Symbol(
        str(name), str(kind), str(path), int(str(start)), int(str(end)), signature, _MATCHES[int(str(distance))]
    )


def _signature(text: str, last: str) -> str:
    lines = text.split("\n")
    named = next(
        (line for line in lines if last in line and not line.lstrip().startswith(("#", "//", "*", "@"))), lines[0]
    )
    return named.strip()[:_WIDTH]


def _whole(pieces: Iterable[Symbol]) -> list[Symbol]:
    """A definition that was cut into overlapping pieces is one again, in the place of its best piece."""
    found: list[Symbol] = []
    last: dict[tuple[str, str, str], int] = {}
    for piece in pieces:
        key = (piece.path, piece.kind, piece.name)
        at = last.get(key)
        if at is not None and piece.start_line <= found[at].end_line + 1:
            found[at] = replace(found[at], end_line=max(found[at].end_line, piece.end_line))
        else:
            last[key] = len(found)
            found.append(piece)
    return found


def _damaged(generation: Path, error: duckdb.Error) -> DamagedIndexError:
    said = next(iter(str(error).strip().splitlines()), "no message")
    return DamagedIndexError(f"the catalog of {generation} cannot be read: {said}", "Mend: codeintel-rev index REPO")
