"""The one place where DuckDB is imported, and where it is told what it may touch."""

from __future__ import annotations

from typing import Any

from codeintel_obs.errors import CodeIntelObsError

MEMORY = "256MB"


class MissingExtraError(CodeIntelObsError):
    """DuckDB, of the extra ``cli``, is not installed."""

    exit_code = 3


def duckdb(what: str) -> Any:
    """Return the library; without it ``what`` cannot be done, and the error says how to mend that."""
    try:
        import duckdb as library
    except ImportError as exc:
        raise MissingExtraError(f"{what} needs DuckDB; pip install 'codeintel-obs[cli]'") from exc
    return library


def connected(what: str, spill: str = "") -> Any:
    """Return a connection in memory that loads and installs nothing by itself; ``spill`` takes what memory does not."""
    return duckdb(what).connect(config={
        "memory_limit": MEMORY,
        "temp_directory": spill,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "threads": 2,
    })  # fmt: skip
