"""The runs that match filters, newest first: the index of runs leaves out, the ledger decides.

What is yielded was read from the ledger. What the index leaves out is sampled and read all the same, so that an index
that lies is noticed: its page is then made anew, and whoever asked is told.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from codeintel_obs.ledger.attempts import Catalogue
from codeintel_obs.ledger.index import DayIndex, Entry, Facts
from codeintel_obs.report.attempts import Attempt, report_of
from codeintel_obs.runs import accept_id

if TYPE_CHECKING:
    from codeintel_obs.report_model import RunReport

BAD: Final = frozenset({"failed", "timed_out", "interrupted"})
SAMPLED: Final = 8
"""Of the runs that the index leaves out, so many are read to see whether it is right."""
_UNSETTLED: Final = frozenset({"in_progress", "unknown"})
_WORTH_SAVING: Final = 32
_chance: Final = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Filters:
    """What a run must be to be listed; None asks nothing."""

    failed: bool = False
    since: datetime | None = None
    trace_id: str | None = None
    session: str | None = None
    kind: str | None = None

    @property
    def ask(self) -> bool:
        """Whether there is any filter at all."""
        return bool(self.failed or self.since or self.trace_id or self.session or self.kind)

    def match(self, facts: Facts) -> bool:
        """Whether a run with these facts is listed."""
        return (
            (not self.failed or facts.outcome in BAD)
            and (not self.since or not facts.started_at or datetime.fromisoformat(facts.started_at) >= self.since)
            and (not self.trace_id or self.trace_id.lower() in facts.trace_ids)
            and (not self.session or facts.session_id in {self.session, accept_id(self.session)[0]})
            and (not self.kind or self.kind in facts.kinds)
        )

    def reach(self, day: str) -> bool:
        """Whether a run of this day's folder may have begun late enough; a day is left for clocks that disagree."""
        return not self.since or day >= f"{self.since.astimezone(UTC) - timedelta(days=2):%Y-%m-%d}"


@dataclass(slots=True)
class Listing:
    """One pass over data directories. ``lies`` counts entries of the index that the ledger refuted."""

    data_dirs: list[str]
    filters: Filters = field(default_factory=Filters)
    use_index: bool = True
    lies: int = 0
    read: int = 0
    _left_out: int = 0
    _sample: list[tuple[DayIndex, Entry]] = field(default_factory=list)

    def reports(self) -> Generator[RunReport, None, None]:
        """Yield the reports of the runs that match, of each its newest attempt; one day's index is held at a time."""
        names = Catalogue(self.data_dirs)
        seen: set[str] = set()
        try:
            for day in sorted(filter(self.filters.reach, names.days), reverse=True):
                pages = [DayIndex(folder, day, use=self.use_index) for folder in names.days[day]]
                try:
                    yield from self._of_day(pages, names, seen)
                finally:
                    for page in pages:
                        page.save(_WORTH_SAVING)
        finally:
            self._prove(names)
            self._tell()

    def _of_day(self, pages: list[DayIndex], names: Catalogue, seen: set[str]) -> Iterator[RunReport]:
        rows = sorted(
            ((page, each) for page in pages for each in page.entries), key=lambda row: row[1].begun_at, reverse=True
        )
        for page, entry in rows:
            if entry.run_id in seen:
                continue
            seen.add(entry.run_id)
            if entry.facts is not None and self.filters.ask and not self.filters.match(entry.facts):
                self._leave_out(page, entry)
                continue
            report = self._read(page, entry, names)
            if report is not None and self.filters.match(facts_of(report)):
                yield report

    def _leave_out(self, page: DayIndex, entry: Entry) -> None:
        """Keep a fair sample of what is left out, to be read at the end."""
        self._left_out += 1
        if len(self._sample) < SAMPLED:
            self._sample.append((page, entry))
        elif (at := _chance.randrange(self._left_out)) < SAMPLED:
            self._sample[at] = (page, entry)

    def _read(self, page: DayIndex, entry: Entry, names: Catalogue) -> RunReport | None:
        """Return the report of the run's newest attempt; what the index said of it is compared, and put right."""
        attempts = names.attempts(entry.run_id)
        if not attempts:
            return None  # removed meanwhile
        self.read += 1
        report = report_of(Attempt(attempts[-1], len(attempts), len(attempts)), keep=0)
        if report.token != entry.attempt:
            return report
        facts = None if report.outcome in _UNSETTLED else facts_of(report)
        if entry.facts is not None and facts is not None and entry.facts != facts:
            self.lies += 1
        page.learn(entry, facts)
        return report

    def _prove(self, names: Catalogue) -> None:
        for page, entry in self._sample:
            lies = self.lies
            self._read(page, entry, names)
            if self.lies > lies:
                for each in page.entries:
                    each.facts = None
                page.save()

    def _tell(self) -> None:
        if self.lies:
            print(
                f"codeintel-obs runs: the index of runs said otherwise than the ledger of {self.lies} run(s); it is made"
                " anew, and --no-index does without it. Ask again: a run may have been left out.",
                file=sys.stderr,
            )


def facts_of(report: RunReport) -> Facts:
    """Return what filters ask of a report."""
    kinds = {*report.ran, *(absent.kind for absent in report.did_not_run if absent.why == "skipped")}
    return Facts(report.outcome, report.session_id, report.trace_ids, sorted(kinds), report.started_at)
