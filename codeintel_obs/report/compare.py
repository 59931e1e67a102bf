"""Compares two runs by the identity of their steps: what appeared, vanished, ended otherwise, or took longer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from codeintel_obs.ledger.attempts import entries
from codeintel_obs.report.attempts import report_of
from codeintel_obs.report.profile import Profile, Profiles, Values
from codeintel_obs.report.words import duration
from codeintel_obs.report_model import CountChange, DiffSide, DurationChange, PayloadChange, RunDiff, StatusChange

if TYPE_CHECKING:
    from codeintel_obs.report.attempts import Attempt
    from codeintel_obs.report_model import RunReport

SLOWER: Final = 1.5
_ENOUGH: Final = 5  # durations of each run, to know its noise
_LEAST_NS: Final = 1_000_000  # of steps whose noise is not known, a difference below a millisecond says nothing
_SHOWN: Final = 5
_EMPTY: Final = Profile("")


@dataclass(frozen=True, slots=True)
class Pair:
    """One identity in both runs; a run that does not have it has an empty profile."""

    path: str
    a: Profile
    b: Profile

    @property
    def evidence(self) -> list[str]:
        """Where the first of each run stands."""
        return [*self.a.seen.evidence[:1], *self.b.seen.evidence[:1]]


def compare(a: Attempt, b: Attempt, ratio: float = SLOWER) -> RunDiff:
    """Return what is other in ``b`` than in ``a``. A duration is told when it grew or shrank ``ratio``-fold, noise aside."""
    first, second = (Profiles().take(entries(each.files)) for each in (a, b))
    pairs = [Pair(path, first.by_path.get(path, _EMPTY), second.by_path.get(path, _EMPTY))
             for path in sorted({**first.by_path, **second.by_path})]  # fmt: skip
    both = [pair for pair in pairs if pair.a.seen.count and pair.b.seen.count]
    reports = [report_of(each, keep=0) for each in (a, b)]
    sides = [_side(each) for each in reports]
    noise: list[str] = []
    found = {
        "appeared": [_counted(pair, pair.b) for pair in pairs if pair.b.seen.count > pair.a.seen.count],
        "vanished": [_counted(pair, pair.a) for pair in pairs if pair.b.seen.count < pair.a.seen.count],
        "changed_status": [_status(pair) for pair in both if _ended_otherwise(pair)],
        "changed_payload": [change for pair in both for change in _payload(pair, noise)],
        "slower": [change for pair in both if (change := _longer(pair, ratio, noise)) is not None],
        "faster": [change for pair in both if (change := _shorter(pair, ratio)) is not None],
    }
    same = not any(found.values()) and _end(sides[0]) == _end(sides[1])
    warnings = [*_warnings("A", reports[0], first), *_warnings("B", reports[1], second)]
    return RunDiff(a=sides[0], b=sides[1], same=same, noise=noise, warnings=warnings, **found)  # type: ignore[arg-type]  # each list under its own name


def _side(report: RunReport) -> DiffSide:
    stop = report.stopped_because
    return DiffSide(
        run_id=report.run_id,
        attempt=report.attempt,
        name=report.name,
        outcome=report.outcome,
        stopped_because=[stop.kind, stop.error_type, stop.message] if stop else None,
        steps_total=report.steps_total,
        complete=report.integrity.complete,
        ledger_path=report.ledger_path,
    )


def _end(side: DiffSide) -> tuple[object, ...]:
    return side.outcome, side.stopped_because


def _warnings(name: str, report: RunReport, profiles: Profiles) -> Iterator[str]:
    if report.integrity.complete is not True:
        yield f"the ledger of {name} is not complete: what seems to have appeared or vanished may be what is missing"
    if profiles.left_out:
        yield f"{profiles.left_out:,} steps of {name} are not compared: it has more identities than are kept"


# -- what was there ---------------------------------------------------------------------------------------------------------


def _counted(pair: Pair, more: Profile) -> CountChange:
    first = min(pair.a.seen.count, pair.b.seen.count)
    return CountChange(
        path=pair.path, a=pair.a.seen.count, b=pair.b.seen.count, evidence=more.seen.evidence[first : first + _SHOWN]
    )


def _ended_otherwise(pair: Pair) -> bool:
    """Whether they ended otherwise; where the counts differ, only a status that the other run does not have at all tells."""
    if pair.a.seen.count == pair.b.seen.count:
        return pair.a.statuses != pair.b.statuses
    return pair.a.statuses.keys() != pair.b.statuses.keys()


def _status(pair: Pair) -> StatusChange:
    return StatusChange(path=pair.path, a=dict(pair.a.statuses), b=dict(pair.b.statuses), evidence=pair.evidence)


# -- what it held -------------------------------------------------------------------------------------------------------------


def _payload(pair: Pair, noise: list[str]) -> Iterator[PayloadChange]:
    for key in sorted({**pair.a.payload, **pair.b.payload}):
        a, b = pair.a.payload.get(key, Values()), pair.b.payload.get(key, Values())
        gone, new = list(a.counts.keys() - b.counts.keys()), list(b.counts.keys() - a.counts.keys())
        if not gone and not new:
            continue
        if a.varies and b.varies and a.counts.total() > 1 and b.counts.total() > 1:
            noise.append(f"{pair.path}: {key} has other values from step to step within each run")
            continue
        shown = [sorted(each, key=lambda text: (-max(a.counts[text], b.counts[text]), text))[:_SHOWN]
                 for each in (gone, new)]  # fmt: skip
        yield PayloadChange(path=pair.path, key=key, a=shown[0], b=shown[1], evidence=pair.evidence)


# -- how long it took ---------------------------------------------------------------------------------------------------------


def _longer(pair: Pair, ratio: float, noise: list[str]) -> DurationChange | None:
    change = _durations(pair)
    if change is None or change.ratio < ratio:
        return None
    if _is_beyond_noise(pair.a.durations, pair.b.durations):
        return change
    noise.append(
        f"{pair.path}: the median went from {duration(change.a_ns)} to {duration(change.b_ns)}, and {change.noise}"
    )
    return None


def _shorter(pair: Pair, ratio: float) -> DurationChange | None:
    change = _durations(pair)
    if change is None or change.ratio > 1 / ratio or not _is_beyond_noise(pair.b.durations, pair.a.durations):
        return None
    return change


def _durations(pair: Pair) -> DurationChange | None:
    a, b = sorted(pair.a.durations), sorted(pair.b.durations)
    if not a or not b or not _at(a, 0.5):
        return None
    return DurationChange(
        path=pair.path,
        a_ns=_at(a, 0.5),
        b_ns=_at(b, 0.5),
        ratio=round(_at(b, 0.5) / _at(a, 0.5), 2),
        a_count=len(a),
        b_count=len(b),
        noise=_noise(a, b),
        evidence=pair.evidence,
    )


def _noise(a: list[int], b: list[int]) -> str:
    if min(len(a), len(b)) < _ENOUGH:
        return f"the noise is not known: {len(a)} and {len(b)} durations"
    ranges = (f"{duration(_at(each, 0.1))} to {duration(_at(each, 0.9))}" for each in (a, b))
    return "8 of 10 took {} in A, {} in B".format(*ranges)


def _is_beyond_noise(less: list[int], more: list[int]) -> bool:
    """Whether nearly all of ``more`` are longer than nearly all of ``less``; of a few durations, by how much."""
    less, more = sorted(less), sorted(more)
    if min(len(less), len(more)) < _ENOUGH:
        return more[0] - less[-1] >= _LEAST_NS
    return _at(more, 0.1) > _at(less, 0.9)


def _at(ordered: list[int], part: float) -> int:
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
