"""One question to one index: find it, ask it, and say how fresh it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from codeintel_rev.config.settings import INDEX_FOLDER, Settings
from codeintel_rev.errors import NotFoundError, UsageError
from codeintel_rev.io.freshness import freshness
from codeintel_rev.io.generations import IndexFolder
from codeintel_rev.io.hybrid_search import DEPTH, HybridSearch
from codeintel_rev.retrieval.answer import Answer, Degraded

if TYPE_CHECKING:
    from pathlib import Path

LONGEST_QUERY = 10_000
MOST_HITS = 1000


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """`repo` may be any folder of an indexed working tree."""

    query: str
    settings: Settings
    repo: Path
    k: int = 10
    index_dir: Path | None = None


def search(request: SearchRequest) -> Answer:
    """An answer without hits is an answer; UsageError, NotFoundError and DamagedIndexError are none."""
    _check(request)
    folder = IndexFolder(request.index_dir.absolute() if request.index_dir else find_index(request.repo))
    index = HybridSearch(folder.current(), request.settings)
    outcomes = index.gather(request.query, max(DEPTH, request.k))
    root = folder.path.parent if request.index_dir is None else request.repo
    state, changed, unknown = freshness(index.manifest, root)
    hits = index.hits(request.query, outcomes, request.k, changed)
    missing = tuple(Degraded(o.channel, o.reason, o.mend) for o in outcomes if o.status != "ran")
    return Answer(request.query, request.k, tuple(hits), state, outcomes, missing + unknown)


def find_index(path: Path) -> Path:
    """The index of the working tree that `path` is in; NotFoundError says how to make one."""
    start = path.resolve()
    if not start.is_dir():
        raise NotFoundError(f"{path} is not a folder", "Mend: give the folder of an indexed git repository")
    for folder in (start, *start.parents):
        if (folder / INDEX_FOLDER / "current").exists():
            return folder / INDEX_FOLDER
        if (folder / ".git").exists():
            break
    raise NotFoundError(f"{path} is not indexed", f"Mend: codeintel-rev index {path}")


def _check(request: SearchRequest) -> None:
    if not request.query.strip():
        raise UsageError("the query is empty", "Mend: say what to look for")
    if len(request.query) > LONGEST_QUERY:
        raise UsageError(f"the query has {len(request.query)} characters, at most {LONGEST_QUERY} are read")
    if not 1 <= request.k <= MOST_HITS:
        raise UsageError(f"-k is {request.k}", f"Mend: give 1 to {MOST_HITS}")
