"""Workouts: small uses of a watched library, registered by those who know it and run by the conformance kit."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from codeintel_obs.steps import FieldClass

Function = Callable[[Path], Any]


@dataclass(frozen=True, slots=True)
class Workout:
    """One use of a library: what it returns is what an application would see."""

    plugin: str
    function: Function
    canaries: Mapping[str, FieldClass] = field(default_factory=dict)

    def run(self, folder: Path) -> Any:
        """Return what the application sees, of a coroutine function too."""
        result = self.function(folder)
        return asyncio.run(result) if inspect.iscoroutine(result) else result


registered: Final[dict[str, dict[str, Workout]]] = {}
"""Workouts by plugin and by their own qualified name: registering one again replaces it."""


def workout(plugin: str, *, canaries: Mapping[str, FieldClass] | None = None) -> Callable[[Function], Function]:
    """Register the decorated callable as a workout of ``plugin``."""

    def register(function: Function) -> Function:
        name = f"{function.__module__}.{function.__qualname__}"
        registered.setdefault(plugin, {})[name] = Workout(plugin, function, canaries or {})
        return function

    return register
