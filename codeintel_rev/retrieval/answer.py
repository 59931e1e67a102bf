"""The shape of an answer: what was found, what became of each channel and stage, and how fresh the index is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codeintel_rev.retrieval.fusion import Ranked

Status = Literal["ran", "skipped", "failed", "timed_out"]


@dataclass(frozen=True, slots=True)
class Degraded:
    """Why an answer or an index is less than it could be, and how to mend that."""

    channel: str
    reason: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class ChannelOutcome:
    """What became of one channel. `reason` is empty only when it ran; `seconds` are wall time.

    `expected`: it was skipped because this query or these settings do not ask for it, so nothing is missing.
    """

    channel: str
    status: Status
    reason: str = ""
    mend: str = ""
    seconds: float = 0.0
    found: tuple[Ranked, ...] = ()
    expected: bool = False

    @property
    def degrades(self) -> bool:
        return self.status != "ran" and not self.expected


@dataclass(frozen=True, slots=True)
class StageOutcome:
    """What became of one step around the channels: budget, fuse, recency_boost, hydrate, rerank.

    `detail` holds its counts and choices, small enough for every answer.
    """

    stage: str
    status: Status
    reason: str = ""
    mend: str = ""
    seconds: float = 0.0
    expected: bool = False
    detail: Mapping[str, object] = field(default_factory=dict)

    @property
    def degrades(self) -> bool:
        return self.status != "ran" and not self.expected


@dataclass(frozen=True, slots=True)
class Hit:
    """`snippet` begins at `snippet_line`; `changed`: the file differs now from the indexed commit.

    `boost` is the factor that recency gave, `rerank` the reranker's score; None where the stage did not run.
    """

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
    boost: float | None = None
    rerank: float | None = None


@dataclass(frozen=True, slots=True)
class Freshness:
    """The indexed commit against the repository of this moment. None stands for what could not be learned.

    `dirty`: files whose uncommitted content is not what is indexed. `working_tree`: whether uncommitted content is.
    """

    commit: str
    branch: str | None
    indexed_at: str
    age_seconds: float
    paths: tuple[str, ...]
    head: str | None = None
    commits_behind: int | None = None
    dirty: tuple[str, ...] | None = None
    working_tree: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """What one index answers, without its freshness. `query_kind` and the weights: `retrieval.gating`.

    `lacking` is what the index itself was made without, by the channel that can therefore not know everything.
    """

    hits: tuple[Hit, ...]
    query_kind: str
    weights: Mapping[str, float]
    channels: tuple[ChannelOutcome, ...]
    stages: tuple[StageOutcome, ...]
    seconds: float
    lacking: tuple[Degraded, ...] = ()

    @property
    def degraded(self) -> tuple[Degraded, ...]:
        """Each channel at most once: one that ran, and does not know everything, by what the index lacks."""
        ran = {outcome.channel for outcome in self.channels if outcome.status == "ran"}
        channels = [Degraded(o.channel, o.reason, o.mend) for o in self.channels if o.degrades]
        stages = [Degraded(o.stage, o.reason, o.mend) for o in self.stages if o.degrades]
        return (*channels, *(item for item in self.lacking if item.channel in ran), *stages)


@dataclass(frozen=True, slots=True)
class Answer:
    """`degraded` names everything that is missing from it, and is empty when nothing is."""

    query: str
    k: int
    hits: tuple[Hit, ...]
    index: Freshness
    channels: tuple[ChannelOutcome, ...]
    degraded: tuple[Degraded, ...]
    stages: tuple[StageOutcome, ...] = ()
    query_kind: str = ""
    weights: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
