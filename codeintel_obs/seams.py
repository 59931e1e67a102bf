"""What a user declares in settings: seams, which are points for code that nobody instruments, and plans of runs.

Read when the settings are, so that a mistake is found before anything is launched and never at a call.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final

from codeintel_obs.expressions import parse_condition, parse_value
from codeintel_obs.paths import Condition, Value
from codeintel_obs.steps import FieldClass, Status

_KIND: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+\Z")
_TARGET: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\Z")
_KEY: Final = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
_BEGIN: Final = frozenset({"args", "self"})
_END: Final = _BEGIN | {"result"}
_EACH: Final = _END | {"item", "key"}
_STATUSES: Final = (Status.SKIPPED, Status.COMPLETED, Status.FAILED)


@dataclass(frozen=True, slots=True)
class Event:
    """An instant read out of a result: one, or one for each entry of ``each``, where ``when`` holds."""

    kind: str
    status: Status = Status.SKIPPED
    each: Value | None = None
    when: tuple[Condition, ...] = ()
    reason: Value | None = None
    payload: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seam:
    """One declared point. The conditions of a tuple are alternatives; the reasons become the step's detail."""

    module: str
    name: str
    kind: str
    payload: Mapping[str, Value] = field(default_factory=dict)
    failed_when: tuple[Condition, ...] = ()
    failed_reason: Value | None = None
    skipped_when: tuple[Condition, ...] = ()
    skipped_reason: Value | None = None
    events: tuple[Event, ...] = ()

    @property
    def target(self) -> str:
        """``module:dotted.name``, as it was declared."""
        return f"{self.module}:{self.name}"

    def arguments(self) -> set[str]:
        """Return the names of the arguments that its expressions read."""
        conditions = [*self.failed_when, *self.skipped_when, *(each for event in self.events for each in event.when)]
        values = [*self.payload.values(), self.failed_reason, self.skipped_reason, *(each.value for each in conditions)]
        for event in self.events:
            values += [event.each, event.reason, *event.payload.values()]
        return {str(value.path.steps[0]) for value in values if value is not None and value.path.root == "args"}


@dataclass(frozen=True, slots=True)
class Plan:
    """The kinds that a run or tool call of the name ``match`` is expected to pass, in any order.

    A ``match`` that ends in ``*`` stands for all names of runs that begin so: those of a route with a path in it.
    """

    match: str
    kinds: tuple[str, ...]


Complain = Callable[[str, str], None]
"""Takes a key and what is wrong with it."""


# -- seams -----------------------------------------------------------------------------------------------------------


def read_seams(tables: Any, complain: Complain) -> tuple[Seam, ...]:
    """Return the seams that ``tables`` declare; one with a mistake is left out, and told to ``complain``."""
    seams = _read_all(tables, "seams", _seam, complain)
    return tuple(_without_conflicts(seams, complain))


def fields(seams: Iterable[Seam]) -> dict[str, FieldClass]:
    """Return what each payload key of all seams holds."""
    return {key: value.field for seam in seams for key, value in _payloads(seam)}


def _payloads(seam: Seam) -> Iterable[tuple[str, Value]]:
    yield from seam.payload.items()
    for event in seam.events:
        yield from event.payload.items()


def _without_conflicts(seams: Iterable[Seam], complain: Complain) -> Iterable[Seam]:
    """Leave out a seam whose target has one already, or that declares a known key to be something else."""
    known: dict[str, FieldClass] = {}
    targets: set[str] = set()
    for seam in seams:
        other = next((key for key, value in _payloads(seam) if known.get(key, value.field) is not value.field), None)
        if seam.target in targets:
            complain(f"seams.{seam.target}", "this target is declared twice")
        elif other is not None:
            complain(
                f"seams.{seam.target}", f"the key {other} is a {known[other]} in an earlier seam: use one function"
            )
        else:
            targets.add(seam.target)
            known.update({key: value.field for key, value in _payloads(seam)})
            yield seam


def _seam(table: Mapping[str, Any]) -> Seam:
    _known(table, "target kind payload failed_when failed_reason skipped_when skipped_reason events")
    target = table.get("target")
    if not isinstance(target, str) or not _TARGET.match(target):
        raise ValueError(f"target: expected module:function or module:Class.method, not {target!r}")
    module, _, name = target.partition(":")
    return Seam(
        module,
        name,
        _kind(table),
        _payload(table, _END),
        _conditions(table, "failed_when", _END),
        _value(table, "failed_reason", _END),
        _conditions(table, "skipped_when", _END),
        _value(table, "skipped_reason", _END),
        tuple(_named("events", _event, each) for each in _list(table, "events")),
    )


def _event(table: Mapping[str, Any]) -> Event:
    _known(table, "kind status each when reason payload")
    status, each = table.get("status", Status.SKIPPED), _value(table, "each", _END)
    if status not in _STATUSES:
        raise ValueError(f"status: expected one of {', '.join(_STATUSES)}, not {status!r}")
    roots = _EACH if each is not None else _END
    return Event(
        _kind(table),
        Status(status),
        each,
        _conditions(table, "when", roots),
        _value(table, "reason", roots),
        _payload(table, roots),
    )


# -- plans -----------------------------------------------------------------------------------------------------------


def read_plans(tables: Any, complain: Complain) -> tuple[Plan, ...]:
    """Return the plans that ``tables`` declare; one with a mistake is left out, and told to ``complain``."""
    return _read_all(tables, "plans", _plan, complain)


def _plan(table: Mapping[str, Any]) -> Plan:
    _known(table, "match kinds")
    match, kinds = table.get("match"), table.get("kinds")
    if not isinstance(match, str) or not match:
        raise ValueError(f"match: expected the name of a run or a tool, not {match!r}")
    if not isinstance(kinds, list) or not kinds or not all(isinstance(k, str) and _KIND.match(k) for k in kinds):
        raise ValueError(f"kinds: expected a list of kinds such as shop.search, not {kinds!r}")
    return Plan(match, tuple(dict.fromkeys(kinds)))


# -- pieces ----------------------------------------------------------------------------------------------------------


def _read_all(tables: Any, key: str, read: Callable[[Mapping[str, Any]], Any], complain: Complain) -> tuple[Any, ...]:
    if not isinstance(tables, (list, tuple)):
        complain(key, f"expected tables, [[{key}]], not {tables!r}")
        return ()
    found = []
    for number, table in enumerate(tables, 1):
        try:
            found.append(read(table if isinstance(table, Mapping) else {}))
        except ValueError as exc:
            name = table.get("target", table.get("match", number)) if isinstance(table, Mapping) else number
            complain(f"{key}.{name}", str(exc))
    return tuple(found)


def _known(table: Mapping[str, Any], words: str) -> None:
    for key in table:
        if key not in words.split():
            near = get_close_matches(key, words.split(), 1)
            raise ValueError(f"{key}: unknown; {f'did you mean {near[0]}?' if near else f'known are: {words}'}")


def _kind(table: Mapping[str, Any]) -> str:
    kind = table.get("kind")
    if not isinstance(kind, str) or not _KIND.match(kind):
        raise ValueError(f"kind: expected stage.verb in small letters, such as shop.search, not {kind!r}")
    return kind


def _payload(table: Mapping[str, Any], roots: frozenset[str]) -> dict[str, Value]:
    found = table.get("payload", {})
    if not isinstance(found, Mapping):
        raise ValueError(f"payload: expected a table of expressions, not {found!r}")  # noqa: TRY004 - a setting's value
    for key in found:
        if not _KEY.match(key):
            raise ValueError(f"payload: expected a key in small letters, not {key!r}")
    return {key: _named(f"payload.{key}", lambda text: parse_value(text, roots), text) for key, text in found.items()}


def _value(table: Mapping[str, Any], key: str, roots: frozenset[str]) -> Value | None:
    return _named(key, lambda text: parse_value(text, roots), table[key]) if key in table else None


def _conditions(table: Mapping[str, Any], key: str, roots: frozenset[str]) -> tuple[Condition, ...]:
    found = table.get(key, [])
    texts = found if isinstance(found, list) else [found]
    return tuple(_named(key, lambda text: parse_condition(text, roots), text) for text in texts)


def _list(table: Mapping[str, Any], key: str) -> list[Any]:
    found = table.get(key, [])
    if not isinstance(found, list) or not all(isinstance(each, Mapping) for each in found):
        raise ValueError(f"{key}: expected tables, [[seams.{key}]], not {found!r}")
    return found


def _named(key: str, parse: Callable[[Any], Any], given: Any) -> Any:
    try:
        return parse(given)
    except ValueError as exc:
        raise ValueError(f"{key}: {exc}") from None
