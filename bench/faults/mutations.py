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
    """Run ``case``, mutate its ledgers one record at a time, and return the mutations that no report told of."""
    with tempfile.TemporaryDirectory(prefix="mutant-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        if run(case, folder).not_run:
            return []
        random_numbers = random.Random(seed)
        chosen = [each for each in every(folder, random_numbers) if random_numbers.random() < share]
        return [f"{case.name}: {each}" for each in chosen if not _is_told(folder, each)]


def every(folder: Path, random_numbers: random.Random) -> Iterator[Mutation]:
    """Yield the mutations of every record under ``folder``: each deleted, altered at one place, and moved."""
    for path in sorted(folder.glob(".codeintel/telemetry/runs/*/*.jsonl")):
        lines = path.read_bytes().splitlines(keepends=True)
        for at, line in enumerate(lines):
            yield Mutation("delete", path, at)
            yield Mutation("alter", path, at, random_numbers.randrange(len(line) - 1))
            if len(lines) > 1:
                yield Mutation("swap", path, at, random_numbers.choice([n for n in range(len(lines)) if n != at]))


def _is_told(folder: Path, mutation: Mutation) -> bool:
    content = mutation.path.read_bytes()
    lines = content.splitlines(keepends=True)
    if mutation.is_lost_tail(lines):
        return True
    runs = [(attempt.run_id, number) for attempt, number, _ in numbers(attempts(folder / ".codeintel"))]
    try:
        mutation.path.write_bytes(b"".join(mutation.applied(lines)))
        return any(_is_flagged(folder, run_id, number) for run_id, number in runs)
    finally:
        mutation.path.write_bytes(content)


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
