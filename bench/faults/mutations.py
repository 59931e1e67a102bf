"""A damaged ledger never lies: any one record deleted, altered or moved, and the report says that something is wrong.

Only what the end of an unclosed file has lost cannot be told from what was never written there.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from .case import Case
from .ledgers import attempts, numbers
from .running import run

_ALTERED = 5
"""Of each record so many bytes; every place of a line is altered in the proof `ledger-flips`."""
_FLAGS = ("gaps", "bad_crc", "torn_tail", "duplicates", "dropped")


@dataclass(frozen=True, slots=True)
class Mutation:
    """What is done to line ``at`` of a file; ``other`` is the line that it changes places with, or the byte altered."""

    what: str
    path: Path
    at: int
    other: int = 0

    def __str__(self) -> str:
        return f"{self.what} line {self.at + 1} of {self.path.name}"

    def applied(self, lines: list[bytes]) -> list[bytes]:
        if self.what == "delete":
            return lines[: self.at] + lines[self.at + 1 :]
        changed = list(lines)
        if self.what == "swap":
            changed[self.at], changed[self.other] = changed[self.other], changed[self.at]
        else:
            line = bytearray(lines[self.at])
            line[self.other] ^= 1
            changed[self.at] = bytes(line)
        return changed

    def is_lost_tail(self, lines: list[bytes]) -> bool:
        """Whether the end of a file that nobody closed is gone."""
        closed = b'"event":"run.end"' in lines[-1] or b'"event":"writer.end"' in lines[-1]
        return self.what == "delete" and self.at == len(lines) - 1 and not closed


def lies(case: Case, seed: int, share: float = 1.0) -> list[str]:
    """Run ``case``, mutate its ledgers one record at a time, and return the mutations that no report told of.

    In full each record is deleted, altered at several places and swapped with each other one of its file; of less than
    that the ``seed`` says which.
    """
    with tempfile.TemporaryDirectory(prefix="mutant-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        if run(case, folder).not_run:
            return []
        random_numbers = random.Random(seed)
        wrong: list[str] = []
        for path in sorted(folder.glob(".codeintel/telemetry/runs/*/*.jsonl")):
            lines = path.read_bytes().splitlines(keepends=True)
            runs = _runs_of(folder, path)
            chosen = (each for each in every(path, lines, random_numbers) if random_numbers.random() < share)
            wrong += [f"{case.name}: {each}" for each in chosen if not _is_told(folder, each, lines, runs)]
        return wrong


def every(path: Path, lines: list[bytes], random_numbers: random.Random) -> Iterator[Mutation]:
    """Yield the mutations of the records of one file."""
    for at, line in enumerate(lines):
        yield Mutation("delete", path, at)
        for byte in random_numbers.sample(range(len(line) - 1), min(_ALTERED, len(line) - 1)):
            yield Mutation("alter", path, at, byte)
        yield from (Mutation("swap", path, at, other) for other in range(at + 1, len(lines)))


def _runs_of(folder: Path, path: Path) -> list[tuple[str, int]]:
    """Return the run of a file, with its number; of an attempt whose first line is gone it may be another's."""
    place = f"{path.parent.name}/{path.name}"
    found = numbers(attempts(folder / ".codeintel"))
    return [(attempt.run_id, number) for attempt, number, _ in found if place in attempt.files]


def _is_told(folder: Path, mutation: Mutation, lines: list[bytes], runs: list[tuple[str, int]]) -> bool:
    if mutation.is_lost_tail(lines):
        return True
    try:
        _write(mutation.path, mutation.applied(lines))
        return any(_is_flagged(folder, run_id, number) for run_id, number in runs)
    finally:
        _write(mutation.path, lines)


def _write(path: Path, lines: list[bytes]) -> None:
    """Write anew what may be a closed file: its mode says that it is, and stays."""
    mode = path.stat().st_mode
    path.unlink()
    path.write_bytes(b"".join(lines))
    path.chmod(mode)


def _is_flagged(folder: Path, run_id: str, number: int) -> bool:
    """Whether the report of one attempt says that its ledger is not whole; one that is not found at all says so too."""
    from codeintel_obs.cli.finding import attempts_of
    from codeintel_obs.errors import RunNotFoundError
    from codeintel_obs.report.attempts import report_of

    try:
        found = attempts_of(run_id, [str(folder / ".codeintel")])
    except RunNotFoundError:
        return True
    if number > len(found):
        return True
    integrity: dict[str, Any] = msgspec.to_builtins(report_of(found[number - 1]).integrity)
    return integrity["complete"] is not True or any(integrity[flag] for flag in _FLAGS)
