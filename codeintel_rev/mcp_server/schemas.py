"""The shape of every answer on the wire, for MCP and HTTP alike. What has nothing to say is left out."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

Status = Literal["ran", "skipped", "failed", "timed_out"]
Channel = Literal["semantic", "bm25", "splade", "exact"]
Weight = Annotated[float, Field(ge=0, le=100)]


def untitled(schema: dict[str, Any]) -> None:
    """A title that only repeats the name of its field says nothing, and each client reads every one."""
    for field in schema.get("properties", {}).values():
        field.pop("title", None)


class _Part(BaseModel):
    """Small on the wire: a model's context is dear, so an optional field without a value is not sent."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra=untitled)

    @model_serializer(mode="wrap")
    def _small(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        optional = {name for name, field in type(self).model_fields.items() if not field.is_required()}
        made: dict[str, Any] = handler(self)
        return {name: value for name, value in made.items() if name not in optional or value not in (None, [], {})}


class IndexInfo(_Part):
    """The indexed commit against the repository of this moment."""

    commit: str = Field(description="The commit that was indexed")
    branch: str | None = None
    age_seconds: float = Field(description="Since it was indexed")
    stale: bool = Field(description="HEAD is another commit than the indexed one")
    head: str | None = Field(default=None, description="HEAD now, when it is another commit")
    commits_behind: int | None = None
    dirty: int | None = Field(default=None, description="Number of files with uncommitted changes that are not indexed")
    dirty_files: list[str] = Field(default_factory=list, description="The first of them")
    paths: list[str] = Field(default_factory=list, description="Only what matches these patterns was indexed")
    working_tree: bool | None = Field(default=None, description="Uncommitted edits were indexed with it")


class Stage(_Part):
    """What became of one channel or step, and what it did."""

    stage: str
    status: Status
    reason: str | None = None
    milliseconds: float
    detail: dict[str, Any] | None = None


class Missing(_Part):
    """Something that makes this answer less than it could be, and how to mend it."""

    channel: str
    reason: str
    mend: str | None = None


class AnswerEnvelope(_Part):
    """What every answer carries: how fresh the index is, what ran, and what is missing."""

    index: IndexInfo | None = Field(default=None, description="None: nothing is indexed yet")
    stages: dict[str, Status] = Field(default_factory=dict, description="What became of each channel and step")
    degraded: list[Missing] = Field(default_factory=list, description="Empty when nothing is missing")


class Rank(_Part):
    rank: int
    score: float


class SearchHit(_Part):
    """A definition or a stretch of lines; the snippet is the part of it that speaks most of the query."""

    path: str
    start_line: int
    end_line: int
    kind: str
    name: str
    score: float
    snippet: str
    snippet_line: int = Field(description="Line number of the snippet's first line")
    changed: bool | None = Field(
        default=None, description="The file differs now from the indexed commit: open it to see"
    )
    channels: dict[str, Rank] | None = Field(default=None, description="Only with explain: who found it, and where")
    boost: float | None = None
    rerank: float | None = None


class SearchAnswer(AnswerEnvelope):
    hits: list[SearchHit]
    explained: list[Stage] | None = Field(default=None, description="Only with explain: the stages, with all they did")
    query_kind: str | None = Field(default=None, description="Only with explain")
    weights: dict[str, float] | None = Field(default=None, description="Only with explain")
    milliseconds: float | None = Field(default=None, description="Only with explain")


class TextHit(_Part):
    path: str
    line: int
    column: int = Field(description="In characters, from 1")
    text: str
    before: list[str] | None = None
    after: list[str] | None = None


class TextAnswer(AnswerEnvelope):
    matches: list[TextHit]
    files_searched: int
    truncated: Literal["limit", "time", "size"] | None = Field(
        default=None, description="Why there may be more matches"
    )
    skipped: dict[str, int] | None = Field(default=None, description="Files that were not searched, counted by reason")


class SymbolHit(_Part):
    name: str
    kind: str
    path: str
    start_line: int
    end_line: int
    signature: str
    match: Literal["exact", "member", "prefix", "contains"]


class SymbolAnswer(AnswerEnvelope):
    symbols: list[SymbolHit]
    truncated: bool = Field(description="There are more")


class FileAnswer(AnswerEnvelope):
    path: str
    start_line: int
    end_line: int
    total_lines: int
    text: str
    shortened: bool | None = Field(default=None, description="Lines were cut or left out to keep the answer small")
    not_utf8: bool | None = Field(default=None, description="Bytes that are not UTF-8 are shown as U+FFFD")
    next_line: int | None = Field(default=None, description="Where to go on reading")


class PathsAnswer(AnswerEnvelope):
    paths: list[str]
    total: int
    next_offset: int | None = Field(default=None, description="Where to go on listing")


class BlameHunk(_Part):
    start_line: int
    end_line: int
    commit: str | None = Field(default=None, description="None: these lines are not committed")
    author: str | None = None
    date: str | None = None
    summary: str | None = None


class BlameAnswer(AnswerEnvelope):
    path: str
    hunks: list[BlameHunk]


class CommitInfo(_Part):
    commit: str
    author: str
    date: str
    summary: str


class HistoryAnswer(AnswerEnvelope):
    path: str
    commits: list[CommitInfo] = Field(description="The newest first; empty for a file that was never committed")


class Running(_Part):
    """An index that is being made by a living process."""

    pid: int
    stage: str
    share: float | None = None
    eta_seconds: float | None = None


class LastReindex(_Part):
    exit_code: int
    said: str | None = None


class StatusAnswer(AnswerEnvelope):
    indexed: bool
    kind: Literal["none", "lexical", "partial", "complete"] = Field(
        description="Whether no, some or all chunks have a vector"
    )
    vectors: str | None = Field(default=None, description="The model that made them; None: the index is lexical only")
    indexed_at: str | None = Field(default=None, description="ISO 8601, UTC")
    files: int | None = None
    chunks: int | None = None
    indexing: Running | None = Field(default=None, description="None: no process is indexing")
    interrupted: str | None = Field(default=None, description="How far an indexing came that was stopped")
    last_reindex: LastReindex | None = Field(default=None, description="The last one that this server started")


class ReindexAnswer(_Part):
    started: bool
    pid: int
    finished: bool = Field(description="Whether it had ended when this answer was made")
    status: StatusAnswer
