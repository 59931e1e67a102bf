"""The steps of a report as a tree of lines: what called what, how long it took, how it ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from codeintel_obs.report.words import clip, duration, few_of, plain, plural
from codeintel_obs.report_model import ReportStep

MARKS: Final = {
    "completed": "ok",
    "failed": "FAILED",
    "timed_out": "TIMED OUT",
    "skipped": "skipped",
    "in_flight": "IN FLIGHT",
}
_ALIKE: Final = 3
"""So many equal leaves in a row are shown; the rest of the row is one line with their count and time."""
_DEEPEST: Final = 24
_TIME_WIDTH: Final = 12


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the tree: its indentation, and one step, or several alike that are told together."""

    lead: str
    steps: tuple[ReportStep, ...]
    together: bool = False


def rows(steps: Sequence[ReportStep]) -> Iterator[Row]:
    """Yield the tree's lines, parents before children. A step whose parent was omitted stands at the top."""
    known = {step.id for step in steps}
    children: dict[str | None, list[ReportStep]] = {}
    for step in steps:
        children.setdefault(step.parent if step.parent in known and step.parent != step.id else None, []).append(step)
    waiting = [(row, 0) for row in reversed(_folded(children.get(None, []), children))]
    seen: set[str] = set()
    while waiting:
        (group, depth) = waiting.pop()
        if group[0].id in seen:
            continue
        seen.update(step.id for step in group)
        yield Row("  " * min(depth, _DEEPEST), tuple(group), together=len(group) > 1)
        if len(group) == 1:
            waiting += [(below, depth + 1) for below in reversed(_folded(children.get(group[0].id, []), children))]


def _folded(siblings: list[ReportStep], children: dict[str | None, list[ReportStep]]) -> list[list[ReportStep]]:
    """Return siblings in their order, long rows of completed leaves of one kind in one group."""
    folded: list[list[ReportStep]] = []
    start = 0
    while start < len(siblings):
        stop = start + 1
        while stop < len(siblings) and _alike(siblings[start], siblings[stop], children):
            stop += 1
        alone = stop if stop - start <= _ALIKE + 1 else start + _ALIKE
        folded += [[step] for step in siblings[start:alone]]
        if alone < stop:
            folded.append(siblings[alone:stop])
        start = stop
    return folded


def _alike(one: ReportStep, other: ReportStep, children: dict[str | None, list[ReportStep]]) -> bool:
    quiet = one.status == other.status == "completed" and not one.detail and not other.detail
    return quiet and one.kind == other.kind and not children.get(one.id) and not children.get(other.id)


def line(row: Row, width: int) -> str:
    """Return one row as text: mark, kind, payload, and the duration at the right edge."""
    step = row.steps[0]
    if row.together:
        total = sum(each.duration_ns or 0 for each in row.steps)
        left = f"{row.lead}  … {plural(len(row.steps), 'more ' + plain(step.kind), 'more ' + plain(step.kind))}, all ok"
        return _edged(left, f"together {duration(total)}", width)
    mark = MARKS[step.status]
    left = f"{row.lead}{plain(step.kind)}"
    if mark != "ok":
        left += f"  {mark}"
    if step.error is not None:
        left += f"  {plain(step.error.type)}"
    elif step.detail:
        left += f"  ({plain(step.detail)})"
    if step.late:
        left += "  (ended after the run)"
    time = duration(step.duration_ns) if step.duration_ns is not None else ""
    room = width - len(left) - _TIME_WIDTH - 4
    payload = few_of(step.payload, room) if room > _TIME_WIDTH else ""
    return _edged(f"{left}  {payload}" if payload else left, time, width)


def _edged(left: str, right: str, width: int) -> str:
    room = width - len(right) - 2
    return f"{clip(left, room):<{room}}  {right}".rstrip()
