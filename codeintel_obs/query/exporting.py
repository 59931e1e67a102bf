"""Writes the records of runs as a Parquet table with the columns of the view `records`, for tools that know no ledger."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress

from codeintel_obs.errors import CodeIntelObsError
from codeintel_obs.query.library import duckdb
from codeintel_obs.query.tables import Tables
from codeintel_obs.query.writing import text


def export_parquet(path: str, data_dirs: Iterable[str], run_ids: Iterable[str] = ()) -> int:
    """Write the records of these runs, of all without any, to ``path``, whole or not at all; return how many."""
    tables = Tables(data_dirs, run_ids=run_ids)
    hidden = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.{os.urandom(4).hex()}.tmp")
    try:
        written = tables.con.execute(
            f"COPY (SELECT * FROM records ORDER BY file, n) TO {text(hidden)} (FORMAT parquet, COMPRESSION zstd)"
        ).fetchone()
        os.replace(hidden, path)
    except (OSError, duckdb("export").Error) as exc:
        raise CodeIntelObsError(f"{path}: cannot be written ({exc}); name another file with -o") from exc
    finally:
        with suppress(OSError):
            os.unlink(hidden)
    return int(written[0])
