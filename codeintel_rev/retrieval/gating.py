"""What a query is like, and what each channel may therefore spend on it and count for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from codeintel_rev.errors import UsageError
from codeintel_rev.retrieval.fusion import RRF_K

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codeintel_rev.config.settings import SearchSettings

QueryKind = Literal["identifier", "natural", "regex", "path"]

DEPTH = 100  # documents a channel hands to the fusion
CHANNELS = ("semantic", "bm25", "splade", "exact")

# Chosen on the development part of the evaluation (docs/retrieval.md): more for the channel that reads this sort
# of query best. 0: the channel is not asked.
WEIGHTS: Mapping[QueryKind, Mapping[str, float]] = {
    "natural": {"semantic": 1.0, "bm25": 1.0, "splade": 1.0, "exact": 0.5},
    "identifier": {"semantic": 0.5, "bm25": 1.0, "splade": 0.5, "exact": 3.0},
    "path": {"semantic": 0.0, "bm25": 1.0, "splade": 0.0, "exact": 3.0},
    "regex": {"semantic": 0.0, "bm25": 1.0, "splade": 0.0, "exact": 3.0},
}
HEAVIEST = 1e6
# Shares of the request's deadline: a channel's, all at the same time, and what reranking may take after them.
CHANNEL_SHARE, CHANNEL_SHARE_BEFORE_RERANK = 0.8, 0.55

_EXTENSIONS = """c cc cfg cpp cs css cxx go h hh hpp html ini java js json jsx kt lock lua md mjs php pl proto py pyi
pyx rb rs rst scala sh sql svg swift toml ts tsx txt vue xml yaml yml"""
_KNOWN = frozenset(_EXTENSIONS.split())
_REGEX = re.compile(r"\\[wWdDsSbB.()\[\]{}+*?^$|/]|\.[*+?]|\[\^|\[\w-\w|\(\?|\w\|\w|^\^|[\w)\]]\$$|\)[*+?]")
_PATH = re.compile(r"[\w.@+~-]*(?:/[\w.@+~-]*)+|[\w@+~-][\w.@+~-]*\.(\w+)")
_NAME = re.compile(r"[^\W\d]\w*(?:(?:\.|::|#|->)[^\W\d]\w*)*")
_COMPOSED = re.compile(r"_|[a-z0-9][A-Z]|[A-Z][A-Z][a-z]|\.|::|#|->")
_QUOTED = re.compile(r"`([^`\s]+)`|\b([^\W\d][\w.]*)\(\)")
_SEPARATORS = re.compile(r"::|#|->")
_FEW_WORDS = 3
# Longer than any identifier, path or handwritten expression: it keeps our own expressions away from a hostile text.
_LONGEST_PATTERN, _LONGEST_READ = 300, 2000


@dataclass(frozen=True, slots=True)
class Profile:
    """`names`: the identifiers that the query names, dotted, as `exact` looks them up."""

    kind: QueryKind
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChannelBudget:
    """`seconds` of wall time, counted from the beginning of the search."""

    depth: int
    weight: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Budget:
    """The plan of one search: which channels are asked, and what is spent on each."""

    profile: Profile
    seconds: float
    channels: Mapping[str, ChannelBudget]
    rrf_k: int = RRF_K

    @property
    def weights(self) -> dict[str, float]:
        return {name: channel.weight for name, channel in self.channels.items()}


def profile(query: str) -> Profile:
    """Regex-like before path-like before identifier-like; everything else is natural language."""
    text = query.strip()
    if len(text) > _LONGEST_PATTERN:
        return Profile("natural", _named(text[:_LONGEST_READ]))
    if _is_regex(text):
        return Profile("regex")
    if _is_path(text):
        return Profile("path")
    words = text.split()
    bare = [word.removesuffix("()").strip("`") for word in words]
    if bare and all(_NAME.fullmatch(word) for word in bare):
        composed = [word for word in bare if _COMPOSED.search(word)]
        if len(words) == 1 or (len(words) <= _FEW_WORDS and len(composed) == len(words)):
            return Profile("identifier", tuple(map(_dotted, bare)))
    return Profile("natural", _named(text))


def budget(
    query: str, k: int, settings: SearchSettings, weights: Mapping[str, float] | None = None, *, rerank: bool = False
) -> Budget:
    """`weights` win over the settings', and those over the table's. A channel of weight 0 is not asked.

    UsageError for a weight of a channel that does not exist, and for one that is no weight.
    """
    seen = profile(query)
    chosen = {**WEIGHTS[seen.kind], **settings.weights, **(weights or {})}
    unknown = sorted(set(chosen) - set(CHANNELS))
    if unknown:
        raise UsageError(f"there is no channel {', '.join(unknown)}", f"Mend: weigh {', '.join(CHANNELS)}")
    if not all(0 <= weight <= HEAVIEST for weight in chosen.values()):
        raise UsageError(f"the weights {dict(chosen)} cannot be used", f"Mend: weigh from 0 to {HEAVIEST:g}")
    seconds = settings.deadline * (CHANNEL_SHARE_BEFORE_RERANK if rerank else CHANNEL_SHARE)
    return Budget(
        seen, settings.deadline, {name: ChannelBudget(max(DEPTH, k), chosen[name], seconds) for name in CHANNELS}
    )


def _is_regex(text: str) -> bool:
    if not _REGEX.search(text):
        return False
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


def _is_path(text: str) -> bool:
    found = _PATH.fullmatch(text)
    if found is None or not any(map(str.isalnum, text)):
        return False
    return "/" in text or (found[1] or "").lower() in _KNOWN


def _named(text: str) -> tuple[str, ...]:
    """In a sentence only what cannot be a plain word: composed names, and those in backticks or before `()`."""
    quoted = [one or other for one, other in _QUOTED.findall(text)]
    composed = [name for name in _NAME.findall(text) if _COMPOSED.search(name)]
    return tuple(dict.fromkeys(_dotted(name) for name in [*quoted, *composed]))


def _dotted(name: str) -> str:
    return _SEPARATORS.sub(".", name)
