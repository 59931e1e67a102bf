"""Puts a recorder together in the process that it watches, and takes it apart when the process ends."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Mapping
from typing import Any

from codeintel_obs import carriers, guard, recorder
from codeintel_obs.context import suppress
from codeintel_obs.imports import watcher
from codeintel_obs.launch import entry_points, facts, plugins
from codeintel_obs.launch.sinks import Sinks
from codeintel_obs.levels import Content
from codeintel_obs.recorder import Recorder
from codeintel_obs.runs import from_environment
from codeintel_obs.settings import Settings, load
from codeintel_obs.spans import Spans
from codeintel_obs.variables import OFF_VARIABLE, is_off


def start_recording(overrides: Mapping[str, Any] | None = None) -> bool:
    """Start recording in this process unless it records already or is switched off; whether it records now."""
    if recorder.active is not None:
        return True
    if is_off(os.environ.get(OFF_VARIABLE)):
        return False
    try:
        with suppress():
            _start(load(overrides=overrides))
    except Exception as exc:  # noqa: BLE001 - the composition root's guard: no recorder is better than no application
        _say(f"not recording: {type(exc).__name__}: {exc}")
        return False
    return recorder.active is not None


def _say(what: str) -> None:
    """Say the one line that a watched process may say."""
    try:
        sys.stderr.write(f"codeintel-obs: {what}; see `codeintel-obs doctor`\n")
    except (AttributeError, ValueError, OSError):
        return  # the application has closed its standard error, or has none


def _start(settings: Settings) -> None:
    if settings.problems:
        more = f" (and {len(settings.problems) - 1} more)" if len(settings.problems) > 1 else ""
        _say(f"{settings.problems[0]}{more}")
    points = entry_points.find()
    sinks = Sinks(settings, [point for point in points if point.group == entry_points.SINKS])
    process_run = from_environment(os.environ)
    process_run.name = process_run.name or facts.program()
    process_run.tells_given = settings.content is not Content.NONE
    active = Recorder(settings, process_run, sinks.listeners(), _spans(settings))
    recorder.install(active)
    sinks.configure(settings, active, lambda: facts.manifest(settings, active))
    plugins.activate(points, settings, active)
    if settings.carriers:
        guard.call(carriers.install, finish)
    atexit.register(_at_exit)


def _spans(settings: Settings) -> Spans:
    from codeintel_obs.launch.providers import private_logs, private_metrics, private_pipeline

    private, logs = private_pipeline(settings, os.environ), private_logs(settings, os.environ)
    metrics = private_metrics(settings, os.environ)
    return Spans(private, plain=settings.plain_spans, on_adopt=_on_adopt, logs=logs, metrics=metrics)


def _on_adopt(provider: Any) -> None:
    from codeintel_obs.launch.foreign import watch_foreign_spans

    guard.call(watch_foreign_spans, provider)


def _at_exit() -> None:
    """Finish, and hold nothing of a library any more.

    A thread of an exporter that is cut off in its work keeps wrappers alive, and with them whatever they lead to;
    nanobind tells of every function of its own that is left when the interpreter ends.
    """
    finish()
    instrumentor = sys.modules.get("codeintel_obs.instrumentor")  # not there when no watched library was imported
    for plugin in list(getattr(instrumentor, "registry", {}).values()):
        guard.call(plugin.let_go)


def finish() -> None:
    """End the process run and close the sinks: at exit, or by hand. A recorder is not started again after it."""
    active = recorder.active
    if active is None:
        return
    with suppress():
        uncaught = facts.uncaught()
        outcome = "failed" if uncaught is not None else "ended"
        if uncaught is not None:
            guard.call(active.begin_run, active.process_run)  # why it ended is worth a record, though it took no step
        guard.call(active.shutdown, outcome, active.error(uncaught) if uncaught is not None else None)
    watcher.unwatch()
    recorder.install(None)
