"""Which failures were handled: their exception went nowhere, as the steps around them show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codeintel_obs.ledger.encoding import CHAIN_CAP
from codeintel_obs.report.causes import SERVED, Causes, ended_at, followed

if TYPE_CHECKING:
    from codeintel_obs.report.entries import Held
    from codeintel_obs.report.fold import Fold
    from codeintel_obs.steps import ErrorInfo

_LEAVES: Final = frozenset({"SystemExit", "KeyboardInterrupt"})
"""Exceptions that end a process without a word where nothing catches them."""


def handled_failures(state: Fold, causes: Causes) -> list[str]:
    """Return the failed steps whose exception went nowhere, less those on the way to what stopped the run."""
    fates = _Fates(state, causes)
    return [step for step in state.failures if step not in causes.stop_path and fates.was_handled(step)]


class _Fates:
    def __init__(self, state: Fold, causes: Causes) -> None:
        self._state = state
        self._basis = causes.basis
        self._known: dict[str, bool | None] = {}
        self._last: dict[tuple[str | None, str], Held] = {}
        self._uncaught = {error_id for _, record in state.uncaught.values() if record.error is not None
                          for error_id in followed(record.error)}  # fmt: skip
        for held in state.failures.values():
            # of the failures under one parent with one exception object, only the last can have gone on
            if held.error_id is not None:
                key = (state.parents.get(held.id), held.error_id)
                self._last[key] = max(self._last.get(key, held), held, key=ended_at)

    def was_handled(self, step: str) -> bool | None:
        """Return whether the failure of ``step`` went nowhere; None where that is not decided or not known."""
        path: list[str] = []
        at: str | None = step
        fate: bool | None = None
        while at is not None and at not in self._known:
            path.append(at)
            self._known[at] = None  # a cycle of parents, which only damage makes, stays undecided
            at, fate = self._goes_to(at)
        if at is not None:
            fate = self._known[at]
        self._known.update(dict.fromkeys(path, fate))
        return fate

    def _goes_to(self, step: str) -> tuple[str | None, bool | None]:
        """Return the failed step that carries the exception on, else None and whether it was handled there."""
        state, held = self._state, self._state.failures[step]
        if self._basis is not None and self._basis.step is held:
            return None, False
        if held.begin is None and held.first.event == "step.end":
            return None, None  # its begin is lost, and with it what it hung from
        parent = state.parents.get(step)
        if parent in state.open:
            return None, None
        above = state.failures.get(parent) if parent is not None else None
        if above is not None and self._carries(above.error, held):
            return parent, None
        if above is not None and not self._is_whole(held.error, above.error):
            return None, None
        if self._was_last(held) and held.error_id in self._uncaught:
            return None, False
        return None, self._went_nowhere(held, parent)

    def _went_nowhere(self, held: Held, parent: str | None) -> bool | None:
        """Return True where the one who could have carried it on did not; None where nobody on record could have."""
        state = self._state
        if held.kind in SERVED or state.uncaught.omitted:
            return None
        if parent not in state.parents:
            return None if self._is_left_open(held) else not self._carries(self._end_error(), held)
        around = state.kept.get(parent or "")
        if around is None or around.end is None:
            return None
        outlived = ended_at(around) < ended_at(held)
        return None if outlived or not state.share_a_process(around, held) else True

    @staticmethod
    def _is_whole(error: ErrorInfo | None, above: ErrorInfo | None) -> bool:
        """Whether what is on record of two failures would show that one went on as the other."""
        known = error is not None and error.id is not None and above is not None and above.id is not None
        return known and above is not None and len(above.chain) < CHAIN_CAP

    def _is_left_open(self, held: Held) -> bool:
        """Whether nothing on record could show where an exception went that left the outermost step."""
        end = self._state.run_end
        if end is None or not self._in_first_process(held) or (held.error and held.error.type in _LEAVES):
            return True
        return end[1].error is not None and not self._is_whole(held.error, end[1].error)

    def _end_error(self) -> ErrorInfo | None:
        return self._basis.error if self._basis else None

    def _in_first_process(self, held: Held) -> bool:
        begin = self._state.run_begin
        return begin is None or self._state.processes.get(begin[0]) == self._state.process_of(held)

    def _carries(self, error: ErrorInfo | None, held: Held) -> bool:
        own = held.error_id
        if error is None or error.id is None or own is None:
            return False
        return self._was_last(held) if own == error.id else own in followed(error)

    def _was_last(self, held: Held) -> bool:
        own = held.error_id
        return own is not None and self._last[self._state.parents.get(held.id), own] is held
