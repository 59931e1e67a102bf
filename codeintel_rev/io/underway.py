"""How far a build is, in a file for other processes; only who holds the lock makes it true."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_FILE = "underway.json"


@dataclass(frozen=True, slots=True)
class Underway:
    """`done` and `total` are units of work of this stage (0 when unknown); times are seconds since the epoch."""

    pid: int
    begun_at: float
    stage: str
    stage_begun_at: float
    done: int
    total: int
    told_at: float

    @property
    def share(self) -> float | None:
        return min(self.done / self.total, 1.0) if self.total else None

    @property
    def eta_seconds(self) -> float | None:
        """What is left of this stage at the speed it had so far; None before there is a speed."""
        if not self.done or not self.total:
            return None
        left = (self.told_at - self.stage_begun_at) * (self.total - self.done) / self.done
        return round(max(left, 0.0), 1)

    def text(self) -> str:
        """One line for people."""
        share = f", {100 * self.share:.0f} %" if self.share is not None else ""
        eta = f", about {self.eta_seconds:.0f} s left" if self.eta_seconds else ""
        return f"{self.stage}{share}{eta}"

    def write(self, folder: Path) -> None:
        draft = folder / f".{_FILE}"
        draft.write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")
        draft.replace(folder / _FILE)

    @classmethod
    def read(cls, folder: Path) -> Underway | None:
        """None when there is none, or none that can be read."""
        try:
            return cls(**json.loads((folder / _FILE).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    @staticmethod
    def remove(folder: Path) -> None:
        (folder / _FILE).unlink(missing_ok=True)

    @classmethod
    def begin(cls) -> Underway:
        now = time.time()
        return cls(os.getpid(), now, "starting", now, 0, 0, now)
