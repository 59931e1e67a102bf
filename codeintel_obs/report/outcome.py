"""How an attempt ended: as its end, its supervisor's exit record and its processes' liveness say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from codeintel_obs.report.entries import Entry, Held, cite
from codeintel_obs.report.fold import FAILURES, Fold
from codeintel_obs.report_model import OUTCOMES, OutcomeWord

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codeintel_obs.steps import Record

_TOOL_CALL = "tool.call"


@dataclass(frozen=True, slots=True)
class Ending:
    """An outcome with its evidence; ``step`` is the step that decided it, for a request's run."""

    outcome: OutcomeWord
    evidence: list[str]
    step: Held | None = None


def ending(state: Fold, alive: Mapping[str, bool | None]) -> Ending:
    """Return how the attempt ended; ``alive`` tells of each process by its manifest's name."""
    if state.exit is not None:
        return _witnessed(state)
    if state.run_begin is None:
        return _without_begin(state, alive)
    if (state.run_begin[1].payload or {}).get("parent_run_id"):
        return _of_request(state, alive)
    return _of_process(state, alive)


def exit_status(record: Record) -> tuple[int | None, int | None]:
    """Return the exit code and the signal's number that a ``process.exit`` tells, one of them None."""
    payload = record.payload or {}
    code, signal = payload.get("code"), payload.get("signal")
    return code if isinstance(code, int) else None, signal if isinstance(signal, int) else None


def last_word(state: Fold) -> Entry | None:
    """Return the record that tells by which exception the attempt ended: of the process whose exit was witnessed.

    A worker may have been the first with a record and so the one who began the attempt; its end is not the program's.
    """
    joined = _joined_and_exited(state)
    if not joined:
        return state.run_end
    ends = (entry for entry in state.uncaught.values() if entry[1].event == "writer.end")
    return next((entry for entry in ends if entry[0] in joined), None)


def _joined_and_exited(state: Fold) -> set[str]:
    """Return the files of the process whose exit was witnessed, where another one began the attempt; else none."""
    if state.exit is None or state.run_begin is None:
        return set()
    pid = _pid(state.exit[1])
    names = {state.processes[place] for place, record in state.writers if pid is not None and _pid(record) == pid}
    if {None, state.processes[state.run_begin[0]]} & names:
        return set()
    return {place for place, name in state.processes.items() if name in names}


def _pid(record: Record) -> object:
    return (record.payload or {}).get("pid")


def root_of(state: Fold) -> Held | None:
    """Return the step that a request's run began with: its first one that hangs from no step of this run."""
    roots = [held for held in state.roots if held.first.parent_span_id not in state.parents]
    return min(roots, key=lambda held: held.first.mono_ns, default=None)


def _witnessed(state: Fold) -> Ending:
    assert state.exit is not None
    evidence = [cite(state.exit)]
    code, signal = exit_status(state.exit[1])
    if signal is not None:
        return Ending("interrupted", evidence)
    if code != 0:
        return Ending("failed" if code is not None else "unknown", evidence)
    if state.run_end is not None:
        return Ending("completed", [*evidence, cite(state.run_end)])
    if _joined_and_exited(state) & state.closed:
        return Ending("completed", evidence)  # whoever has no end is a worker
    return Ending("interrupted", evidence)


def _of_process(state: Fold, alive: Mapping[str, bool | None]) -> Ending:
    if state.run_end is None:
        return _without_end(state, alive)
    evidence = [cite(state.run_end)]
    return Ending("failed" if state.run_end[1].error is not None else "ended", evidence)


def _of_request(state: Fold, alive: Mapping[str, bool | None]) -> Ending:
    root = root_of(state)
    if root is None or root.end is None:
        return _stated(state) if state.run_end is not None else _without_end(state, alive)
    failed = next((held for held in state.failures.values() if held.kind == _TOOL_CALL), None)
    decisive = root if failed is None or root.status in FAILURES else failed
    assert decisive.end is not None
    word = decisive.status if decisive.status in OUTCOMES else "unknown"
    return Ending(cast("OutcomeWord", word), [cite(decisive.end)], decisive)


def _without_begin(state: Fold, alive: Mapping[str, bool | None]) -> Ending:
    return _stated(state) if state.run_end is not None else _without_end(state, alive)


def _stated(state: Fold) -> Ending:
    """Return the outcome that the run's end tells, where nothing else that decides it is on record."""
    assert state.run_end is not None
    word = (state.run_end[1].payload or {}).get("outcome")
    return Ending(cast("OutcomeWord", word if word in OUTCOMES else "unknown"), [cite(state.run_end)])


def _without_end(state: Fold, alive: Mapping[str, bool | None]) -> Ending:
    """No end is on record: whether one can still come depends on the processes that write the attempt."""
    evidence = state.searched
    known = [alive.get(name) if name else None for name in state.processes.values()]
    if any(each is True for each in known):
        return Ending("in_progress", evidence)
    if not known or any(each is None for each in known):
        return Ending("unknown", evidence)
    return Ending("interrupted", evidence)
