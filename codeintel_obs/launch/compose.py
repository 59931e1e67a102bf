"""Puts a recorder together in the process that it watches, and takes it apart when the process ends."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import Any

from codeintel_obs import guard, imports, instrumentor, recorder
from codeintel_obs.context import suppress
from codeintel_obs.instrumentor import LibraryInstrumentor
from codeintel_obs.launch import facts
from codeintel_obs.launch.sinks import Sinks
from codeintel_obs.recorder import Recorder
from codeintel_obs.runs import from_environment
from codeintel_obs.settings import OFF_VARIABLE, Settings, load
from codeintel_obs.spans import Spans

INSTRUMENTORS = "opentelemetry_instrumentor"
SINKS = "codeintel_obs"
PREFIX = "codeintel_"


def start_recording(overrides: Mapping[str, Any] | None = None) -> bool:
    """Start recording in this process unless it records already or is switched off; whether it records now."""
    if recorder.active is not None:
        return True
    if os.environ.get(OFF_VARIABLE, "").lower() in {"off", "0", "false", "no"}:
        return False
    try:
        with suppress():
            _start(load(overrides=overrides))
    except Exception as exc:  # noqa: BLE001 - the composition root's own guard: no recorder is better than no application
        print(f"codeintel-obs: not recording: {type(exc).__name__}: {exc}; see `codeintel-obs doctor`", file=sys.stderr)  # noqa: T201 - the one line
        return False
    return recorder.active is not None


def _start(settings: Settings) -> None:
    for problem in settings.problems[:1]:
        more = f" (and {len(settings.problems) - 1} more)" if len(settings.problems) > 1 else ""
        print(f"codeintel-obs: {problem}{more}; see `codeintel-obs doctor`", file=sys.stderr)  # noqa: T201 - the one line
    points = metadata.entry_points()
    sinks = Sinks(settings, points.select(group=SINKS))
    process_run = from_environment(os.environ)
    process_run.name = process_run.name or facts.program()
    spans = Spans(_private(settings), plain=settings.plain_spans, events=settings.span_events, on_adopt=_on_adopt)
    active = Recorder(settings, process_run, sinks.listeners(), spans)
    recorder.install(active)
    sinks.configure(settings, active, lambda: facts.manifest(settings, active))
    instrumentor.denied = settings.denied
    plugins = list(_load_plugins(points.select(group=INSTRUMENTORS), settings))
    active.plugins = tuple(plugin.plugin for plugin in plugins if settings.denied(plugin.plugin) is None)
    for plugin in plugins:
        _activate(active, plugin, settings)
    _carry(settings)
    instrumentor.on_activation = lambda plugin: facts.tell_activation(active, plugin)
    atexit.register(finish)


def _private(settings: Settings) -> Any:
    from codeintel_obs.launch.providers import private_pipeline

    return private_pipeline(settings)


def _on_adopt(provider: Any) -> None:
    from codeintel_obs.launch.foreign import watch_foreign_spans

    guard.call(watch_foreign_spans, provider)


def _load_plugins(entry_points: Iterable[metadata.EntryPoint], settings: Settings) -> Iterable[LibraryInstrumentor]:
    """Yield ours and strangers' instrumentors; others of OpenTelemetry's are their own launcher's."""
    for entry_point in entry_points:
        if entry_point.name.startswith(PREFIX):
            plugin = guard.call(_load_plugin, entry_point, settings)
            if plugin is not None:
                yield plugin


def _load_plugin(entry_point: metadata.EntryPoint, settings: Settings) -> LibraryInstrumentor | None:
    if settings.denied(entry_point.name.removeprefix(PREFIX)):
        facts.denied[entry_point.name.removeprefix(PREFIX)] = (
            settings.denied(entry_point.name.removeprefix(PREFIX)) or ""
        )
        return None
    made = entry_point.load()()
    return made if isinstance(made, LibraryInstrumentor) else None


def _activate(active: Recorder, plugin: LibraryInstrumentor, settings: Settings) -> None:
    if settings.denied(plugin.plugin) is None and plugin.library not in sys.stdlib_module_names:
        imports.watcher.watch(plugin.library)
    active.spans.semantics.update(plugin.semantics)
    plugin.instrument()


def _carry(settings: Settings) -> None:
    if settings.carriers:
        from codeintel_obs import carriers

        guard.call(carriers.install)


def finish() -> None:
    """End the process run and close the sinks: at exit, or by hand. A recorder is not started again after it."""
    active = recorder.active
    if active is None:
        return
    with suppress():
        uncaught = facts.uncaught()
        outcome = "failed" if uncaught is not None else "ended"
        guard.call(active.shutdown, outcome, active.error(uncaught) if uncaught is not None else None)
    recorder.install(None)
