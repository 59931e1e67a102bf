"""The chunks of the generation that answers now: a file that has not changed since is not read again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codeintel_rev.errors import DamagedIndexError, NotFoundError
from codeintel_rev.indexing.chunks import CHUNKER_VERSION, Chunk
from codeintel_rev.io.duckdb_catalog import FILE
from codeintel_rev.io.manifest import Manifest

if TYPE_CHECKING:
    from pathlib import Path

    from codeintel_rev.io.generations import IndexFolder

Known = dict[tuple[str, str], list[Chunk]]
_QUERY = "select path, blob, start_line, end_line, kind, name, text from chunks order by path, start_line, doc"


def known_chunks(folder: IndexFolder) -> Known:
    """By path and blob; empty when there is nothing that can be used, for whatever reason."""
    try:
        generation = folder.current()
        if Manifest.read(generation).chunker != CHUNKER_VERSION:
            return {}
    except (NotFoundError, DamagedIndexError):
        return {}
    return _read(generation / FILE)


def _read(catalog: Path) -> Known:
    import duckdb

    known: Known = {}
    try:
        with duckdb.connect(str(catalog), read_only=True) as connection:
            for row in connection.execute(_QUERY).fetchall():
                chunk = Chunk(*row)
                known.setdefault((chunk.path, chunk.blob), []).append(chunk)
    except (duckdb.Error, TypeError):  # damaged, or of another shape: everything is read anew
        return {}
    return known
