"""Finds sinks through entry points and compiles their hooks to tuples, a stranger's behind a queue."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from inspect import isclass
from typing import Any, Final

import pluggy

from codeintel_obs import guard
from codeintel_obs.errors import PluginError
from codeintel_obs.hookspecs import PROJECT, Hooks
from codeintel_obs.launch.entry_points import EntryPoint
from codeintel_obs.launch.queued import Queued
from codeintel_obs.recorder import Listener, Listeners, Recorder
from codeintel_obs.settings import Settings

_HOOKS: Final = {
    "run_begun": "obs_run_begun",
    "step_begun": "obs_step_begun",
    "step_ended": "obs_step_ended",
    "log": "obs_log",
    "record": "obs_record",
    "run_ended": "obs_run_ended",
    "root": "obs_root",
    "flush": "obs_flush",
    "shutdown": "obs_shutdown",
}
_OURS: Final = "codeintel_obs.sinks."


class Sinks:
    """The sinks of one process. Those that are denied are never imported."""

    def __init__(self, settings: Settings, entry_points: Iterable[EntryPoint]) -> None:
        self.manager = pluggy.PluginManager(PROJECT)
        self.manager.add_hookspecs(Hooks)
        self.disabled: dict[str, str] = {}
        self._queues: dict[int, Queued] = {}
        for entry_point in sorted(entry_points, key=lambda each: each.name != "spans"):
            reason = settings.denials.get(entry_point.name) if settings.denials else None
            if reason is not None:
                self.disabled[entry_point.name] = reason
            else:
                guard.call(self._register, entry_point, settings)

    def _register(self, entry_point: EntryPoint, settings: Settings) -> None:
        found = entry_point.load()
        wanted = getattr(found, "wanted", None)
        if wanted is not None and entry_point.value.startswith(_OURS) and not wanted(settings):
            return  # its hooks would be called at every step for nothing
        sink = found() if isclass(found) else found
        self.manager.register(sink, entry_point.name)
        for caller in self.manager.get_hookcallers(sink) or []:
            if any(each.plugin is sink and (each.hookwrapper or each.wrapper) for each in caller.get_hookimpls()):
                self.manager.unregister(sink)
                raise PluginError(f"sink {entry_point.name}: {caller.name} is a hook wrapper, which sinks may not be")
        if not entry_point.value.startswith(_OURS) and not getattr(sink, "obs_inline", False):
            self._queues[id(sink)] = Queued(entry_point.name)

    def listeners(self) -> Listeners:
        """Return the hooks in pluggy's order (last registered first, ``tryfirst`` and ``trylast`` honoured)."""
        return Listeners(**{field: tuple(self._compiled(name)) for field, name in _HOOKS.items()})

    def _compiled(self, name: str) -> Iterable[Callable[..., Any]]:
        caller = getattr(self.manager.hook, name)
        for implementation in reversed(caller.get_hookimpls()):
            function = implementation.function
            queue = self._queues.get(id(implementation.plugin))
            takes = bool(implementation.argnames)
            if queue is not None:
                yield queue.listener(name, function, takes=takes)
            else:
                yield function if takes or name == "obs_shutdown" else _without_argument(function)

    def configure(self, settings: Settings, active: Recorder, manifest: Callable[[], Any]) -> None:
        """Give the sinks that want them the settings, the recorder and the supplier of the process manifest."""
        for queue in self._queues.values():
            queue.active = active
        for sink in self.manager.get_plugins():
            configure = getattr(sink, "configure", None)
            if configure is not None and type(sink).__module__.startswith(_OURS):
                guard.call(configure, settings, active, manifest)


def _without_argument(function: Callable[[], Any]) -> Listener:
    return lambda _subject: function()
