"""Puts a recorder together in the process that it watches, and takes it apart when the process ends."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Mapping
from importlib import metadata
from typing import Any

from codeintel_obs import carriers, guard, recorder
from codeintel_obs.context import suppress
from codeintel_obs.imports import watcher
from codeintel_obs.launch import facts, plugins
from codeintel_obs.launch.sinks import Sinks
from codeintel_obs.recorder import Recorder
from codeintel_obs.runs import from_environment
from codeintel_obs.settings import OFF_VARIABLE, Settings, load
from codeintel_obs.spans import Spans

SINKS = "codeintel_obs"
_OFF = frozenset({"off", "0", "false", "no"})


def start_recording(overrides: Mapping[str, Any] | None = None) -> bool:
    """Start recording in this process unless it records already or is switched off; whether it records now."""
    if recorder.active is not None:
        return True
    if os.environ.get(OFF_VARIABLE, "").lower() in _OFF:
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
    print(f"codeintel-obs: {what}; see `codeintel-obs doctor`", file=sys.stderr)  # noqa: T201 - to the user


def _start(settings: Settings) -> None:
    if settings.problems:
        more = f" (and {len(settings.problems) - 1} more)" if len(settings.problems) > 1 else ""
        _say(f"{settings.problems[0]}{more}")
    points = metadata.entry_points()
    sinks = Sinks(settings, points.select(group=SINKS))
    process_run = from_environment(os.environ)
    process_run.name = process_run.name or facts.program()
    spans = _spans(settings)
    active = Recorder(settings, process_run, sinks.listeners(), spans)
    recorder.install(active)
    sinks.configure(settings, active, lambda: facts.manifest(settings, active))
    plugins.activate(points, settings, active)
    if settings.carriers:
        guard.call(carriers.install, finish)
    atexit.register(finish)


def _spans(settings: Settings) -> Spans:
    from codeintel_obs.launch.providers import private_logs, private_metrics, private_pipeline

    return Spans(
        private_pipeline(settings),
        plain=settings.plain_spans,
        on_adopt=_on_adopt,
        logs=private_logs(settings),
        metrics=private_metrics(settings),
    )


def _on_adopt(provider: Any) -> None:
    from codeintel_obs.launch.foreign import watch_foreign_spans

    guard.call(watch_foreign_spans, provider)


def finish() -> None:
    """End the process run and close the sinks: at exit, or by hand. A recorder is not started again after it."""
    active = recorder.active
    if active is None:
        return
    with suppress():
        uncaught = facts.uncaught()
        outcome = "failed" if uncaught is not None else "ended"
        guard.call(active.shutdown, outcome, active.error(uncaught) if uncaught is not None else None)
    watcher.unwatch()
    recorder.install(None)
