"""Which failures were handled: their exception went nowhere, as the steps around them show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codeintel_obs.report.causes import Causes, ended_at, followed

if TYPE_CHECKING:
    from codeintel_obs.report.entries import Held
    from codeintel_obs.report.fold import Fold
    from codeintel_obs.steps import ErrorInfo


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
        if parent in state.parents:
            above = state.failures.get(parent)
            carried = above is not None and self._carries(above.error, held)
            return (parent, None) if carried else (None, True)
        if state.run_end is None:
            return None, None
        return None, not self._carries(self._basis.error if self._basis else None, held)

    def _carries(self, error: ErrorInfo | None, held: Held) -> bool:
        own = held.error_id
        if error is None or error.id is None or own is None:
            return False
        if own == error.id:
            return self._last[self._state.parents.get(held.id), own] is held
        return own in followed(error)
