"""Facts of this process: its manifest, its plugins' activation, and the exception that nobody caught."""

from __future__ import annotations

import platform
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any

from codeintel_obs.failures import type_name
from codeintel_obs.launch import identity
from codeintel_obs.launch.names import program_of
from codeintel_obs.recorder import Recorder
from codeintel_obs.settings import Settings

if TYPE_CHECKING:
    from codeintel_obs.instrumentor import LibraryInstrumentor

idle: dict[str, str] = {}
"""Plugins that are not loaded, and why: what they are switched off by, or that their library is not imported."""


def program() -> str:
    """Return the name of what this process runs."""
    return program_of(getattr(sys, "orig_argv", sys.argv))


def manifest(settings: Settings, active: Recorder) -> dict[str, Any]:
    """Return the process manifest: what was running, with which settings, and what was wrapped."""
    return identity.of_process(settings, active.process_run, program()) | {
        "platform": platform.platform(),
        "plugins": {name: _idle(fact) for name, fact in idle.items()} | _active_plugins(),
    }


def _idle(fact: str) -> dict[str, Any]:
    return {"points": {}, ("disabled" if fact.startswith("disabled") else "fact"): fact}


def _active_plugins() -> dict[str, dict[str, Any]]:
    instrumentor = sys.modules.get("codeintel_obs.instrumentor")  # not there before the first plugin is
    registry: dict[str, LibraryInstrumentor] = getattr(instrumentor, "registry", {})
    return {name: activation(plugin) for name, plugin in registry.items()}


def activation(plugin: LibraryInstrumentor) -> dict[str, Any]:
    """Return a plugin's facts, point by point."""
    return {
        "library": plugin.library,
        "version": plugin.version(),
        "points": dict(plugin.activation),
        "kinds": plugin.kinds(),
    }


def tell_activation(active: Recorder, plugin: LibraryInstrumentor) -> None:
    """Write facts that changed after the manifest was written; before that, the manifest will hold them."""
    if not active.process_run.begun:
        return
    active.record("activation", plugin.told_facts())


def service(settings: Settings) -> str:
    """Return the service's name: the setting, OpenTelemetry's, or the program's."""
    return identity.service(settings, program())


def uncaught() -> BaseException | None:
    """Return the exception that ended the main program, if the interpreter printed one that came from its top frame.

    ``sys.last_exc`` is also set by tools (pytest, pdb, consoles) for exceptions that ended nothing; those tracebacks do
    not start at the program's own top level. ``sys.excepthook`` stays the application's.
    """
    exc = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
    traceback = _traceback_of(exc)
    if exc is None or traceback is None:
        return None
    code = traceback.tb_frame.f_code
    top = code.co_name == "<module>" and traceback.tb_frame.f_globals.get("__name__") == "__main__"
    by_runpy = code.co_name == "_run_module_as_main" and "runpy" in code.co_filename
    return exc if top or by_runpy else None


def _traceback_of(exc: BaseException | None) -> TracebackType | None:
    """Return where ``exc`` came through; a group that ``except*`` made at the top level came nowhere, but its members did."""
    found = getattr(exc, "__traceback__", None)
    while found is None and isinstance(exc, BaseExceptionGroup):
        exc = exc.exceptions[0]
        found = exc.__traceback__
    return found


def named(exc: BaseException) -> str:
    """Return the type of ``exc`` as records name it."""
    return type_name(type(exc))
