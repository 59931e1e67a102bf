"""What a long piece of work tells whoever waits for it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called from the working thread, often: an implementation must be cheap."""

    def stage(self, label: str, total: int) -> None:
        """A new stage of so many units begins; the one before has ended."""

    def advance(self, units: int = 1) -> None:
        """So many units of the present stage are done."""


class Silent:
    def stage(self, label: str, total: int) -> None: ...

    def advance(self, units: int = 1) -> None: ...
