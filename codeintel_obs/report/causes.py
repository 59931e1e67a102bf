"""Why a run stopped: follows the very exception objects down to the step that first raised one."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from codeintel_obs.report.entries import Held, cite
from codeintel_obs.report.fold import FAILURES, Fold
from codeintel_obs.report.outcome import Ending, exit_status, last_word
from codeintel_obs.report_model import Elsewhere, Raised, StopReason

if TYPE_CHECKING:
    from codeintel_obs.steps import ErrorInfo

_FOLLOWED: Final = frozenset({"cause", "group"})
_ELSEWHERE: Final = 20
SERVED: Final = frozenset({"http.request", "tool.call"})
"""Kinds whose failure is the answer that somebody else was given: what became of it there is not ours to say."""


@dataclass(frozen=True, slots=True)
class Basis:
    """What ended a run that did not do well: an exception, or a step or exit code without one."""

    error: ErrorInfo | None
    step: Held | None
    message: str | None
    evidence: list[str]


class Causes:
    """The failures of a run by the exception that they carry. Made once per report."""

    def __init__(self, state: Fold, ending: Ending) -> None:
        self._state = state
        self._ending = ending
        self._raises: defaultdict[str, list[Held]] = defaultdict(list)
        for held in state.failures.values():
            if held.error_id is not None:
                self._raises[held.error_id].append(held)
        self.basis = _basis(state, ending)
        self.stop_path: set[str] = set()

    def stopped_because(self) -> StopReason | None:
        """Return what stopped the run; None for a run without an end, or one that did not fail."""
        basis = self.basis
        if basis is None:
            return None
        if basis.error is None or basis.error.id is None:
            return self._without_exception(basis)
        trail = self._trail(basis.error)
        first = self._first_raise(basis.error)
        if first is not None:
            self.stop_path = self._path(first, {raised.error_id for raised in trail})
        error = first.error if first is not None and first.error is not None else basis.error
        return StopReason(
            kind=first.kind if first else None,
            status=(first.status if first else None) or self._ending.outcome,
            error_type=error.type,
            message=error.message,
            step=first.id if first else None,
            while_handling=self._while_handling(basis.error, {raised.error_id for raised in trail}),
            trail=trail,
            evidence=_unique([*basis.evidence, *(_end_of(first) if first else [])]),
            elsewhere=self._elsewhere(first),
        )

    def _without_exception(self, basis: Basis) -> StopReason:
        """Return a stop without an exception to follow: an exit code, a returned 503, a lost id."""
        step, error = basis.step, basis.error
        self.stop_path = {step.id} if step is not None else set()
        return StopReason(
            kind=step.kind if step else None,
            status=(step.status if step else None) or self._ending.outcome,
            error_type=error.type if error else None,
            message=error.message if error else basis.message,
            step=step.id if step else None,
            while_handling=[],
            trail=[],
            evidence=basis.evidence,
            elsewhere=self._elsewhere(step),
        )

    def _elsewhere(self, stop: Held | None) -> list[Elsewhere]:
        """Return what failed first in other processes under the step ``stop``, an exception's every road told once."""
        if stop is None:
            return []
        found: dict[str, Held] = {}
        for held in self._state.failures.values():
            if self._answers_from_elsewhere(held, stop) and stop.id in self._state.ancestors(held.id):
                first = (self._first_raise(held.error) if held.error and held.error.id else None) or held
                found[first.id] = first
        return [_elsewhere_of(held, self._state) for held in list(found.values())[:_ELSEWHERE]]

    def _answers_from_elsewhere(self, held: Held, stop: Held) -> bool:
        """Whether the failure ``held`` is what a process was given for its call of another one.

        A tool's failure stands in the body of an HTTP answer that was a success, under a request that completed.
        """
        state = self._state
        if held.kind in SERVED:
            return not state.share_a_process(stop, held)
        parent = state.kept.get(state.parents.get(held.id) or "")
        return parent is not None and not state.share_a_process(parent, held)

    def _path(self, first: Held, errors: set[str]) -> set[str]:
        """Return ``first`` and the steps around it that one of ``errors`` went through."""
        failures = self._state.failures
        around = (failures[up] for up in self._state.ancestors(first.id) if up in failures)
        return {first.id} | {held.id for held in around if held.error_id in errors}

    def _trail(self, error: ErrorInfo) -> list[Raised]:
        """Return the exception that ended the run and what it hangs from by cause or group, breadth first."""
        assert error.id is not None
        ids = set(followed(error))
        links = (link for link in error.chain if link.via in _FOLLOWED and link.id in ids)
        return [
            self._raised(error.id, error.type, "end"),
            *(self._raised(each.id, each.type, each.via) for each in links),
        ]

    def _while_handling(self, error: ErrorInfo, trail: set[str]) -> list[Raised]:
        links = (link for link in error.chain if link.via == "context" and link.id not in trail)
        return [self._raised(link.id, link.type, link.via) for link in links if (link.of or error.id) in trail]

    def _raised(self, error_id: str, error_type: str, via: str) -> Raised:
        step = self._raiser(error_id)
        evidence = _end_of(step) if step else []
        return Raised(
            error_id=error_id,
            error_type=error_type,
            via=via,
            step=step.id if step else None,
            evidence=evidence,
        )

    def _first_raise(self, error: ErrorInfo) -> Held | None:
        """Return the step that first raised ``error`` or what it hangs from: the deepest, else the earliest.

        A cancellation is a consequence and never the first: where a time-out cancelled a step, the step that
        raised the time-out is the one that timed out.
        """
        assert error.id is not None
        children = _children(error)
        first: dict[str, Held | None] = {}
        for error_id in reversed(followed(error)):
            below = [held for each in children.get(error_id, ()) if (held := first.get(each)) is not None]
            reasons = [held for held in below if not _cancelled(held)]
            own = self._raiser(error_id)
            first[error_id] = min(reasons, key=ended_at) if reasons else own or next(iter(below), None)
        return first[error.id]

    def _raiser(self, error_id: str) -> Held | None:
        """Return the step that raised this exception first in the raise that came last.

        Steps with one error id on one parent chain are one raise, told from the inside out. Elsewhere the
        same object was raised again: the last raise is the one that went on.
        """
        above = {held.id: self._nearest_carrier(held) for held in self._raises.get(error_id, ())}
        inner: defaultdict[str | None, list[Held]] = defaultdict(list)
        for held in self._raises.get(error_id, ()):
            inner[above[held.id]].append(held)
        found = None
        at: str | None = None
        while inner.get(at):
            found = max(inner.pop(at), key=ended_at)
            at = found.id
        return found

    def _nearest_carrier(self, held: Held) -> str | None:
        failures = self._state.failures
        for up in self._state.ancestors(held.id):
            if up in failures and failures[up].error_id == held.error_id:
                return up
        return None


def _basis(state: Fold, ending: Ending) -> Basis | None:
    if ending.outcome not in FAILURES or (state.run_end is None and state.exit is None):
        return None
    end = last_word(state)
    at_end = [cite(end)] if end else []
    error = end[1].error if end else None
    if ending.step is not None and ending.step.end is not None:
        record = ending.step.end[1]
        return Basis(record.error or error, ending.step, record.detail, _unique([*ending.evidence, *at_end]))
    if error is None and state.exit is not None:
        return Basis(None, None, f"exit code {exit_status(state.exit[1])[0]}", [cite(state.exit)])
    return Basis(error, None, None, _unique([*at_end, *ending.evidence]))


def _children(error: ErrorInfo) -> dict[str, list[str]]:
    """Return, by exception id, what hangs from it by cause or group, as far as ``error`` leads."""
    ids = set(followed(error))
    children: dict[str, list[str]] = {}
    for link in error.chain:
        of = link.of or error.id
        if link.via in _FOLLOWED and of in ids and of is not None:
            children.setdefault(of, []).append(link.id)
    return children


def followed(error: ErrorInfo) -> list[str]:
    """Return the ids of ``error`` and of what hangs from it by cause or group, holders first."""
    found = [error.id] if error.id else []
    for link in error.chain:
        if link.via in _FOLLOWED and (link.of or error.id) in found and link.id not in found:
            found.append(link.id)
    return found


def _elsewhere_of(held: Held, state: Fold) -> Elsewhere:
    error = held.error
    return Elsewhere(
        step=held.id,
        kind=held.kind,
        status=held.status or "failed",
        error_type=error.type if error else None,
        message=error.message if error else held.end[1].detail if held.end else None,
        process=state.process_of(held),
        evidence=held.evidence,
    )


def _cancelled(held: Held) -> bool:
    return held.error is not None and held.error.type.rpartition(".")[2] == "CancelledError"


def ended_at(held: Held) -> tuple[int, int]:
    assert held.end is not None
    return held.end[1].mono_ns, held.end[1].n


def _end_of(held: Held) -> list[str]:
    return [cite(held.end)] if held.end else []


def _unique(evidence: list[str]) -> list[str]:
    return list(dict.fromkeys(evidence))
