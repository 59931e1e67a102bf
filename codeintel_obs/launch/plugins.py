"""Finds the instrumentors and activates each: at once, or when the library that it waits for is imported."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Final

from codeintel_obs import guard
from codeintel_obs.imports import watcher
from codeintel_obs.launch import facts
from codeintel_obs.launch.entry_points import INSTRUMENTORS, LIBRARIES, PREFIX, EntryPoint

if TYPE_CHECKING:
    from codeintel_obs.instrumentor import LibraryInstrumentor
    from codeintel_obs.recorder import Recorder
    from codeintel_obs.settings import Settings


def activate(points: Iterable[EntryPoint], settings: Settings, active: Recorder) -> None:
    """Activate ours and strangers' instrumentors. Idempotent."""
    libraries: dict[str, list[str]] = {}
    for point in points:
        if point.group == LIBRARIES:
            libraries.setdefault(point.value, []).append(point.name)
    names = []
    for point in (each for each in points if each.group == INSTRUMENTORS):
        name = point.name.removeprefix(PREFIX)
        reason = settings.denied(name)
        if reason is not None:
            facts.idle[name] = f"disabled by {reason}"
            continue
        if name == "seams" and not settings.seams:
            facts.idle[name] = "none declared"  # it waits for no library, and nobody else needs wrapt at launch
            continue
        names.append(name)
        if point.value not in libraries:
            _loader(partial(_load, point, settings, active))
            continue
        facts.idle[name] = "not imported"
        for library in libraries[point.value]:  # the first of them that is imported loads it
            _wait(library, partial(_load, point, settings, active))
    active.plugins = tuple(names)


def _wait(library: str, load: partial[None]) -> None:
    # of plugins that share a library, some wait for a part of it: an import of a part is no step of its own
    if library not in sys.stdlib_module_names and library not in sys.modules and "." not in library:
        watcher.watch(library)
    watcher.before(library, partial(_loader, load))


class _Loader:
    """Loads plugins one after another: what a plugin imports (logging, say) may be what another one waits for."""

    def __init__(self) -> None:
        self._waiting: deque[partial[None]] = deque()
        self._busy = False

    def __call__(self, load: partial[None]) -> None:
        self._waiting.append(load)
        if self._busy:
            return
        self._busy = True
        try:
            while self._waiting:
                guard.call(self._waiting.popleft())
        finally:
            self._busy = False


_loader: Final = _Loader()


def _load(point: EntryPoint, settings: Settings, active: Recorder) -> None:
    """Load a plugin and put its points in place."""
    from codeintel_obs import instrumentor

    instrumentor.denied = settings.denied
    instrumentor.on_activation = partial(facts.tell_activation, active)
    plugin: LibraryInstrumentor = point.load()()
    if not isinstance(plugin, instrumentor.LibraryInstrumentor):
        return
    facts.idle.pop(point.name.removeprefix(PREFIX), None)
    if plugin.library not in sys.stdlib_module_names and plugin.library not in sys.modules:
        watcher.watch(plugin.library)
    active.spans.semantics.update(plugin.semantics)
    plugin.configure(settings)
    plugin.instrument()
    if plugin.plans and "plans" not in (settings.denials or ()):
        from codeintel_obs.sinks.plans import PlansSink

        PlansSink.add(plugin.plans, active)
    if settings.report_routes and any(each.mount is not None for each in plugin.points):
        from codeintel_obs.launch import routes  # asyncio and all: only where an ASGI application is about to be

        routes.mount(settings)
