"""Runs one plugin's workouts: unwatched, wrapped only, recorded, and with the plugin's table changed."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, Final

from codeintel_obs.instrumentor import LibraryInstrumentor, registry
from codeintel_obs.steps import Point
from codeintel_obs.testing.recorded import Recorded, recording
from codeintel_obs.testing.workouts import Workout, registered

GROUP: Final = "opentelemetry_instrumentor"
PREFIX: Final = "codeintel_"
Plugin = type[LibraryInstrumentor]


def installed_plugins() -> dict[str, Plugin]:
    """Return every instrumentor of ours or a stranger's that is installed here, by the name of its entry point."""
    found: dict[str, Plugin] = {}
    for entry_point in metadata.entry_points(group=GROUP):
        if entry_point.name.startswith(PREFIX):
            loaded = entry_point.load()
            # a table that comes out of the settings has no rows of its own to test
            if isinstance(loaded, type) and issubclass(loaded, LibraryInstrumentor) and loaded.points:
                found[entry_point.name.removeprefix(PREFIX)] = loaded
    return found


class Lab:
    """One plugin, its workouts, and a folder that each of them finds empty."""

    def __init__(self, plugin: Plugin, folder: Path) -> None:
        self.plugin = plugin
        self._folder = folder / "work"
        self.quiet = True  # whether warnings are none of the test at hand

    @property
    def workouts(self) -> list[Workout]:
        """The workouts that are registered for the plugin; none is an error of the plugin's author."""
        found = list(registered.get(self.plugin.plugin, {}).values())
        assert found, (
            f"{self.plugin.plugin} has no workouts: write functions that use {self.plugin.library} as an application "
            f"would, and decorate them with codeintel_obs.testing.workout({self.plugin.plugin!r})"
        )
        return found

    def run(self) -> list[Any]:
        """Run all workouts; return what an application sees of them."""
        return [self._run(each) for each in self.workouts]

    def _run(self, workout: Workout) -> Any:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        with warnings.catch_warnings():
            if self.quiet:
                warnings.simplefilter("ignore")
            return workout.run(self._folder)

    def load(self) -> None:
        """Import the library's modules; those that this version lacks stay what they are: not imported."""
        for name in dict.fromkeys(point.module for point in self.plugin.points):
            try:
                import_module(name)
            except ImportError:
                continue

    def recording(self, **options: Any) -> Any:
        """Return a context that records the plugin as it is."""
        return recording(self.plugin, **options)

    def changed(self, change: Callable[[Point], dict[str, Any]]) -> Plugin:
        """Return the plugin with each point of its table changed as ``change`` says."""
        points = tuple(replace(point, **change(point)) for point in self.plugin.points)
        return type(self.plugin.__name__, (self.plugin,), {"points": points})

    @contextmanager
    def wrapped(self) -> Iterator[LibraryInstrumentor]:
        """Wrap the library's callables, with nobody recording."""
        known = dict(registry)
        made = self.plugin()
        made.instrument()
        try:
            yield made
        finally:
            made.uninstrument()
            registry.clear()
            registry.update(known)

    def slots(self) -> list[tuple[Any, str]]:
        """Return where the plugin puts its wrappers: owners and names."""
        self.load()
        with self.wrapped() as made:
            return [(owner, name) for owner, name, _, _ in made._undo]  # noqa: SLF001 - the kit looks at its own core

    def told(self, **options: Any) -> Recorded:
        """Record all workouts; return what the sinks were told."""
        with self.recording(**options) as told:
            self.run()
        recorded: Recorded = told
        return recorded
