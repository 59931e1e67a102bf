"""The lines of a ledger that a report cites, as they are written: proof to be looked at beside the statement."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Final

from codeintel_obs.ledger.opening import opened
from codeintel_obs.ledger.reader import Line, read_stretches
from codeintel_obs.report_model import ReportStep, RunReport

BUDGET: Final = 4 * 1024 * 1024
_LOUD: Final = frozenset({"failed", "timed_out", "in_flight"})


def raw_records(report: RunReport, budget: int = BUDGET) -> dict[str, str]:
    """Return lines by their evidence, those of what went wrong first, until ``budget`` bytes are told.

    Only whole lines are there; what cannot be read, or was written by another version, is not.
    """
    if report.ledger_path is None:
        return {}
    top = os.path.dirname(os.path.dirname(report.ledger_path))
    wanted = list(dict.fromkeys(_wanted(report)))
    by_place: dict[str, set[int]] = {}
    for evidence in wanted:
        place, _, number = evidence.rpartition(":")
        if number.isdigit() and _is_place(place):
            by_place.setdefault(place, set()).add(int(number))
    found = {
        f"{place}:{n}": line
        for place, numbers in by_place.items()
        for n, line in _lines(os.path.join(top, place), numbers)
    }
    return _within(((each, found[each]) for each in wanted if each in found), budget)


def _wanted(report: RunReport) -> Iterator[str]:
    """Yield evidence in the order of its worth to a reader."""
    stop = report.stopped_because
    if stop is not None:
        yield from stop.evidence
        for raised in (*stop.trail, *stop.while_handling):
            yield from raised.evidence
    yield from report.outcome_evidence
    for step in sorted(report.steps, key=_is_quiet):
        yield from step.evidence
    for log in report.logs:
        yield from log.evidence


def _is_quiet(step: ReportStep) -> bool:
    return step.status not in _LOUD


def _is_place(place: str) -> bool:
    """Whether it is ``<day>/<file>``: a damaged ledger must not lead elsewhere."""
    parts = place.split("/")
    return len(parts) == 2 and not any(part in {"", ".", ".."} for part in parts)  # noqa: PLR2004 - day and file


def _lines(path: str, numbers: set[int]) -> Iterator[tuple[int, str]]:
    for each in read_stretches(path):
        if not isinstance(each, Line):
            told = zip(each.lines, each.records, strict=True)
            yield from ((record.n, _text(raw)) for raw, record in told if record.n in numbers)
        elif each.record is not None and each.record.n in numbers:  # whole, among lines that are not
            with open(opened(path), "rb") as file:
                file.seek(each.offset)
                yield each.record.n, _text(file.readline().rstrip(b"\n"))


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _within(found: Iterable[tuple[str, str]], budget: int) -> dict[str, str]:
    kept: dict[str, str] = {}
    for evidence, line in found:
        budget -= len(line)
        if budget < 0:
            break
        kept[evidence] = line
    return kept
