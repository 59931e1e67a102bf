"""What a declared seam says of a call: its expressions, evaluated over arguments and result. Pure, and calls nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from codeintel_obs.paths import MISSING, Arguments, Condition, Value, plain
from codeintel_obs.seams import Event, Seam
from codeintel_obs.steps import Call, Outcome, Status, StepEvent

_AT_BEGIN: Final = frozenset({"args", "self"})
_MOST_EVENTS: Final = 256


class Told:
    """The describe functions of one seam. ``positions`` are the parameters of its target, once that was found."""

    def __init__(self, seam: Seam) -> None:
        self.seam = seam
        self.positions: dict[str, int] = {}
        self._begin = {key: value for key, value in seam.payload.items() if value.path.root in _AT_BEGIN}
        self._end = {key: value for key, value in seam.payload.items() if key not in self._begin}

    def before(self, call: Call) -> Mapping[str, Any]:
        """Return what the arguments and the object say."""
        return _payload(self._begin, self._roots(call))

    def after(self, call: Call, result: Any) -> Outcome:
        """Return what the result says: its payload, whether it failed or was skipped and why, and its decisions."""
        seam, roots = self.seam, {**self._roots(call), "result": result}
        status, reason = Status.COMPLETED, None
        if _any(seam.failed_when, roots):
            status, reason = Status.FAILED, _reason(seam.failed_reason, roots)
        elif _any(seam.skipped_when, roots):
            status, reason = Status.SKIPPED, _reason(seam.skipped_reason, roots)
        events = [told for event in seam.events for told in _events(event, roots)]
        return Outcome(_payload(self._end, roots), status, reason, events)

    def _roots(self, call: Call) -> dict[str, Any]:
        arguments = Arguments(call.args, call.kwargs, self.positions)
        return {"args": arguments, "self": MISSING if call.instance is None else call.instance}


def _events(event: Event, roots: Mapping[str, Any]) -> Iterator[StepEvent]:
    for entry in _entries(event, roots):
        inside = {**roots, **entry}
        if not event.when or _any(event.when, inside):
            yield StepEvent(event.kind, event.status, _reason(event.reason, inside), _payload(event.payload, inside))


def _entries(event: Event, roots: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """Return the roots that each entry adds: of a list or tuple its items, of a dict its keys too."""
    if event.each is None:
        return ({},)
    found = event.each.read(roots)
    kind = type(found)
    if issubclass(kind, dict):
        return [{"key": key, "item": item} for key, item in list(dict.items(found))[:_MOST_EVENTS]]
    base = next((each for each in (list, tuple) if issubclass(kind, each)), None)
    return [] if base is None else [{"item": item} for item in base.__getitem__(found, slice(_MOST_EVENTS))]


def _payload(values: Mapping[str, Value], roots: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: value.read(roots) for key, value in values.items()}
    return {key: value for key, value in found.items() if value is not MISSING and value is not None}


def _any(conditions: tuple[Condition, ...], roots: Mapping[str, Any]) -> bool:
    return any(condition.holds(roots) for condition in conditions)


def _reason(value: Value | None, roots: Mapping[str, Any]) -> str | None:
    """Return a reason as the application stored it: a text, or a number; anything else is none."""
    found = plain(value.read(roots)) if value is not None else None
    if issubclass(type(found), str):
        return str.__str__(found)
    return str(found) if type(found) in (int, float) else None
