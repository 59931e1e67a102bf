"""Ranks what a query names exactly: a definition before its members, members before the lines around them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from codeintel_rev.retrieval.fusion import Ranked, ranking

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# What holds others first; what is no definition last. A kind that is not listed is a definition like a function.
_ORDER = {kind: place for place, kinds in enumerate((
    ("class", "struct", "interface", "trait", "enum", "type"),
    ("function",),
    ("method",),
    ("module",),
    ("body", "lines"),
)) for kind in kinds}  # fmt: skip
_FUNCTION, _LAST = _ORDER["function"], _ORDER["body"]


@dataclass(frozen=True, slots=True)
class Named:
    """One chunk, as far as its name and place go."""

    doc: int
    path: str
    kind: str
    name: str
    start_line: int


def by_name(name: str, found: Iterable[Named]) -> tuple[Ranked, ...]:
    """The whole qualified name before its last part, the same case before another, definitions in their order."""
    order = sorted(found, key=lambda chunk: (*_distance(name, chunk), chunk.path, chunk.start_line))
    return ranking([(chunk.doc, _likeness(name, chunk)) for chunk in order])


def by_path(path: str, found: Iterable[Named]) -> tuple[Ranked, ...]:
    """The path itself, then paths that end in it, then the others; of each file its definitions first."""
    order = sorted(found, key=lambda chunk: (_path_distance(path, chunk.path), _rest(chunk)))
    return ranking([(chunk.doc, 1.0 / (1 + _path_distance(path, chunk.path))) for chunk in order])


def by_text(found: Sequence[Named]) -> tuple[Ranked, ...]:
    """A match is a match: definitions first, in the order of the index."""
    order = sorted(found, key=lambda chunk: (_place(chunk), chunk.doc))
    return ranking([(chunk.doc, 1.0 / (1 + _place(chunk))) for chunk in order])


def merged(rankings: Sequence[Sequence[Ranked]]) -> tuple[Ranked, ...]:
    """Several names of one query: each document once, with the best rank that one of the names gave it."""
    best: dict[int, Ranked] = {}
    for ranked in (item for found in rankings for item in found):
        if ranked.doc not in best or ranked.rank < best[ranked.doc].rank:
            best[ranked.doc] = ranked
    return tuple(sorted(best.values(), key=lambda item: item.rank))


def _distance(name: str, chunk: Named) -> tuple[int, int, int, int]:
    is_definition = _place(chunk) < _LAST
    same_case = chunk.name == name or chunk.name.endswith(f".{name}")
    whole = chunk.name.lower() == name.lower()
    return (not is_definition, not same_case, not whole, _place(chunk))


def _likeness(name: str, chunk: Named) -> float:
    is_stray, other_case, other_name, place = _distance(name, chunk)
    return 1.0 / (1 + ((is_stray * 2 + other_case) * 2 + other_name) * len(_ORDER) + place)


def _path_distance(path: str, other: str) -> int:
    mine, its = path.lower().strip("/").removeprefix("./"), other.lower()
    if mine == its:
        return 0
    if its.endswith(f"/{mine}"):
        return 1
    return 2 if f"/{mine}/" in f"/{its}" else 3


def _rest(chunk: Named) -> tuple[str, bool, int]:
    return (chunk.path, _place(chunk) == _LAST, chunk.start_line)


def _place(chunk: Named) -> int:
    return _ORDER.get(chunk.kind, _FUNCTION)
