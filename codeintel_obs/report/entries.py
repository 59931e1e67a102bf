"""Records with their place, and steps and tallies made of them: what the fold works with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from codeintel_obs.steps import ErrorInfo, Record

Entry = tuple[str, Record]
"""A record and its place: ``<day>/<file>``. A line is cited as ``place:n``."""

Source = Callable[[], Iterable[Entry]]
"""Gives the records of an attempt, file after file; called a second time only for a run beyond the cap."""

_CITED: Final = 20


def cite(entry: Entry) -> str:
    """Return where ``entry`` stands written."""
    return f"{entry[0]}:{entry[1].n}"


class Held:
    """A step as far as it is on record: its begin, its end, or both. An instant step has only its ``end``."""

    __slots__ = ("begin", "end")

    def __init__(self, begin: Entry | None = None, end: Entry | None = None) -> None:
        self.begin = begin
        self.end = end

    @property
    def first(self) -> Record:
        entry = self.begin or self.end
        assert entry is not None
        return entry[1]

    @property
    def id(self) -> str:
        return self.first.span_id or ""

    @property
    def kind(self) -> str:
        return self.first.kind or "?"

    @property
    def status(self) -> str | None:
        return self.end[1].status if self.end else None

    @property
    def error(self) -> ErrorInfo | None:
        return self.end[1].error if self.end else None

    @property
    def error_id(self) -> str | None:
        return self.error.id if self.error else None

    @property
    def evidence(self) -> list[str]:
        return [cite(entry) for entry in (self.begin, self.end) if entry is not None]


class Tally:
    """How often something was told, the first times with their evidence."""

    __slots__ = ("count", "evidence")

    def __init__(self) -> None:
        self.count = 0
        self.evidence: list[str] = []

    def add(self, entry: Entry) -> None:
        self.count += 1
        if len(self.evidence) < _CITED:
            self.evidence.append(cite(entry))
