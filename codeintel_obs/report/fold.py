"""Reads the records of one attempt and keeps what a report needs: bounded however long the run was."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final

from codeintel_obs.report.entries import Entry, Held, Source, Tally
from codeintel_obs.report.recovery import Recoveries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from codeintel_obs.steps import Record

FAILURES: Final = frozenset({"failed", "timed_out"})
NOT_COUNTED: Final = frozenset({"error", "tool.error"})
"""Kinds that tell of a failure that another step has already: never a failure of their own."""

KEPT_STEPS: Final = 2_000
_KEPT_LOGS: Final = 200
_KEPT_WARNINGS: Final = 500
_KEPT_SPANS: Final = 1_000
_KEPT_ROOTS: Final = 100
_KEPT_TRACES: Final = 1_000
_LOUD: Final = frozenset({"WARNING", "ERROR", "CRITICAL"})


class Fold:
    """What is known after some records; of completed steps only the first ``keep`` are kept whole."""

    def __init__(self, keep: int = KEPT_STEPS) -> None:
        self.keep = keep
        self.total = 0
        self.kept: dict[str, Held] = {}
        self.open: dict[str, Held] = {}
        self.failures: dict[str, Held] = {}
        self.parents: dict[str, str | None] = {}
        self.parents_of_kind: defaultdict[str, set[str | None]] = defaultdict(set)
        self.ran: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.skips: defaultdict[tuple[str, str | None], Tally] = defaultdict(Tally)
        self.skipped_under: defaultdict[str, set[str | None]] = defaultdict(set)
        self.orphan_ends = Tally()
        self.roots: list[Held] = []
        self.recoveries = Recoveries()
        self.trace_ids: dict[str, None] = {}
        self.ranges: dict[str, tuple[int, int]] = {}
        self.processes: dict[str, str | None] = {}
        self.run_begin: Entry | None = None
        self.run_end: Entry | None = None
        self.exit: Entry | None = None
        self.writers: list[Entry] = []
        self.closed: set[str] = set()
        self.plans: list[Entry] = []
        self.told: list[Entry] = []
        self.activations: list[Entry] = []
        self.dropped = 0
        self.logs: list[Entry] = []
        self.logs_total = 0
        self.spans: dict[str, Held] = {}
        self.last: Record | None = None
        self._loud = 0
        self._place = ""
        self._from = 0
        self._latest: Record | None = None
        self._trace_id: str | None = None
        self._handlers: dict[str, Callable[[Entry], None]] = {
            "step.begin": self._step_begin, "step.end": self._step_end, "step": self._instant,
            "run.begin": self._run_begin, "run.end": self._run_end, "writer.begin": self._writer_begin,
            "writer.end": self._writer_end, "process.exit": self._exit, "plan": self.plans.append,
            "fault": self._tell, "drop": self._drop, "activation": self.activations.append,
            "log": self._log, "span.begin": self._span, "span.end": self._span,
        }  # fmt: skip

    def feed(self, entry: Entry) -> None:
        """Take the next record. Records of one file come in their order."""
        place, record = entry
        if place != self._place:
            self._close_range()
            self._place, self._from = place, record.n
        self._latest = record
        trace_id = record.trace_id
        if trace_id is not None and trace_id != self._trace_id:
            self._trace_id = trace_id
            if len(self.trace_ids) < _KEPT_TRACES:
                self.trace_ids[trace_id] = None
        handler = self._handlers.get(record.event)
        if handler is not None:
            handler(entry)
        else:
            self._tell(entry)

    def finish(self, source: Source) -> None:
        """Say that all records were fed, and fetch the ancestors of what is kept, where they were let go."""
        self._close_range()
        missing = {up for held in (*self.failures.values(), *self.open.values()) for up in self.ancestors(held.id)}
        missing -= self.kept.keys()
        if missing:
            self._fetch(source, missing)
        self.kept |= self.open

    def ancestors(self, step_id: str) -> Iterable[str]:
        """Yield the steps of this run around ``step_id``, innermost first; a cycle of damage ends it."""
        seen = {step_id}
        above = self.parents.get(step_id)
        while above is not None and above in self.parents and above not in seen:
            yield above
            seen.add(above)
            above = self.parents[above]

    def _fetch(self, source: Source, missing: set[str]) -> None:
        for entry in source():
            record = entry[1]
            if record.span_id not in missing or not record.event.startswith("step"):
                continue
            held = self.kept.setdefault(record.span_id, Held())
            if record.event == "step.begin":
                held.begin = held.begin or entry
            else:
                held.end = held.end or entry

    def _close_range(self) -> None:
        if self._place:
            latest = self._latest
            assert latest is not None
            low, high = self.ranges.get(self._place, (self._from, latest.n))
            self.ranges[self._place] = min(low, self._from), max(high, latest.n)
            if self.last is None or latest.mono_ns >= self.last.mono_ns:
                self.last = latest

    def _begun(self, held: Held, record: Record) -> None:
        step_id, parent, kind = record.span_id or "", record.parent_span_id, record.kind or "?"
        self.total += 1
        self.parents[step_id] = parent
        if record.status != "skipped":
            self.parents_of_kind[kind].add(parent)
        if self.total <= self.keep:
            self.kept[step_id] = held

    def _step_begin(self, entry: Entry) -> None:
        record = entry[1]
        step_id = record.span_id or ""
        if step_id in self.parents:
            return  # a duplicated line, which the integrity tells
        held = Held(entry)
        self.open[step_id] = held
        self._begun(held, record)
        if record.parent_span_id not in self.parents and len(self.roots) < _KEPT_ROOTS:
            self.roots.append(held)

    def _step_end(self, entry: Entry) -> None:
        record = entry[1]
        step_id = record.span_id or ""
        held = self.open.pop(step_id, None)
        if held is None:
            if step_id in self.parents:
                return
            held = Held()
            self.orphan_ends.add(entry)
            self._begun(held, record)
        held.end = entry
        self._ended(held, record, self.parents[step_id])

    def _instant(self, entry: Entry) -> None:
        record = entry[1]
        if (record.span_id or "") in self.parents:
            return
        held = Held(None, entry)
        self._begun(held, record)
        self._ended(held, record, record.parent_span_id)

    def _ended(self, held: Held, record: Record, parent: str | None) -> None:
        kind, status = record.kind or "?", record.status or "?"
        if status == "skipped":
            self.skips[kind, record.detail].add(held.end or ("", record))
            self.skipped_under[kind].add(parent)
            return
        self.ran[kind][status] += 1
        if status in FAILURES:
            self.kept[held.id] = held
            if kind not in NOT_COUNTED:
                self.failures[held.id] = held
                self.recoveries.failed(held, parent)
        elif self.recoveries.waiting and self.recoveries.completed(held, parent):
            self.kept[held.id] = held

    def _run_begin(self, entry: Entry) -> None:
        if self.run_begin is None:
            self.run_begin = entry
        self._writer_begin(entry)

    def _run_end(self, entry: Entry) -> None:
        self.run_end = entry
        if not (entry[1].payload or {}).get("open"):
            self.closed.add(entry[0])

    def _writer_begin(self, entry: Entry) -> None:
        payload = entry[1].payload or {}
        self.writers.append(entry)
        before = str(payload.get("predecessor") or "")
        day = entry[0].rpartition("/")[0]
        self.processes[entry[0]] = process_name(payload) or self.processes.get(f"{day}/{before.rpartition('/')[2]}")

    def _writer_end(self, entry: Entry) -> None:
        self.closed.add(entry[0])

    def _exit(self, entry: Entry) -> None:
        self.exit = entry

    def _drop(self, entry: Entry) -> None:
        count = (entry[1].payload or {}).get("count")
        self.dropped += count if isinstance(count, int) else 0
        self._tell(entry)

    def _tell(self, entry: Entry) -> None:
        if len(self.told) < _KEPT_WARNINGS:
            self.told.append(entry)

    def _log(self, entry: Entry) -> None:
        self.logs_total += 1
        loud = (entry[1].payload or {}).get("level") in _LOUD
        self._loud += loud
        if self._loud <= _KEPT_WARNINGS if loud else self.logs_total - self._loud <= _KEPT_LOGS:
            self.logs.append(entry)

    def _span(self, entry: Entry) -> None:
        span_id = entry[1].span_id or ""
        held = self.spans.get(span_id)
        if held is None:
            if len(self.spans) >= _KEPT_SPANS:
                return
            held = self.spans[span_id] = Held()
        if entry[1].event == "span.begin":
            held.begin = entry
        else:
            held.end = entry


def process_name(payload: dict[str, Any]) -> str | None:
    """Return the name of the process whose manifest a ``…begin`` record names: its file name's stem."""
    name = payload.get("manifest")
    return str(name).rpartition("/")[2].removesuffix(".json") if name else None


def fold(source: Source, keep: int = KEPT_STEPS) -> Fold:
    """Return what the records of ``source`` amount to."""
    state = Fold(keep)
    for entry in source():
        state.feed(entry)
    state.finish(source)
    return state
