"""From files to reports: finds a run's attempts, reads what surrounds their records, and builds the report."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from codeintel_obs.ledger.attempts import AttemptFiles, Catalogue, WriterFiles, entries, find_attempts, list_runs
from codeintel_obs.ledger.chain import BROKEN
from codeintel_obs.ledger.manifest import is_alive, locate, read_manifest
from codeintel_obs.ledger.order import OUT_OF_ORDER
from codeintel_obs.ledger.reader import UNKNOWN_VERSION, UNREADABLE, read_marked
from codeintel_obs.ledger.verifier import Integrity, Verifier, verify
from codeintel_obs.report.build import Surroundings, build
from codeintel_obs.report.fold import KEPT_STEPS, process_name
from codeintel_obs.report.hints import hinted
from codeintel_obs.report_model import Told

if TYPE_CHECKING:
    from codeintel_obs.report.entries import Entry
    from codeintel_obs.report_model import RunReport

_ACTIVATION: Final = b'"event":"activation"'
_UNTOLD: Final = frozenset({UNREADABLE, UNKNOWN_VERSION, OUT_OF_ORDER, BROKEN})


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


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment in the past of a ledger: the last record of each file then, and which processes lived."""

    last: Mapping[str, int]
    alive: Mapping[str, bool | None]

    def had(self, entry: Entry) -> bool:
        """Whether ``entry`` was there."""
        return entry[1].n <= self.last.get(entry[0], 0)


def report_of(attempt: Attempt, keep: int = KEPT_STEPS, at: Moment | None = None) -> RunReport:
    """Read the ledger of ``attempt`` and return its report; ``at`` returns what it was then, on today's files."""
    # Liveness first: of a process that is gone before its files are read, everything it ever wrote is read.
    alive, manifests = processes_of(attempt)
    verifier = Verifier(attempt.files)
    passes = iter((verifier.entries(),))

    def source() -> Iterable[Entry]:
        """Give the records: the first time under verification."""
        found = next(passes, None) or entries(attempt.files)
        return filter(at.had, found) if at is not None else found

    around = Surroundings(
        run_id=attempt.run_id,
        token=attempt.files.attempt,
        integrity=verifier.integrity.facts,
        problems=lambda: _problems(verifier.integrity),
        number=attempt.number,
        total=attempt.total,
        ledger_path=attempt.ledger_path,
        alive=at.alive if at is not None else alive,
        manifests=manifests,
        earlier=lambda parent, until: activations(attempt, parent, until),
    )
    return hinted(build(source, around, keep))


def activations(attempt: Attempt, parent: str, until: int) -> Iterator[tuple[str, Entry]]:
    """Yield what the processes of ``attempt`` wrote of their plugins into the run ``parent``, their own, before ``until``.

    Facts of a process that changed after its manifest stand in its process run, and hold for every request in it.
    ``until`` is a monotonic time, in ns. Yields the process and the record with its place.
    """
    names = {writer.manifest for writer in attempt.files.writers if writer.manifest}
    for other in find_attempts([attempt.files.data_dir], parent):
        for writer in other.writers:
            if writer.manifest in names:
                process = process_name({"manifest": writer.manifest}) or ""
                yield from ((process, entry) for entry in _activations_in(writer, until))


def _activations_in(writer: WriterFiles, until: int) -> Iterator[Entry]:
    for file in writer.segments:
        for record in read_marked(file.path, _ACTIVATION):
            if record.mono_ns > until:
                return
            if record.event == "activation":
                yield file.place, record


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


def processes_of(attempt: Attempt) -> tuple[dict[str, bool | None], dict[str, dict[str, Any]]]:
    """Return which processes of the attempt live, and their manifests, by process name."""
    files = attempt.files
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
