"""The ledger as tables: lines that lie in files and lines that lie in packs, seen through the same views.

Of files only whole lines are taken, by the ledger's own reader: half of all flipped bits leave valid JSON that is not true.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from typing import Any, Final

from codeintel_obs.ledger.attempts import loose_files
from codeintel_obs.ledger.opening import opened
from codeintel_obs.ledger.packs import Held, Pack, packed_days, packs_of
from codeintel_obs.ledger.places import RUNS
from codeintel_obs.ledger.reader import TORN, Stretch, read_stretches
from codeintel_obs.query.library import connected
from codeintel_obs.query.writing import text

VIEWS: Final = ("records", "steps", "runs")
_BATCH: Final = 8192
_FIELDS: Final = {
    "n": "BIGINT", "event": "VARCHAR", "ts": "TIMESTAMP", "mono_ns": "BIGINT", "run_id": "VARCHAR", "attempt": "VARCHAR",
    "session_id": "VARCHAR", "trace_id": "VARCHAR", "span_id": "VARCHAR", "parent_span_id": "VARCHAR", "links": "JSON",
    "sampled": "BOOLEAN", "thread": "VARCHAR", "kind": "VARCHAR", "status": "VARCHAR", "detail": "VARCHAR",
    "duration_ns": "BIGINT", "payload": "JSON", "error": "JSON", "source": "VARCHAR",
}  # fmt: skip
_STORED: Final = (
    "run_id",
    "attempt",
    "event",
    "ts",
    "kind",
    "status",
)  # columns of a pack: what they leave out is not read

_STEPS: Final = """
CREATE VIEW steps AS SELECT
  run_id, attempt, span_id AS id, any_value(parent_span_id) AS parent, any_value(kind) AS kind,
  coalesce(max(status) FILTER (event <> 'step.begin'), 'in_flight') AS status, max(detail) AS detail,
  min(ts) FILTER (event <> 'step.end') AS started_at, max(duration_ns) AS duration_ns,
  CASE WHEN count(payload) = 2 THEN json_merge_patch(max(payload) FILTER (event = 'step.begin'),
    max(payload) FILTER (event <> 'step.begin')) ELSE max(payload) END AS payload,
  max(error->>'type') AS error_type, max(error->>'message') AS error_message,
  list(file || ':' || n ORDER BY n) AS evidence
FROM records WHERE event IN ('step.begin', 'step.end', 'step') GROUP BY run_id, attempt, span_id"""
_RUNS: Final = """
CREATE VIEW runs AS SELECT
  run_id, attempt, max(session_id) AS session_id,
  coalesce(max(payload->>'name') FILTER (event = 'run.end'), max(payload->>'name') FILTER (event = 'run.begin')) AS name,
  min(ts) FILTER (event = 'run.begin') AS started_at, max(ts) FILTER (event = 'run.end') AS ended_at,
  max(payload->>'outcome') FILTER (event = 'run.end') AS outcome, count(*) AS records,
  count(DISTINCT span_id) FILTER (event IN ('step.begin', 'step.end', 'step')) AS steps,
  count(*) FILTER (event IN ('step.end', 'step') AND status IN ('failed', 'timed_out')) AS failed_steps,
  bool_and(compacted) AS compacted
FROM records GROUP BY run_id, attempt"""


class Tables:
    """A connection with the views ``records``, ``steps`` and ``runs``; ``left_out`` counts lines that are not whole."""

    def __init__(self, data_dirs: Iterable[str], since: str = "", run_ids: Iterable[str] = ()) -> None:
        spill = tempfile.mkdtemp(prefix="codeintel-obs-")  # lines of 200,000 runs are more than memory is to take
        self.con: Any = connected("SQL over the ledger", spill)
        weakref.finalize(self, shutil.rmtree, spill, ignore_errors=True)
        self.left_out = 0
        self._dirs, self._since, self._runs = list(map(os.path.abspath, data_dirs)), since, set(run_ids)
        self.con.execute("CREATE TABLE loose(file VARCHAR, raw VARCHAR)")
        self.con.execute("CREATE TABLE twins(file VARCHAR)")
        self.packs = self._packs()
        self._load()
        self._views()

    def close_off(self) -> None:
        """Let nothing be read from here on but the packs, nothing be installed or loaded, and no setting be changed."""
        allowed = ", ".join(text(pack.parquet) for pack in self.packs)
        for statement in (
            f"SET allowed_paths = [{allowed}]",
            "SET enable_external_access = false",
            "SET python_enable_replacements = false",
            "SET lock_configuration = true",
        ):
            self.con.execute(statement)

    def _packs(self) -> list[Pack]:
        """Return the packs; what lies in one and as a file as well is read from the file, as by every reader."""
        found = []
        for data_dir in self._dirs:
            for day in packed_days(data_dir):
                if day >= self._since:
                    found += packs_of(data_dir, day)
                    there = set(_names(os.path.join(data_dir, *RUNS, day)))
                    for name in there & Held(data_dir, day).all().keys() if there else ():
                        self.con.execute("INSERT INTO twins VALUES ($1)", [f"{day}/{name}"])
        return found

    def _load(self) -> None:
        """Read the files: whole lines, by the thousand."""
        waiting: list[tuple[str, str]] = []
        for place, line in self._lines():
            waiting.append((place, line))
            if len(waiting) >= _BATCH:
                self._hand_over(waiting)
                waiting = []
        self._hand_over(waiting)

    def _hand_over(self, rows: list[tuple[str, str]]) -> None:
        if rows:
            columns = [list(column) for column in zip(*rows, strict=True)]
            self.con.execute("INSERT INTO loose SELECT unnest($1), unnest($2)", columns)

    def _lines(self) -> Iterator[tuple[str, str]]:
        for data_dir, day, name in loose_files(self._dirs, self._since):
            path = os.path.join(data_dir, *RUNS, day, name)
            for found in read_stretches(path):
                if isinstance(found, Stretch):
                    told = zip(found.lines, found.records, strict=True)
                    yield from ((f"{day}/{name}", raw.decode()) for raw, each in told if self._wants(each.run_id))
                elif found.record is not None and self._wants(found.record.run_id):
                    yield f"{day}/{name}", _line_at(path, found.offset)
                elif found.missing is None and found.kind != TORN:
                    self.left_out += 1

    def _wants(self, run_id: str) -> bool:
        return not self._runs or run_id in self._runs

    def _views(self) -> None:
        shape = text("{" + ", ".join(f'"{name}": "{kind}"' for name, kind in _FIELDS.items()) + "}")
        fields = ", ".join(f"told.{name}" for name in _FIELDS)
        sources = [
            f"SELECT file, {fields}, false AS compacted FROM (SELECT file, from_json(raw, {shape}) AS told FROM loose)"
        ]
        if self.packs:
            stored = ", ".join(name if name in _STORED else f"told.{name}" for name in _FIELDS)
            packed = ", ".join(text(pack.parquet) for pack in self.packs)
            only = f" AND run_id IN ({', '.join(map(text, sorted(self._runs)))})" if self._runs else ""
            sources.append(
                f"SELECT file, {stored}, true AS compacted FROM (SELECT day || '/' || file AS file,"
                f" {', '.join(_STORED)}, from_json(raw, {shape}) AS told FROM read_parquet([{packed}],"
                " hive_partitioning = true, hive_types = {'day': VARCHAR})"
                f" WHERE day || '/' || file NOT IN (SELECT file FROM twins){only})"
            )
        self.con.execute(f"CREATE VIEW records AS {' UNION ALL '.join(sources)}")
        self.con.execute(_STEPS)
        self.con.execute(_RUNS)


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _line_at(path: str, offset: int) -> str:
    with open(opened(path), "rb") as file:
        file.seek(offset)
        return file.readline().rstrip(b"\n").decode("utf-8", "replace")
