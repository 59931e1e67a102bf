"""Finds the entry points made for us by reading their files: `importlib.metadata` alone takes a process as long as Python does.

What it finds is what `importlib.metadata.entry_points()` would, in the same order, of our groups only. Where a path is
not a plain folder (an archive, an egg) or somebody has a finder of distributions of their own, that is asked instead.
Nothing is kept from one process to the next, so nothing can be out of date.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import PathFinder

TYPE_CHECKING = False  # as in `codeintel_obs`: a launched process does without `typing`
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any, Final

SINKS: Final = "codeintel_obs"
INSTRUMENTORS: Final = "opentelemetry_instrumentor"
LIBRARIES: Final = "codeintel_obs_library"
PREFIX: Final = "codeintel_"
"""What the name of an instrumentor for us begins with; all others of its group are OpenTelemetry's own launcher's."""
_GROUPS: Final = frozenset({SINKS, INSTRUMENTORS, LIBRARIES})
_SIGN: Final = b"codeintel"  # in every file that holds one of ours: all our groups, and the prefix, begin with it
_SUFFIXES: Final = (".dist-info", ".egg-info")


class EntryPoint:
    """A name and the object that it stands for, as `importlib.metadata.EntryPoint` has them."""

    __slots__ = ("group", "name", "value")

    def __init__(self, name: str, value: str, group: str) -> None:
        self.name, self.value, self.group = name, value, group

    def load(self) -> Any:
        """Import and return the object."""
        from importlib import import_module

        module, _, path = self.value.partition("[")[0].partition(":")
        found: Any = import_module(module.strip())
        for part in path.strip().split(".") if path.strip() else ():
            found = getattr(found, part)
        return found


def find(path: Sequence[str] | None = None) -> list[EntryPoint]:
    """Return the entry points of our groups, in the order of ``path`` (default: ``sys.path``)."""
    folders = _folders(sys.path if path is None else path)
    if folders is None:
        return _asked()
    found: list[EntryPoint] = []
    seen: set[str] = set()
    for folder, names in folders:
        for name in names:
            distribution = _normal(name)
            if distribution not in seen:  # the first on the path hides any other of its name
                seen.add(distribution)
                found += _declared(_text(os.path.join(folder, name, "entry_points.txt")))
    return found


def version_of(distribution: str) -> str | None:
    """Return the version of ``distribution``, a name as names are compared, or None where none is installed."""
    folders = _folders(sys.path)
    if folders is None:
        from importlib import metadata

        return next((each.version for each in metadata.distributions(name=distribution)), None)
    for folder, names in folders:
        for name in names:
            if _normal(name) == distribution:
                lines = (line.partition(b":") for line in _text(os.path.join(folder, name, "METADATA")).splitlines())
                return next((value.strip().decode() for key, _, value in lines if key == b"Version"), None)
    return None


def _folders(path: Sequence[str]) -> list[tuple[str, list[str]]] | None:
    """Return the folders of ``path`` with their distributions, or None where reading files is not enough."""
    if any(finder is not PathFinder and hasattr(finder, "find_distributions") for finder in sys.meta_path):
        return None
    folders = []
    for folder in path:
        try:
            listed = os.listdir(folder or ".")
        except FileNotFoundError:
            continue
        except OSError:
            return None
        if folder.endswith(".egg") or any(name.endswith(".egg") for name in listed):
            return None
        folders.append((folder, [name for name in listed if name.endswith(_SUFFIXES)]))
    return folders


def _asked() -> list[EntryPoint]:
    from importlib import metadata

    every = metadata.entry_points()
    found = [
        EntryPoint(each.name, each.value, group) for group in sorted(_GROUPS) for each in every.select(group=group)
    ]
    return [each for each in found if _is_for_us(each)]


def _normal(folder: str) -> str:
    """Return the distribution's name of its folder, as names are compared: ``Foo.Bar-1.0.dist-info`` is ``foo_bar``."""
    name = folder.rpartition(".")[0].partition("-")[0].lower().replace(".", "_")
    while "__" in name:
        name = name.replace("__", "_")
    return name


def _text(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read()
    except OSError:  # none is there: most distributions have no entry points
        return b""


def _declared(data: bytes) -> Iterator[EntryPoint]:
    """Yield what an ``entry_points.txt`` holds for us; its form is that of the entry points specification."""
    if _SIGN not in data:
        return
    group = ""
    for line in map(str.strip, data.decode("utf-8", "replace").splitlines()):
        if line.startswith("[") and line.endswith("]"):
            group = line.strip("[]")
        elif group in _GROUPS and line and not line.startswith("#"):
            name, _, value = line.partition("=")
            each = EntryPoint(name.strip(), value.strip(), group)
            if _is_for_us(each):
                yield each


def _is_for_us(each: EntryPoint) -> bool:
    return each.group != INSTRUMENTORS or each.name.startswith(PREFIX)
