"""What a long piece of work tells whoever waits for it, here and in other processes."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, Self

from codeintel_rev.io.underway import Underway

if TYPE_CHECKING:
    from pathlib import Path

_SECONDS_BETWEEN_WRITES = 0.5


class Progress(Protocol):
    """Called from the working thread, often: an implementation must be cheap."""

    def stage(self, label: str, total: int) -> None:
        """A new stage of so many units begins; the one before has ended."""

    def advance(self, units: int = 1) -> None:
        """So many units of the present stage are done."""


class Silent:
    def stage(self, label: str, total: int) -> None: ...

    def advance(self, units: int = 1) -> None: ...


class Recorded:
    """Passes everything on, and writes it down for `codeintel-rev status` in another process."""

    def __init__(self, told: Progress, folder: Path) -> None:
        self._told = told
        self._folder = folder
        self._state = Underway.begin()
        self._state.write(folder)

    def stage(self, label: str, total: int) -> None:
        self._told.stage(label, total)
        now = time.time()
        self._state = replace(self._state, stage=label, stage_begun_at=now, done=0, total=total, told_at=now)
        self._state.write(self._folder)

    def advance(self, units: int = 1) -> None:
        self._told.advance(units)
        now, written_at = time.time(), self._state.told_at
        self._state = replace(self._state, done=self._state.done + units)
        if abs(now - written_at) >= _SECONDS_BETWEEN_WRITES:
            self._state = replace(self._state, told_at=now)
            self._state.write(self._folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """The build has ended, well or with an error that was told. One that was killed or stopped stays told of."""
        if kind is None or issubclass(kind, Exception):
            Underway.remove(self._folder)
