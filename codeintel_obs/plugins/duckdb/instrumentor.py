"""The instrumentor for DuckDB: its table of points, and what their payload keys hold."""

from __future__ import annotations

from typing import ClassVar

from codeintel_obs.instrumentor import LibraryInstrumentor
from codeintel_obs.plugins.duckdb.describe import attributes
from codeintel_obs.plugins.duckdb.exclusions import EXCLUSIONS
from codeintel_obs.plugins.duckdb.points import POINTS
from codeintel_obs.steps import FieldClass

_COUNTS = ("rows", "columns", "affected", "size", "parameter_sets", "sql_len")
_CODES = ("method", "op", "statements", "result", "read_only")
_NAMES = ("table", "view", "function", "extension", "config")
_PATHS = ("database", "path")


class DuckDBInstrumentor(LibraryInstrumentor):
    """DuckDB, 1.4 to 2.0."""

    plugin = "duckdb"
    library = "duckdb"
    requires = ("duckdb>=1.4,<2.1",)
    points = POINTS
    fields: ClassVar = {
        **dict.fromkeys(_COUNTS, FieldClass.COUNT),
        **dict.fromkeys(_CODES, FieldClass.CODE),
        **dict.fromkeys(_NAMES, FieldClass.NAME),
        **dict.fromkeys(_PATHS, FieldClass.PATH),
        "sql_sha256": FieldClass.ID,
        "sql": FieldClass.TEXT,
    }
    exclusions = EXCLUSIONS
    semantics: ClassVar = {kind: attributes(kind) for kind in {point.kind for point in POINTS if point.kind}}
