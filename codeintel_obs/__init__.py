"""A flight recorder for retrieval and code-intelligence services; importing it does nothing."""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers take this name for true; `typing` would be half of what a launch costs a process
if TYPE_CHECKING:
    from typing import Any

    from codeintel_obs.hookspecs import hookimpl
    from codeintel_obs.instrumentor import LibraryInstrumentor
    from codeintel_obs.launch import start
    from codeintel_obs.speaking import current_run, emit_step, step
    from codeintel_obs.steps import Call, FieldClass, Outcome, Point, Status, Step, StepEvent

__all__ = [
    "Call",
    "FieldClass",
    "LibraryInstrumentor",
    "Outcome",
    "Point",
    "Status",
    "Step",
    "StepEvent",
    "current_run",
    "emit_step",
    "hookimpl",
    "start",
    "step",
]

_HOMES = {
    "Call": "steps",
    "FieldClass": "steps",
    "LibraryInstrumentor": "instrumentor",
    "Outcome": "steps",
    "Point": "steps",
    "Status": "steps",
    "Step": "steps",
    "StepEvent": "steps",
    "current_run": "speaking",
    "emit_step": "speaking",
    "hookimpl": "hookspecs",
    "start": "launch",
    "step": "speaking",
}


def __getattr__(name: str) -> Any:
    """Import a public name where it lives on its first use: a watched process pays only for what it uses."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{home}"), name)
