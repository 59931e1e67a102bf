"""Records with their place, and steps and tallies made of them: what the fold works with."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, TypeVar

import msgspec

from codeintel_obs.steps import ErrorInfo, Record

Entry = tuple[str, Record]
"""A record and its place: ``<day>/<file>``, of which a line is cited as ``place:n``, or a span's ``span:<trace>/<span>``."""

Batch = tuple[str, list[Record]]
"""Records in a row of one file, at least one, with its place: a million of them are not handed on one by one."""

Source = Callable[[], Iterable[Batch]]
"""Gives the records of an attempt, file after file; called a second time only for a run beyond the cap."""

_CITED: Final = 20
T = TypeVar("T")


def cite(entry: Entry) -> str:
    """Return where ``entry`` stands written; what a span tells has no line: number 0."""
    return f"{entry[0]}:{entry[1].n}" if entry[1].n else entry[0]


def batched(entries: Iterable[Entry]) -> Iterator[Batch]:
    """Yield ``entries`` in batches, those in a row of one place together."""
    for place, group in groupby(entries, key=itemgetter(0)):
        yield place, [record for _, record in group]


def text_in(payload: Mapping[str, Any] | None, key: str) -> str | None:
    """Return a text of a payload; None where there is none, or what stands there is no text: a ledger may be forged."""
    value = (payload or {}).get(key)
    return value if isinstance(value, str) else None


class Held(msgspec.Struct, eq=False):
    """A step as far as it is on record: its begin, its end, or both. An instant step has only its ``end``."""

    begin: Entry | None = None
    end: Entry | None = None

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
        return list(dict.fromkeys(cite(entry) for entry in (self.begin, self.end) if entry is not None))


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


class FirstAndLast(dict[str, T]):
    """The first ``few`` and the last ``few`` of what may come a million times, in the order in which it came."""

    def __init__(self, few: int) -> None:
        super().__init__()
        self._few = few
        self._last: deque[str] = deque()
        self.omitted = 0

    def put(self, key: str, value: T) -> str | None:
        """Keep ``value``; return the key that was let go of for it, if one was."""
        gone = None
        if len(self) >= self._few:
            self._last.append(key)
            if len(self._last) > self._few:
                gone = self._last.popleft()
                del self[gone]
                self.omitted += 1
        self[key] = value
        return gone
