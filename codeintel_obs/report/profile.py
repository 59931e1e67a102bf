"""What a run's steps amount to by their identity: their kinds from the root down, whatever ids and times they had."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from codeintel_obs.report.entries import Tally

if TYPE_CHECKING:
    from codeintel_obs.report.entries import Entry
    from codeintel_obs.steps import Record

_KEPT_PATHS: Final = 5_000
_KEPT_KEYS: Final = 40
_KEPT_VALUES: Final = 60
_KEPT_DURATIONS: Final = 5_000
_KEPT_ENDED: Final = 20_000  # steps whose end came before the begin of one that hangs from them
_DEEPEST: Final = 40
ELSEWHERE: Final = "?"
"""Stands for a parent that is not on record, or is another run's."""


@dataclass(slots=True)
class Values:
    """The values of one payload key and how often each was there; of very many only the first are told apart."""

    counts: Counter[str] = field(default_factory=Counter)
    others: int = 0

    def add(self, value: Any) -> None:
        """Count ``value``, as JSON."""
        text = msgspec.json.encode(value, order="deterministic").decode("utf-8", "replace")
        if text in self.counts or len(self.counts) < _KEPT_VALUES:
            self.counts[text] += 1
        else:
            self.others += 1

    @property
    def varies(self) -> bool:
        """Whether it has hardly the same value twice in this one run."""
        return self.others > 0 or len(self.counts) > max(1, self.counts.total() // 2)


@dataclass(slots=True)
class Profile:
    """All steps of one identity: how often each status, how long they took, and what their payloads held."""

    path: str
    seen: Tally = field(default_factory=Tally)
    statuses: Counter[str] = field(default_factory=Counter)
    durations: list[int] = field(default_factory=list)
    payload: dict[str, Values] = field(default_factory=dict)

    def end(self, record: Record, payload: dict[str, Any]) -> None:
        """Take the end of a step."""
        error = f" {record.error.type}" if record.error is not None else ""
        self.statuses[f"{record.status}{error}"] += 1
        if record.status == "completed" and record.duration_ns is not None and len(self.durations) < _KEPT_DURATIONS:
            self.durations.append(record.duration_ns)
        for key, value in payload.items():
            if key in self.payload or len(self.payload) < _KEPT_KEYS:
                self.payload.setdefault(key, Values()).add(value)


class Profiles:
    """Made by one pass over the records of an attempt; holds no step longer than it must."""

    def __init__(self) -> None:
        self.by_path: dict[str, Profile] = {}
        self.left_out = 0
        self._open: dict[str, tuple[str, dict[str, Any]]] = {}
        self._ended: OrderedDict[str, str] = OrderedDict()

    def take(self, entries: Iterable[Entry]) -> Profiles:
        """Take all records."""
        for entry in entries:
            record = entry[1]
            if record.event == "step.begin":
                path = self._path(record)
                self._open[record.span_id or ""] = path, record.payload or {}
                self._seen(path, entry)
            elif record.event == "step.end":
                self._end(record)
            elif record.event == "step":
                path = self._path(record)
                self._seen(path, entry)
                self._count(path, record, record.payload or {})
        for path, _ in self._open.values():
            if path in self.by_path:
                self.by_path[path].statuses["in_flight"] += 1
        return self

    def _path(self, record: Record) -> str:
        parent = record.parent_span_id
        held = self._open.get(parent or "")
        above = held[0] if held else self._ended.get(parent or "", ELSEWHERE if parent else "")
        if above.count(" > ") >= _DEEPEST:
            return above
        return f"{above} > {record.kind}" if above else record.kind or "?"

    def _end(self, record: Record) -> None:
        path, begun = self._open.pop(record.span_id or "", (None, {}))
        if path is None:
            return  # its begin is lost: what it was a part of is not known
        self._ended[record.span_id or ""] = path
        if len(self._ended) > _KEPT_ENDED:
            self._ended.popitem(last=False)
        self._count(path, record, {**begun, **(record.payload or {})})

    def _seen(self, path: str, entry: Entry) -> None:
        if path not in self.by_path:
            if len(self.by_path) >= _KEPT_PATHS:
                self.left_out += 1
                return
            self.by_path[path] = Profile(path)
        self.by_path[path].seen.add(entry)

    def _count(self, path: str, record: Record, payload: dict[str, Any]) -> None:
        if path in self.by_path:
            self.by_path[path].end(record, payload)
