"""The shape of an answer: what was found, which channels found it, and how fresh the index is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codeintel_rev.retrieval.fusion import Ranked

Status = Literal["ran", "skipped", "failed"]


@dataclass(frozen=True, slots=True)
class Degraded:
    """Why an answer or an index is less than it could be, and how to mend that."""

    channel: str
    reason: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class ChannelOutcome:
    """What became of one channel. `reason` is empty only when it ran; `seconds` are wall time."""

    channel: str
    status: Status
    reason: str = ""
    mend: str = ""
    seconds: float = 0.0
    found: tuple[Ranked, ...] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """`snippet` begins at `snippet_line`; `changed`: the file differs now from the indexed commit."""

    rank: int
    score: float
    path: str
    start_line: int
    end_line: int
    kind: str
    name: str
    blob: str
    snippet: str
    snippet_line: int
    changed: bool
    channels: Mapping[str, Ranked]


@dataclass(frozen=True, slots=True)
class Freshness:
    """The indexed commit against the repository of this moment. None stands for what could not be learned."""

    commit: str
    branch: str | None
    indexed_at: str
    age_seconds: float
    paths: tuple[str, ...]
    head: str | None = None
    commits_behind: int | None = None
    dirty: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    query: str
    k: int
    hits: tuple[Hit, ...]
    index: Freshness
    channels: tuple[ChannelOutcome, ...]
    degraded: tuple[Degraded, ...]
