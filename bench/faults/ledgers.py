"""What a run's files say, read with nothing but the standard library: the witness against which a report is held."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Record = dict[str, Any]
_ONE = re.compile(r"(?P<file>[^#]+\.jsonl):(?P<low>\d+)(-(?P<high>\d+))?")


@dataclass
class Attempt:
    """The records of one attempt by file (``<day>/<name>``), in the order of its writers' begins."""

    run_id: str
    token: str
    files: dict[str, list[Record]] = field(default_factory=dict)
    beside: dict[str, list[Record]] = field(default_factory=dict)
    """The files of all attempts: what a process was watching stands in the run that it began with."""

    @property
    def began(self) -> int:
        return min(records[0]["mono_ns"] for records in self.files.values())

    def records(self) -> list[Record]:
        return [record for records in self.files.values() for record in records]

    def cited(self, evidence: str) -> list[Record] | None:
        """Return the records that a piece of evidence names; None where there is no such place."""
        found = _ONE.fullmatch(evidence)
        if found is None or found["file"] not in self.beside:
            return None
        low, high = int(found["low"]), int(found["high"] or found["low"])
        held = {record["n"]: record for record in self.beside[found["file"]]}
        wanted = range(low, high + 1)
        return [held[n] for n in wanted] if all(n in held for n in wanted) and wanted else None


def attempts(data: Path) -> list[Attempt]:
    """Return every attempt under ``data``, the one that began first first. Torn lines are left out."""
    found: dict[tuple[str, str], Attempt] = {}
    for path in sorted(data.glob("telemetry/runs/*/*.jsonl")):
        records = [record for line in path.read_bytes().splitlines() if (record := _parsed(line))]
        if records:
            key = (records[0]["run_id"], records[0]["attempt"])
            found.setdefault(key, Attempt(*key)).files[f"{path.parent.name}/{path.name}"] = records
    beside = {name: records for each in found.values() for name, records in each.files.items()}
    for each in found.values():
        each.beside = beside
    return sorted(found.values(), key=lambda each: each.began)


def numbers(every: list[Attempt]) -> list[tuple[Attempt, int, int]]:
    """Return each attempt with its number among those of its run, and how many these are."""
    of_run: defaultdict[str, list[Attempt]] = defaultdict(list)
    for each in every:
        of_run[each.run_id].append(each)
    return [(each, of_run[each.run_id].index(each) + 1, len(of_run[each.run_id])) for each in every]


def manifest(data: Path, name: str) -> dict[str, Any] | None:
    """Return the manifest of the process ``name``."""
    found = list(data.glob(f"telemetry/processes/*/{name}.json"))
    return json.loads(found[0].read_text()) if len(found) == 1 else None


def _parsed(line: bytes) -> Record | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and "event" in record else None
