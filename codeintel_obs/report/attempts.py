"""From files to reports: finds a run's attempts, reads what surrounds their records, and builds the report."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from codeintel_obs.ledger.attempts import AttemptFiles, Catalogue, entries, find_attempts, list_runs
from codeintel_obs.ledger.manifest import is_alive, locate, read_manifest
from codeintel_obs.ledger.order import OUT_OF_ORDER
from codeintel_obs.ledger.reader import UNKNOWN_VERSION, UNREADABLE
from codeintel_obs.ledger.verifier import Integrity, Verifier, verify
from codeintel_obs.report.build import Surroundings, build
from codeintel_obs.report.fold import KEPT_STEPS, process_name
from codeintel_obs.report_model import Told

if TYPE_CHECKING:
    from codeintel_obs.report.entries import Entry
    from codeintel_obs.report_model import RunReport

_UNTOLD: Final = frozenset({UNREADABLE, UNKNOWN_VERSION, OUT_OF_ORDER})


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt on disk: ``number`` of ``total``, counted from 1 by begin."""

    files: AttemptFiles
    number: int
    total: int

    @property
    def run_id(self) -> str:
        return self.files.run_id

    @property
    def ledger_path(self) -> str | None:
        """The file of the process that began the attempt, else the first that is left."""
        writer = self.files.beginner or next(iter(self.files.writers), None)
        return writer.segments[0].path if writer else None


def find(data_dirs: Iterable[str], run: str) -> list[Attempt]:
    """Return the attempts of ``run``, oldest first; ``run`` is hostile input."""
    return numbered(find_attempts(data_dirs, run))


def newest_first(data_dirs: list[str]) -> Iterator[list[Attempt]]:
    """Yield the attempts of each run, the runs by the begin of their newest attempt; files are read as needed."""
    seen: set[str] = set()
    names = Catalogue(data_dirs)
    for files in list_runs(data_dirs):
        if files.run_id not in seen:
            seen.add(files.run_id)
            yield numbered(names.attempts(files.run_id) or [files])


def every(data_dirs: list[str]) -> list[Attempt]:
    """Return all attempts of all runs, oldest first."""
    found = sorted(list_runs(data_dirs), key=lambda files: files.begun_at)
    totals = Counter(files.run_id for files in found)
    numbers: Counter[str] = Counter()
    attempts = []
    for files in found:
        numbers[files.run_id] += 1
        attempts.append(Attempt(files, numbers[files.run_id], totals[files.run_id]))
    return attempts


def report_of(attempt: Attempt, keep: int = KEPT_STEPS) -> RunReport:
    """Read the ledger of ``attempt`` and return its report."""
    # Liveness first: of a process that is gone before its files are read, everything it ever wrote is read.
    alive, manifests = _processes(attempt.files)
    verifier = Verifier(attempt.files)
    passes = iter((verifier.entries(),))

    def source() -> Iterable[Entry]:
        """Give the records: the first time under verification."""
        return next(passes, None) or entries(attempt.files)

    around = Surroundings(
        run_id=attempt.run_id,
        token=attempt.files.attempt,
        integrity=verifier.integrity.facts,
        problems=lambda: _problems(verifier.integrity),
        number=attempt.number,
        total=attempt.total,
        ledger_path=attempt.ledger_path,
        alive=alive,
        manifests=manifests,
    )
    return build(source, around, keep)


def integrity_of(attempt: Attempt) -> Integrity:
    """Prove again what the ledger of ``attempt`` holds."""
    return verify(attempt.files)


def _problems(found: Integrity) -> list[Told]:
    """Return what is wrong with the ledger and has no list of its own in the report's integrity."""
    return [
        Told(message=f"the ledger holds what cannot be told here: {each.message}", evidence=[each.evidence])
        for each in found.problems
        if each.kind in _UNTOLD
    ]


def numbered(found: list[AttemptFiles]) -> list[Attempt]:
    """Return the attempts of one run, oldest first, with their numbers."""
    return [Attempt(files, number, len(found)) for number, files in enumerate(found, 1)]


def _processes(files: AttemptFiles) -> tuple[dict[str, bool | None], dict[str, dict[str, Any]]]:
    """Return which processes of the attempt live, and their manifests, by process name."""
    alive: dict[str, bool | None] = {}
    manifests: dict[str, dict[str, Any]] = {}
    for writer in files.writers:
        name = process_name({"manifest": writer.manifest})
        path = locate(files.data_dir, writer.manifest) if writer.manifest else None
        if name is None or path is None:
            continue
        alive[name] = is_alive(path)
        manifests[name] = _content(read_manifest(path))
    return alive, manifests


def _content(data: bytes | None) -> dict[str, Any]:
    try:
        content = json.loads(data or b"{}")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
