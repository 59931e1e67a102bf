"""The seams instrumentor: a table that comes out of the settings."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from codeintel_obs.instrumentor import LibraryInstrumentor
from codeintel_obs.plugins.seams.describe import Told
from codeintel_obs.seams import Seam, fields
from codeintel_obs.steps import Point

if TYPE_CHECKING:
    from codeintel_obs.settings import Settings
    from codeintel_obs.wiring import Wiring


def points_of(seams: Iterable[Seam]) -> tuple[Point, ...]:
    """Return the table that ``seams`` declare."""
    return tuple(_point(Told(seam)) for seam in seams)


def _point(told: Told) -> Point:
    seam = told.seam
    return Point(module=seam.module, name=seam.name, kind=seam.kind, before=told.before, after=told.after)


class SeamsInstrumentor(LibraryInstrumentor):
    """Watches what the user declared, as the settings say."""

    plugin = "seams"
    source = "seam"
    library = "codeintel_obs"
    requires = ("codeintel-obs",)
    exclusions: ClassVar = {"*": "the user's own code: what is watched is what the user declares"}

    def configure(self, settings: Settings) -> None:
        """Make the table of the declared seams."""
        if settings.seams:
            self.points = points_of(settings.seams)  # type: ignore[misc]  # a class's table elsewhere, this object's here
            self.fields = fields(settings.seams)  # type: ignore[misc]  # the same

    def _put_slot(self, owner: Any, name: str, wiring: Wiring) -> str:
        found = vars(owner).get(name) if isinstance(owner, type) else getattr(owner, name, None)
        if isinstance(found, type):
            return "a class: name one of its methods"
        told = getattr(wiring.point.after, "__self__", None)
        if isinstance(told, Told):
            told.positions = _positions(found, owner)
        return super()._put_slot(owner, name, wiring)


def _positions(found: Any, owner: Any) -> dict[str, int]:
    """Return where the arguments of a callable stand, the object or class that it is bound to not counted."""
    function = getattr(found, "__func__", found)
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return {}  # a callable of C's making without a signature: its arguments go by keyword only
    bound = isinstance(owner, type) and not isinstance(found, staticmethod)
    return {name: position for position, name in enumerate(names[1:] if bound else names)}
