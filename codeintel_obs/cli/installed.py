"""What is installed here: the instrumentors and sinks that entry points name, and what the settings make of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

from codeintel_obs import guard

if TYPE_CHECKING:
    from codeintel_obs.settings import Settings

INSTRUMENTORS: Final = "opentelemetry_instrumentor"
SINKS: Final = "codeintel_obs"
PREFIX: Final = "codeintel_"


@dataclass(frozen=True, slots=True)
class Plugin:
    """An instrumentor or a sink. ``state`` is ``enabled``, ``disabled by …`` or ``does not load: …``."""

    name: str
    sort: str
    distribution: str | None
    state: str
    library: str | None = None
    requires: tuple[str, ...] = ()
    installed: str | None = None
    outside: str | None = None
    points: int | None = None
    never_run: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain types."""
        return asdict(self) | {"requires": list(self.requires)}


def plugins(settings: Settings) -> list[Plugin]:
    """Return instrumentors, then sinks, each by name. Loads their modules, and no watched library."""
    found = metadata.entry_points()
    instrumentors = [each for each in found.select(group=INSTRUMENTORS) if each.name.startswith(PREFIX)]
    sinks = found.select(group=SINKS)
    return [
        *(_instrumentor(each, settings) for each in sorted(instrumentors, key=lambda each: each.name)),
        *(_sink(each, settings) for each in sorted(sinks, key=lambda each: each.name)),
    ]


def outside_of(requires: tuple[str, ...]) -> str | None:
    """Return ``duckdb 0.9 is outside >=1.4`` when an installed distribution is not one that is supported."""
    from packaging.requirements import Requirement

    for requirement in map(Requirement, requires):
        version = version_of(requirement.name)
        if version and not requirement.specifier.contains(version, prereleases=True):
            return f"{requirement.name} {version} is outside {requirement.specifier}"
        if version:
            return None
    return None


def version_of(distribution: str) -> str | None:
    """Return the installed version of ``distribution``, or None."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _instrumentor(entry_point: metadata.EntryPoint, settings: Settings) -> Plugin:
    name = entry_point.name.removeprefix(PREFIX)
    reason = settings.denied(name)
    state = f"disabled by {reason}" if reason else "enabled"
    distribution = entry_point.dist.name if entry_point.dist else None
    loaded = _load(entry_point)
    if isinstance(loaded, str):
        return Plugin(name, "instrumentor", distribution, loaded)
    requires = tuple(getattr(loaded, "requires", ()))
    versions = (f"{each} {version}" for each in _names(requires) if (version := version_of(each)))
    return Plugin(
        name, "instrumentor", distribution, state, getattr(loaded, "library", None), requires,
        next(versions, None), outside_of(requires), len(getattr(loaded, "points", ())),
        getattr(loaded, "never_run", "") or None,
    )  # fmt: skip


def _sink(entry_point: metadata.EntryPoint, settings: Settings) -> Plugin:
    reason = (settings.denials or {}).get(entry_point.name)
    loaded = _load(entry_point)
    state = loaded if isinstance(loaded, str) else f"disabled by {reason}" if reason else "enabled"
    if (
        state == "enabled" and getattr(settings, entry_point.name, True) is False
    ):  # a sink that its own setting opts into
        state = f"off: {entry_point.name} is not set"
    return Plugin(entry_point.name, "sink", entry_point.dist.name if entry_point.dist else None, state)


def _load(entry_point: metadata.EntryPoint) -> Any:
    """Return what the entry point names, or as text why it does not load: a stranger's module may raise anything."""
    raised: list[Exception] = []
    guard.on_fault(lambda _where, exc, *_: raised.append(exc))
    try:
        found = guard.call(entry_point.load)
    finally:
        guard.on_fault(None)
    return f"does not load: {type(raised[0]).__name__}: {raised[0]}" if raised else found


def _names(requires: tuple[str, ...]) -> list[str]:
    from packaging.requirements import Requirement

    return [Requirement(each).name for each in requires]
