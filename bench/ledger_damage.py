"""Damage done on purpose to a closed run: single bits, lines removed, doubled or swapped, and bytes made to confuse.

Each damage must be told, nothing may be read that was not written, and no reader may raise. Of a chained run also what a
forger does who numbers the lines anew and gives each a fresh checksum. Every second seed damages a chained run.
"""

from __future__ import annotations

import random
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from zlib import crc32

import msgspec

from codeintel_obs.ledger.attempts import AttemptFiles, entries, find_attempts
from codeintel_obs.ledger.checks import TAIL
from codeintel_obs.ledger.verifier import Problem, verify
from codeintel_obs.recorder import Listeners
from codeintel_obs.report.attempts import Attempt, report_of

LIBRARIES = Path(__file__).resolve().parents[1] / "tests" / "libraries"
FLIPS, EDITS, FUZZED, FORGED = 100, 10, 50, 10
"""How many of each one seed does."""
_HOSTILE = (
    b"\n", b"\0", b"{", b"[" * 5000, b'"', b"\xff", b"\\u0000", b"9" * 400, b'{"v":1,"n":18446744073709551616}', b'"crc":"',
    b"1e999", b"x" * 70_000, b'{"v":1,"n":-1,"event":"step"}\n', b"\xed\xa0\x80",
)  # fmt: skip


class Closed:
    """A run of two processes that ended well, as bytes; damaged copies of it are verified in ``folder``."""

    def __init__(self, folder: Path, *, chain: bool) -> None:
        self.folder = folder
        source = folder / ("chained" if chain else "whole")
        if not source.exists():
            roots = _record(source, chain=chain)
            source.with_suffix(".roots").write_text("\n".join(roots))
        self.roots = set(source.with_suffix(".roots").read_text().split())
        self.files = {path.relative_to(source): path.read_bytes() for path in sorted(source.rglob("*.jsonl"))}
        self.source = source
        self.records = {msgspec.json.encode(record) for record in _read(source)}

    def told(self, damaged: dict[Path, bytes]) -> str:
        """Return what is wrong with how readers take ``damaged`` files, or nothing."""
        attempts, found = self._damaged(damaged)
        strange = [record for record in _read(self.folder / "copy") if msgspec.json.encode(record) not in self.records]
        for attempt in attempts:
            report_of(Attempt(attempt, 1, 1))
        if strange:
            return f"read what nobody wrote: {strange[0]}"
        return "" if found or len(attempts) != 1 else "nothing told"

    def betrayed(self, forged: dict[Path, bytes]) -> str:
        """Return what is wrong when neither the chain nor the roots tell of ``forged`` files, or nothing."""
        attempts, found = self._damaged(forged)
        kept = {root for attempt in attempts for root in verify(attempt).roots.values()}
        return "" if found or self.roots - kept else "neither the chain nor a root tells"

    def _damaged(self, damaged: dict[Path, bytes]) -> tuple[list[AttemptFiles], list[Problem]]:
        copy = self.folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.source, copy)
        for name, data in damaged.items():
            path = copy / name
            path.chmod(0o640)
            path.write_bytes(data)
            path.chmod(0o440)
        attempts = find_attempts([str(copy)], "whole")
        return attempts, [problem for attempt in attempts for problem in verify(attempt).problems]


def forged(lines: Sequence[bytes]) -> bytes:
    """Return lines that were changed, removed or moved as a forger leaves them: densely numbered, with fresh checksums."""
    made = []
    for number, line in enumerate(lines, 1):
        head = re.sub(rb'"n":\d+', b'"n":%d' % number, line.rstrip(b"\n")[:-TAIL], count=1)
        made.append(head + b',"crc":"%08x"}\n' % crc32(head))
    return b"".join(made)


def _record(folder: Path, *, chain: bool) -> list[str]:
    """Record a run of two processes; return the roots of its files."""
    sys.path.insert(0, str(LIBRARIES))
    from ledger_workload import Workload

    roots: list[str] = []
    active = SimpleNamespace(listeners=Listeners(root=(lambda root: roots.append(root.sha256),)))
    work = Workload(folder, "none", chain=chain, active=active)
    work.sink._home.tidy = None
    run = work.run("whole", name="whole")
    work.steps(run, 20, k=10, text='q"ü' * 9)
    other = Workload(folder, "none", chain=chain, active=active)
    joined = other.run(carrier={"run": "whole", "attempt": run.attempt, "day": run.day})
    other.steps(joined, 10)
    other.finish(joined)
    other.close()
    work.finish(run)
    work.close()
    return roots


def _read(folder: Path) -> list[object]:
    return [record for attempt in find_attempts([str(folder)], "whole") for _, record in entries(attempt)]


def flips(seed: int, folder: Path) -> list[str]:
    """Flip one bit, `FLIPS` times over."""
    closed, chance = Closed(folder, chain=seed % 2 == 0), random.Random(seed)
    wrong = []
    for _ in range(FLIPS):
        name = chance.choice(list(closed.files))
        data = bytearray(closed.files[name])
        bit = chance.randrange(8 * len(data))
        data[bit // 8] ^= 1 << bit % 8
        if said := closed.told({name: bytes(data)}):
            wrong.append(f"bit {bit} of {name}: {said}")
    return wrong


def edits(seed: int, folder: Path) -> list[str]:
    """Remove, double, or swap lines, `EDITS` times over; the file stays marked as closed."""
    closed, chance = Closed(folder, chain=seed % 2 == 0), random.Random(seed)
    wrong = []
    for _ in range(EDITS):
        name = chance.choice(list(closed.files))
        lines = closed.files[name].splitlines(keepends=True)
        at, to = chance.sample(range(len(lines)), 2)
        what = chance.choice(("remove", "double", "swap"))
        if what == "remove":
            del lines[at]
        elif what == "double":
            lines.insert(to, lines[at])
        else:
            lines[at], lines[to] = lines[to], lines[at]
        if said := closed.told({name: b"".join(lines)}):
            wrong.append(f"{what} {at + 1} {to + 1} of {name}: {said}")
    return wrong


def forgeries(seed: int, folder: Path) -> list[str]:
    """Change, remove, double, move or cut off lines of a chained run as a forger does, `FORGED` times over."""
    closed, chance = Closed(folder, chain=True), random.Random(seed)
    wrong = []
    for _ in range(FORGED):
        name = chance.choice(list(closed.files))
        lines = closed.files[name].splitlines(keepends=True)
        what = chance.choice((_alter, _remove, _double, _move, _cut_short))
        at = what(lines, chance)
        if said := closed.betrayed({name: forged(lines)}):
            wrong.append(f"{what.__name__} {at} of {name}: {said}")
    return wrong


def _alter(lines: list[bytes], chance: random.Random) -> int:
    at = chance.randrange(len(lines))
    lines[at] = re.sub(
        rb'"mono_ns":\d', b'"mono_ns":%d' % (int(lines[at].split(b'"mono_ns":')[1][:1]) % 9 + 1), lines[at]
    )
    return at + 1


def _remove(lines: list[bytes], chance: random.Random) -> int:
    at = chance.randrange(len(lines) - 1)
    del lines[at : at + chance.randint(1, 3)]
    return at + 1


def _double(lines: list[bytes], chance: random.Random) -> int:
    at = chance.randrange(len(lines))
    lines.insert(chance.randrange(len(lines)), lines[at])
    return at + 1


def _move(lines: list[bytes], chance: random.Random) -> int:
    at, to = chance.sample(range(len(lines)), 2)
    lines.insert(to, lines.pop(at))
    return at + 1


def _cut_short(lines: list[bytes], chance: random.Random) -> int:
    """Leave the closing record, behind fewer others."""
    at = chance.randrange(1, len(lines) - 1)
    del lines[at:-1]
    return at + 1


def fuzz(seed: int, folder: Path) -> list[str]:
    """Cut, splice and stuff files with what may confuse a reader, `FUZZED` times over; whatever it is, nothing raises."""
    closed, chance = Closed(folder, chain=seed % 2 == 0), random.Random(seed)
    wrong = []
    for turn in range(FUZZED):
        name = chance.choice(list(closed.files))
        data = _fuzzed(closed.files[name], chance)
        try:
            said = closed.told({name: data})
        except Exception as exc:  # noqa: BLE001 - any is what this looks for
            said = f"{type(exc).__name__}: {exc}"
        if said and data != closed.files[name]:
            wrong.append(f"turn {turn} of {name}: {said}")
    return wrong


def _fuzzed(data: bytes, chance: random.Random) -> bytes:
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(data) + 1)
        to = min(len(data), at + chance.randrange(1, 400))
        stuffing = chance.choice((chance.choice(_HOSTILE), chance.randbytes(chance.randrange(1, 60)), data[at:to]))
        data = chance.choice(
            (data[:at] + stuffing + data[at:], data[:at] + data[to:], data[:at] + stuffing + data[to:])
        )
        data = data or b"\n"
    return data
