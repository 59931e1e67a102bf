"""A point as it is wired, a call of it that is being recorded, and the steps whose end is another call."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

import msgspec

from codeintel_obs import exchange, recorder
from codeintel_obs.content import Filter
from codeintel_obs.context import current, suppressed
from codeintel_obs.recorder import Listener, Recorder
from codeintel_obs.runs import Run
from codeintel_obs.steps import Call, FieldClass, Point, Step


class _Recording(list[bool]):
    """True where a call is to be recorded, until it is emptied; asked by wrapt, which else calls the original at once.

    So a call that nobody records (no recorder, our own use of a library) meets no frame of ours.
    """

    def __bool__(self) -> bool:
        return recorder.active is not None and not suppressed.get() and len(self) > 0


class _OutsideOf(_Recording):
    """True, besides, only where no step of its plugin is current: a library's own Python calls itself there.

    One call of the application is one step.
    """

    def __init__(self, source: str) -> None:
        super().__init__([True])
        self._source = source

    def __bool__(self) -> bool:
        around = current.get()
        return super().__bool__() and not (isinstance(around, Step) and around.source == self._source)


class Wiring:
    """A point as wired: its plugin, its filter, and the steps that wait for an end elsewhere."""

    __slots__ = (
        "_filter", "_filtered_for", "asks", "classes", "deferred", "ends", "kind", "lasts", "on", "on_now", "point", "rows",
        "source", "special", "watch",
    )  # fmt: skip

    def __init__(
        self, point: Point, source: str, classes: Mapping[str, FieldClass], deferred: Deferred, *, ends: bool
    ) -> None:
        self.point = point
        self.source = source
        self.kind = point.kind
        # emptied when uninstrumented: what somebody still holds of ours calls the original at once
        self.on = _OutsideOf(source) if point.outermost else [True]
        # the end of another's step is the truth even where nothing new is recorded: a collector ran, and freed it
        only_looks = point.kind is None and point.stands_for is None
        self.on_now = self.on if only_looks or point.outermost else _Recording([True])
        self.classes = classes
        self.deferred = deferred
        self.special = point.kind is None or point.skip_when is not None
        self.ends = ends  # whether other points' steps end at this one
        self.asks = point.stands_for is not None or point.run is not None or point.same is not None
        self.rows: Mapping[str, Wiring] = {}  # those of the same table, by name
        self.watch: exchange.Watch = lambda _row, thing: thing  # how a callable is watched that is handed on
        self.lasts = ends or (self.kind is None and _lasts(point))
        self._filter: Filter | None = None
        self._filtered_for: Recorder | None = None

    def keep(self, active: Recorder) -> Filter:
        """Return the plugin's filter at the content level of ``active``."""
        if self._filtered_for is not active or self._filter is None:
            self._filter, self._filtered_for = active.filter_for(self.classes), active
        return self._filter


def _lasts(point: Point) -> bool:
    """Whether a row without a kind has something to do when its call has ended."""
    parts = (point.after, point.run, point.baggage, point.handled_error, point.carrier, point.hands_on or None)
    return point.flushes or any(part is not None for part in parts)


class Begun(msgspec.Struct, weakref=True, eq=False):
    """A call that is being recorded. ``announced`` and ``ended`` are the listeners that its wrapper has to tell."""

    wiring: Wiring
    active: Recorder
    call: Call
    around: Any = None
    step: Any = None
    announced: tuple[Listener, ...] | None = None
    ended: tuple[Listener, ...] | None = None
    run: Run | None = None
    token: Any = None
    otel_token: Any = None
    key: Any = None
    baggage: Any = None


class Deferred:
    """Steps of one plugin that end at another call, by the identity of the object that ties both; held weakly."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[weakref.ref[Any], Begun]] = {}

    def hold(self, key: Any, begun: Begun) -> bool:
        """Wait for an end at ``key``; False when nothing can point at it weakly, or another step waits there."""
        number = id(key)
        if number in self._waiting:
            return False
        try:
            pointer = weakref.ref(key, lambda _: self._waiting.pop(number, None))
        except TypeError:
            return False
        self._waiting[number] = (pointer, begun)
        return True

    def take(self, key: Any) -> Begun | None:
        """Return the step that waits at ``key``, once."""
        entry = self._waiting.get(id(key))
        if entry is None or entry[0]() is not key:
            return None
        self._waiting.pop(id(key), None)
        return entry[1]
