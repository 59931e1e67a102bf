"""A library's points, put in place when the library is imported and taken away exactly: the base of every plugin."""

from __future__ import annotations

import functools
import sys
import types
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from importlib import metadata
from typing import TYPE_CHECKING, Any, ClassVar

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]  # no types

from codeintel_obs import guard
from codeintel_obs.errors import PluginError
from codeintel_obs.imports import watcher
from codeintel_obs.steps import FieldClass, Point
from codeintel_obs.wiring import Deferred, Wiring
from codeintel_obs.wrapping import Observed, is_ours, observe

if TYPE_CHECKING:
    from codeintel_obs.seams import Plan
    from codeintel_obs.settings import Settings

_MISSING = object()
_NOT_THERE = ("attribute missing", "not imported")
Families = dict[tuple[types.ModuleType, str], list[type]]
"""Classes by module and base, for the length of one import: a library has hundreds, a table asks for them often."""
denied: Callable[[str], str | None] = lambda _plugin: None  # noqa: E731 - replaced by launch with the settings' answer
on_activation: Callable[[LibraryInstrumentor], None] | None = None
"""Told when a plugin's facts change after the process manifest was written; set by launch."""
registry: dict[str, LibraryInstrumentor] = {}
"""The plugins that were instrumented in this process, by name."""
_NAMED_MISSING = 50


class LibraryInstrumentor(BaseInstrumentor):  # type: ignore[misc]  # ships no types for strict mode
    """Wraps one library's public methods as its table of points says.

    A subclass is a table: it sets the class attributes and writes no code of its own. It never raises into the
    application: what cannot be wrapped becomes an activation fact.
    """

    plugin: ClassVar[str]
    """Short name: the plugin is denied and listed under it, its entry point is ``codeintel_<plugin>``."""
    source: ClassVar[str] = ""
    """What its records name as their source, where that is not the plugin."""
    library: ClassVar[str]
    """Import name of the watched library."""
    requires: ClassVar[tuple[str, ...]] = ()
    """Distributions that provide the library, with their supported versions; any one of them is enough."""
    points: ClassVar[tuple[Point, ...]] = ()
    fields: ClassVar[Mapping[str, FieldClass]] = {}
    """What each payload key of this plugin holds."""
    instants: ClassVar[tuple[str, ...]] = ()
    """Kinds of the instants that describe functions give, besides those of the points."""
    exclusions: ClassVar[Mapping[str, str]] = {}
    """Public names of the library that are not watched, each with its reason; ``fnmatch`` patterns are allowed."""
    plans: ClassVar[tuple[Plan, ...]] = ()
    """What the calls and requests of an application are expected to pass, once it has been imported."""
    semantics: ClassVar[Mapping[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]]] = {}
    """Semantic-convention attributes of a kind's span, from its filtered payload."""

    def __init_subclass__(cls, **named: Any) -> None:
        super().__init_subclass__(**named)
        cls._instance = None  # OpenTelemetry's singleton is inherited: a plugin that extends another would be that one

    def __init__(self) -> None:
        if not hasattr(self, "activation"):
            self.activation: dict[str, str] = {}
            self._undo: list[tuple[Any, str, Any, Any]] = []
            self._places: dict[int, tuple[Any, str]] = {}
            self._wirings: dict[str, Wiring] = {}
            self._deferred = Deferred()
            self._hooked: set[str] = set()
            self._on = False

    def configure(self, settings: Settings) -> None:
        """Take what the settings say of this plugin, before its points are put in place. Most plugins ask for nothing."""

    # -- OpenTelemetry's side ---------------------------------------------------------------------------------------

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return nothing: the stock check is per distribution and silent; ours is per plugin and becomes a fact."""
        return ()

    def instrument(self, **_kwargs: Any) -> None:
        """Put the points in place, now or when the library is imported. Idempotent and silent: the stock launcher calls
        it a second time after our own hook did.
        """
        if not self._on:
            guard.call(self._instrument)

    def uninstrument(self, **_kwargs: Any) -> None:
        """Restore the library's identical objects."""
        if self._on:
            guard.call(self._uninstrument)

    def _instrument(self, **_kwargs: Any) -> None:
        self._on = self._is_instrumented_by_opentelemetry = True
        registry[self.plugin] = self
        reason = denied(self.plugin)
        if reason is not None:
            self._state_all(f"disabled by {reason}")
            return
        self._wire()
        self._state_all("library absent" if self.version() is None else "not imported")
        for module in dict.fromkeys(name for point in self.points for name in (point.module, *point.patched_by)):
            if module in self._hooked:
                self._put(module, sys.modules.get(module))
            else:
                self._hooked.add(module)
                watcher.after(module, functools.partial(self._put, module))

    def _uninstrument(self, **_kwargs: Any) -> None:
        self._on = self._is_instrumented_by_opentelemetry = False
        while self._undo:
            owner, name, original, ours = self._undo.pop()
            if _own(owner, name) is ours:
                setattr(owner, name, original)
        for wiring in self._wirings.values():
            wiring.on.clear()
            wiring.on_now.clear()
        self._places.clear()
        self._state_all("uninstrumented")

    def let_go(self) -> None:
        """Forget the library's objects, which stay wrapped: the process ends, and nobody unwraps them any more."""
        self._undo.clear()
        self._places.clear()

    # -- points -----------------------------------------------------------------------------------------------------

    def _wire(self) -> None:
        names = {point.name for point in self.points}
        end_names = {name for point in self.points for name in point.ends_at}
        unknown = end_names - names
        if unknown:
            raise PluginError(f"{type(self).__name__}: ends_at names no point of this table: {sorted(unknown)}")
        for point in self.points:
            self._wirings[_row(point)] = Wiring(
                point, self.source or self.plugin, self.fields, self._deferred, ends=point.name in end_names
            )
        rows = {wiring.point.name: wiring for wiring in self._wirings.values()}
        for wiring in self._wirings.values():
            if wiring.point.hands_on or wiring.point.stands_for is not None:
                wiring.rows, wiring.watch = rows, functools.partial(_watched, rows)

    def _put(self, name: str, module: types.ModuleType | None) -> None:
        if not self._on or module is None:
            return
        outside = self._outside()
        families: Families = {}
        for point in self.points:
            if name != point.module and name not in point.patched_by:
                continue
            home = module if name == point.module else sys.modules.get(point.module)
            if home is not None:
                fact = outside or guard.call(self._put_point, point, home, families) or "error of ours"
                self.activation[_row(point)] = fact
                if fact == "wrapped" and (point.hands_on or point.stands_for is not None):
                    self.activation.update({_row(each): fact for each in self.points if each.handed_on})
        if on_activation is not None:
            on_activation(self)

    def _put_point(self, point: Point, module: types.ModuleType, families: Families) -> str:
        if point.handed_on:
            return "wrapped"
        every, one = _slots_of_every_class, _slot_of
        slots = every(module, point.name, families) if point.every_class else one(module, point.name)
        if not slots:
            return "attribute missing"
        facts = [self._put_slot(owner, name, self._wirings[_row(point)]) for owner, name in slots]
        return next((fact for fact in facts if fact != "wrapped"), "wrapped")

    def _put_slot(self, owner: Any, name: str, wiring: Wiring) -> str:
        original = _own(owner, name)
        if original is _MISSING:
            return "attribute missing"
        original = self._behind_a_copy(original, owner, name)
        if isinstance(original, Observed) and not original._self_enabled:  # noqa: SLF001 - wrapt's name for its switch
            original = original.__wrapped__  # of an earlier time, put back by somebody who had wrapped it
        if is_ours(original):
            return "wrapped"
        ours = observe(original, wiring)
        try:
            setattr(owner, name, ours)
        except (TypeError, AttributeError):
            return "immutable"
        self._undo.append((owner, name, original, ours))
        self._places[id(ours)] = (owner, name)
        if isinstance(owner, types.ModuleType):
            ours._self_place = f"{owner.__name__}:{name}"  # noqa: SLF001 - wrapt keeps such names on the wrapper itself
        return "wrapped"

    def _behind_a_copy(self, found: Any, owner: Any, name: str) -> Any:
        """Return what would stand here without us, where the library keeps a wrapper of ours under another name."""
        ours = getattr(found, "_self_parent", None) or found  # read from a class, a wrapper comes bound
        place = self._places.get(id(ours))
        return found if place is None or place == (owner, name) else ours.__wrapped__

    # -- facts ------------------------------------------------------------------------------------------------------

    def fact_of(self, point: Point) -> str:
        """Return the activation fact of a point of this table."""
        return self.activation.get(_row(point), "not imported")

    def kinds(self) -> dict[str, str]:
        """Return each kind's fact: ``wrapped`` when its points are; optional ones that nobody can call do not count."""
        facts: dict[str, str] = {}
        for point in sorted(self.points, key=lambda point: point.optional):
            fact = self.fact_of(point)
            missing = point.optional and fact in _NOT_THERE and point.kind in facts
            if point.kind is not None and not missing and facts.get(point.kind, "wrapped") == "wrapped":
                facts[point.kind] = fact
        return facts

    def told_facts(self) -> dict[str, Any]:
        """Return the payload of an ``activation`` record: how many points have which fact, and the fact of each kind."""
        counts = dict(Counter(self.activation.values()))
        missing = [row for row, fact in self.activation.items() if fact != "wrapped"]
        return {
            "plugin": self.plugin,
            "library": self.library,
            "version": self.version(),
            "points": counts,
            "kinds": self.kinds(),
            "not_wrapped": missing[:_NAMED_MISSING],
        }

    def version(self) -> str | None:
        """Return the version of the installed distribution that provides the library, or None when none does."""
        found = self.distribution()
        return found[1] if found else None

    def distribution(self) -> tuple[str, str] | None:
        """Return name and version of the installed distribution that provides the library."""
        for requirement in self.requires or (self.library,):
            name = _name_of(requirement)
            try:
                return name, metadata.version(name)
            except metadata.PackageNotFoundError:
                continue
        return ("python", ".".join(map(str, sys.version_info[:3]))) if self.library in sys.stdlib_module_names else None

    def _outside(self) -> str | None:
        """Return the fact that the installed version is not one that this plugin supports, or None."""
        found = self.distribution()
        if found is None:
            return None  # importable without a distribution: a source tree; the points say what is there
        from packaging.specifiers import SpecifierSet

        for requirement in self.requires:
            name = _name_of(requirement)
            # old versions of packaging refuse a release candidate unless told otherwise
            if name == found[0] and not SpecifierSet(requirement[len(name) :]).contains(found[1], prereleases=True):
                return f"version outside {requirement[len(name) :]}"
        return None

    def _state_all(self, fact: str) -> None:
        self.activation = {_row(point): fact for point in self.points}


def _watched(rows: Mapping[str, Wiring], row: str, thing: Any) -> Any:
    """Return ``thing``, a callable that is handed on, as ``row`` watches it."""
    return thing if is_ours(thing) or not callable(thing) else observe(thing, rows[row])


def _row(point: Point) -> str:
    return f"{point.module}:{'*.' if point.every_class else ''}{point.name}"


def _name_of(requirement: str) -> str:
    for index, letter in enumerate(requirement):
        if letter in "<>=!~ [;":
            return requirement[:index]
    return requirement


def _own(owner: Any, name: str) -> Any:
    """Return what stands in ``owner``'s own namespace: the descriptor itself, never what it binds to."""
    if isinstance(owner, (type, types.ModuleType)):
        return vars(owner).get(name, _MISSING)
    return getattr(owner, name, _MISSING)


def _slot_of(module: types.ModuleType, path: str) -> list[tuple[Any, str]]:
    owner: Any = module
    *parents, name = path.split(".")
    for part in parents:
        owner = getattr(owner, part, None)
        if owner is None:
            return []
    if isinstance(owner, type):
        # a class that only inherits the method would wrap its parent's wrapper: one call counted twice
        owner = next((cls for cls in owner.__mro__ if name in vars(cls)), owner)
    return [(owner, name)] if _own(owner, name) is not _MISSING or hasattr(owner, name) else []


def _slots_of_every_class(module: types.ModuleType, path: str, families: Families) -> list[tuple[Any, str]]:
    base, _, name = path.rpartition(".")
    family = families.get((module, base))
    if family is None:
        family = families[module, base] = _family(module, base)
    return [(cls, name) for cls in family if name in vars(cls)]


def _family(module: types.ModuleType, base_name: str) -> list[type]:
    """Return the classes in the namespace of ``module``, each once: all of them, or those of one base."""
    base = vars(module).get(base_name) if base_name else object
    if not isinstance(base, type):
        return []
    classes = dict.fromkeys(value for value in vars(module).values() if isinstance(value, type))
    return [cls for cls in classes if issubclass(cls, base)]
