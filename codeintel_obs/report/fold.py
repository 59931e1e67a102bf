"""Reads the records of one attempt and keeps what a report needs: of a long run only so many whole records."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from codeintel_obs.report.entries import Batch, Entry, FirstAndLast, Held, Source, Tally, cite, text_in
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
_KEPT_FAILURES: Final = 5_000  # of the first and of the last
_KEPT_REASONS: Final = 1_000
_KEPT_TRACES: Final = 1_000
_LOUD: Final = frozenset({"WARNING", "ERROR", "CRITICAL"})


@dataclass(eq=False)
class Fold:
    """What is known after some records; of completed steps only the first ``keep`` are kept whole."""

    keep: int = KEPT_STEPS
    kept: dict[str, Held] = field(default_factory=dict)
    open: dict[str, Held] = field(default_factory=dict)
    failures: dict[str, Held] = field(default_factory=dict)
    uncaught: FirstAndLast[Entry] = field(default_factory=lambda: FirstAndLast(_KEPT_FAILURES))
    loud: FirstAndLast[Held] = field(default_factory=lambda: FirstAndLast(_KEPT_FAILURES))
    parents_of_kind: defaultdict[str, set[str | None]] = field(default_factory=lambda: defaultdict(set))
    ran: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    skips: defaultdict[tuple[str, str | None], Tally] = field(default_factory=lambda: defaultdict(Tally))
    skipped_under: defaultdict[str, set[str | None]] = field(default_factory=lambda: defaultdict(set))
    orphan_ends: Tally = field(default_factory=Tally)
    roots: list[Held] = field(default_factory=list)
    recoveries: Recoveries = field(default_factory=Recoveries)
    trace_ids: dict[str, None] = field(default_factory=dict)
    ranges: dict[str, tuple[int, int]] = field(default_factory=dict)
    processes: dict[str, str | None] = field(default_factory=dict)
    run_begin: Entry | None = None
    run_end: Entry | None = None
    exit: Entry | None = None
    writers: list[Entry] = field(default_factory=list)
    closed: set[str] = field(default_factory=set)
    plans: list[Entry] = field(default_factory=list)
    told: list[Entry] = field(default_factory=list)
    told_total: int = 0
    activations: list[Entry] = field(default_factory=list)
    logs: list[Entry] = field(default_factory=list)
    logs_total: int = 0
    spans: dict[str, Held] = field(default_factory=dict)
    spans_total: int = 0
    last: Record | None = None
    _loud: int = 0
    _trace_id: str | None = None
    _settled: dict[str, str | None] = field(default_factory=dict)
    _quiet: list[str] = field(default_factory=list)
    _parents_of_quiet: list[str | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._handlers: dict[str, Callable[[Entry], None]] = {
            "step.begin": self._step_begin, "step.end": self._step_end, "step": self._instant,
            "run.begin": self._run_begin, "run.end": self._run_end, "writer.begin": self._writer_begin,
            "writer.end": self._writer_end, "process.exit": self._exit, "plan": self.plans.append,
            "fault": self._tell, "drop": self._tell, "activation": self.activations.append,
            "log": self._log, "span.begin": self._span, "span.end": self._span,
        }  # fmt: skip

    @property
    def total(self) -> int:
        """How many steps are on record."""
        return len(self._settled) + len(self._quiet)

    @property
    def parents(self) -> dict[str, str | None]:
        """Every step with the one around it."""
        if self._quiet:
            self._settled.update(zip(self._quiet, self._parents_of_quiet, strict=True))
            self._quiet.clear()
            self._parents_of_quiet.clear()
        return self._settled

    @property
    def searched(self) -> list[str]:
        """What was read, file by file: the ranges in which what is not told was looked for."""
        return [f"{place}:{low}-{high}" for place, (low, high) in self.ranges.items()]

    def take(self, batches: Iterable[Batch]) -> None:
        """Take all records. Records of one file come in their order."""
        settled, waiting, handlers, at = self._settled, self.recoveries.waiting, self._handlers, ""
        begun: Record | None = None  # a step's begin that waits for the next record, mostly its end
        for place, records in batches:
            self._range(place, records)
            # Lines of another file, or damaged ones, may come again, and the first steps are kept.
            counts = len(self.ranges) == 1 and len(records) > 1 and self.total >= self.keep
            rooted = len(self.roots) >= _KEPT_ROOTS
            quiet: list[Record] = []
            for record in records:
                if begun is not None:
                    if (
                        record.span_id == begun.span_id and record.status == "completed" and record.event == "step.end"
                        and counts and not waiting and record.kind == begun.kind
                        and (rooted or begun.parent_span_id in settled)
                    ):  # fmt: skip
                        quiet.append(begun)
                        begun = None
                        continue
                    self._count(quiet)
                    self._step_begin((at, begun))
                    begun = None
                if record.trace_id != self._trace_id:
                    self._trace(record.trace_id)
                if record.event == "step.begin":
                    begun, at = record, place
                else:
                    self._count(quiet)
                    handlers.get(record.event, self._tell)((place, record))
            self._count(quiet)
        if begun is not None:
            self._step_begin((at, begun))

    def _count(self, quiet: list[Record]) -> None:
        """Take from ``quiet``, by their begins, steps that completed before anything else happened: nearly all of a run.

        They are counted together and put where steps are found by id only when one is looked for: both cost as much as
        decoding their lines, one by one.
        """
        if not quiet:
            return
        parents = [record.parent_span_id for record in quiet]
        self._quiet += [record.span_id or "" for record in quiet]
        self._parents_of_quiet += parents
        for (kind, parent), count in Counter(zip([record.kind for record in quiet], parents, strict=True)).items():
            self.ran[kind or "?"]["completed"] += count
            self.parents_of_kind[kind or "?"].add(parent)
        quiet.clear()

    def _trace(self, trace_id: str | None) -> None:
        if trace_id is not None:
            self._trace_id = trace_id
            if len(self.trace_ids) < _KEPT_TRACES:
                self.trace_ids[trace_id] = None

    def finish(self, source: Source) -> None:
        """Say that all records were taken, and fetch the ancestors of what is kept, where they were let go."""
        self.kept |= self.loud
        missing = {up for step in (*self.failures, *self.open) for up in self.ancestors(step)} - self.kept.keys()
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

    def process_of(self, held: Held) -> str | None:
        """Return the process that wrote ``held``, as far as its file says."""
        entry = held.begin or held.end
        return self.processes.get(entry[0]) if entry is not None else None

    def share_a_process(self, one: Held, other: Held) -> bool:
        """Whether both are known to be of one process: written into one file, or naming the same manifest."""
        places = {(held.begin or held.end or ("",))[0] for held in (one, other)}
        name = self.process_of(one)
        return len(places) == 1 or (name is not None and name == self.process_of(other))

    def _fetch(self, source: Source, missing: set[str]) -> None:
        for place, records in source():
            for record in records:
                if record.span_id not in missing or not record.event.startswith("step"):
                    continue
                held = self.kept.setdefault(record.span_id, Held())
                if record.event == "step.begin":
                    held.begin = held.begin or (place, record)
                else:
                    held.end = held.end or (place, record)

    def _range(self, place: str, records: list[Record]) -> None:
        first, latest = records[0], records[-1]
        if latest.n:
            low, high = self.ranges.get(place, (first.n, latest.n))
            self.ranges[place] = min(low, first.n), max(high, latest.n)
            if self.last is None or latest.mono_ns >= self.last.mono_ns:
                self.last = latest

    def _begun(self, step_id: str, held: Held, record: Record) -> None:
        parent = record.parent_span_id
        self.parents[step_id] = parent
        if record.status != "skipped":
            self.parents_of_kind[record.kind or "?"].add(parent)
        if len(self.parents) <= self.keep:
            self.kept[step_id] = held

    def _step_begin(self, entry: Entry) -> None:
        record = entry[1]
        step_id = record.span_id or ""
        if step_id in self.parents:
            return  # a duplicated line, which the integrity tells
        self.open[step_id] = held = Held(entry)
        self._begun(step_id, held, record)
        if len(self.roots) < _KEPT_ROOTS and record.parent_span_id not in self.parents:
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
            self._begun(step_id, held, record)
        held.end = entry
        self._ended(step_id, held, record)

    def _instant(self, entry: Entry) -> None:
        record = entry[1]
        step_id = record.span_id or ""
        if step_id in self.parents:
            return
        held = Held(None, entry)
        if record.error is not None and (record.payload or {}).get("uncaught") is True:
            self._reached_an_end(entry)
        self._begun(step_id, held, record)
        self._ended(step_id, held, record)

    def _reached_an_end(self, entry: Entry) -> None:
        """Take an exception that nobody caught: it ended a process or thread, or reached the event loop's handler."""
        self.uncaught.put(cite(entry), entry)

    def _ended(self, step_id: str, held: Held, record: Record) -> None:
        kind, status = record.kind or "?", record.status or "?"
        if status == "skipped":
            self._skipped(kind, (held.end or ("", record)), self.parents[step_id])
            return
        self.ran[kind][status] += 1
        if status == "completed" and not self.recoveries.waiting:
            return  # nearly all there are
        if status in FAILURES:
            self.failures.pop(self.loud.put(step_id, held) or "", None)
            if kind not in NOT_COUNTED:
                self.failures[step_id] = held
                self.recoveries.failed(held, self.parents[step_id])
        elif self.recoveries.completed(held, self.parents[step_id]):
            self.kept[step_id] = held

    def _skipped(self, kind: str, entry: Entry, parent: str | None) -> None:
        reason = (kind, entry[1].detail)
        if reason not in self.skips and len(self.skips) >= _KEPT_REASONS:
            reason = (kind, "other reasons")
        self.skips[reason].add(entry)
        self.skipped_under[kind].add(parent)

    def _run_begin(self, entry: Entry) -> None:
        if self.run_begin is None:
            self.run_begin = entry
        self._writer_begin(entry)

    def _run_end(self, entry: Entry) -> None:
        self.run_end = entry
        if entry[1].error is not None:
            self._reached_an_end(entry)
        if not (entry[1].payload or {}).get("open"):
            self.closed.add(entry[0])

    def _writer_begin(self, entry: Entry) -> None:
        self.writers.append(entry)
        before = predecessor_of(entry)
        self.processes[entry[0]] = process_name(entry[1].payload or {}) or self.processes.get(before or "")

    def _writer_end(self, entry: Entry) -> None:
        self.closed.add(entry[0])
        if entry[1].error is not None:
            self._reached_an_end(entry)

    def _exit(self, entry: Entry) -> None:
        self.exit = entry

    def _tell(self, entry: Entry) -> None:
        self.told_total += 1
        if len(self.told) < _KEPT_WARNINGS:
            self.told.append(entry)

    def _log(self, entry: Entry) -> None:
        self.logs_total += 1
        payload = entry[1].payload or {}
        loud = text_in(payload, "level") in _LOUD
        if loud and entry[1].error is not None and payload.get("logger") == "asyncio":
            self._reached_an_end(entry)  # the event loop's own handler of what no task or callback caught
        self._loud += loud
        if self._loud <= _KEPT_WARNINGS if loud else self.logs_total - self._loud <= _KEPT_LOGS:
            self.logs.append(entry)

    def _span(self, entry: Entry) -> None:
        span_id = entry[1].span_id or ""
        held = self.spans.get(span_id)
        self.spans_total += entry[1].event == "span.begin" or (held is None and len(self.spans) < _KEPT_SPANS)
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


def predecessor_of(entry: Entry) -> str | None:
    """Return the place of the segment that a ``writer.begin`` goes on from; None when it is its writer's first."""
    name = (entry[1].payload or {}).get("predecessor")
    return f"{entry[0].rpartition('/')[0]}/{str(name).rpartition('/')[2]}" if name else None


def fold(source: Source, keep: int = KEPT_STEPS) -> Fold:
    """Return what the records of ``source`` amount to."""
    state = Fold(keep)
    state.take(source())
    state.finish(source)
    return state
