"""What did not run: what the application itself skipped, and what a plan expected in vain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codeintel_obs.report.entries import Entry, cite
from codeintel_obs.report.watched import WRAPPED, Watched
from codeintel_obs.report_model import Absence, DidNotRun

if TYPE_CHECKING:
    from codeintel_obs.report.fold import Fold


def did_not_run(state: Fold, facts: Watched, *, over: bool, whole: bool) -> list[DidNotRun]:
    """Return skips, and planned kinds without a begin; the latter only when the run is ``over``.

    ``whole`` says that no record is missing: of a ledger with gaps, no absence proves anything.
    """
    skipped = [
        DidNotRun(kind=kind, why="skipped", detail=detail, count=tally.count, evidence=tally.evidence)
        for (kind, detail), tally in state.skips.items()
    ]
    if not over:
        return skipped
    planned = [each for plan in state.plans for each in _missed(state, plan, facts, whole)]
    return skipped + list({(each.kind, each.detail, *each.evidence): each for each in planned}.values())


def _missed(state: Fold, plan: Entry, facts: Watched, whole: bool) -> list[DidNotRun]:
    payload = plan[1].payload or {}
    kinds = payload.get("kinds")
    covered = plan[1].parent_span_id
    expected = [str(kind) for kind in kinds] if isinstance(kinds, list) else []
    return [
        _absence(state, plan, kind, facts, whole)
        for kind in dict.fromkeys(expected)
        if not _stands_under(state, state.parents_of_kind.get(kind, set()), covered)
        and not _stands_under(state, state.skipped_under.get(kind, set()), covered)
    ]


def _stands_under(state: Fold, parents: set[str | None], covered: str | None) -> bool:
    """Whether a step with one of ``parents`` stands under the step ``covered``; None covers the whole run."""
    if covered is None or covered not in state.parents:
        return bool(parents)
    return any(parent == covered or covered in state.ancestors(parent) for parent in parents if parent is not None)


def _absence(state: Fold, plan: Entry, kind: str, facts: Watched, whole: bool) -> DidNotRun:
    """Say whether ``kind`` was watched all along (then it was not reached) or nobody would have seen it."""
    known = facts.kind(kind)
    evidence = [cite(plan), *state.searched, *(fact.evidence for fact in known)]
    off = {f"{fact.plugin}: {fact.fact}": None for fact in known if fact.fact != WRAPPED}
    why: Absence = "not_observed"
    if off or not known:
        detail = "; ".join(off) if off else "planned, and no point of this kind is on record"
    elif not whole:
        detail = "planned and watched, and no begin among the records that are left: some are missing"
    else:
        why, detail = "not_reached", "planned and watched, and no begin on record"
    return DidNotRun(kind=kind, why=why, detail=detail, count=1, evidence=evidence)
