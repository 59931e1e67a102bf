"""One question to one index: find it, ask it, and say how fresh it is."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from codeintel_rev.config.settings import INDEX_FOLDER, Settings
from codeintel_rev.errors import NotFoundError, UsageError
from codeintel_rev.io.freshness import freshness
from codeintel_rev.io.generations import IndexFolder
from codeintel_rev.io.hybrid_search import HybridSearch, Wish
from codeintel_rev.retrieval.answer import Answer

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
    wish: Wish = field(default_factory=Wish)


def search(request: SearchRequest) -> Answer:
    """An answer without hits is an answer; UsageError, NotFoundError, SearchFailedError and DamagedIndexError are none."""
    check(request.query, request.k)
    folder = IndexFolder(request.index_dir.absolute() if request.index_dir else find_index(request.repo))
    root = folder.path.parent if request.index_dir is None else request.repo
    with closing(HybridSearch(folder.current(), request.settings)) as index:
        return ask(index, root, request.query, request.k, request.wish)


def ask(index: HybridSearch, root: Path, query: str, k: int, wish: Wish | None = None) -> Answer:
    """One question to an index that stays open; `root` is where the working tree is."""
    check(query, k)
    state, changed, unknown = freshness(index.manifest, root)
    found = index.search(query, k, wish, changed)
    return Answer(
        query=query,
        k=k,
        hits=found.hits,
        index=state,
        channels=found.channels,
        degraded=tuple(dict.fromkeys((*found.degraded, *unknown))),  # what the index lacks is known to both
        stages=found.stages,
        query_kind=found.query_kind,
        weights=found.weights,
        seconds=found.seconds,
    )


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


def check(query: str, k: int) -> None:
    """UsageError for a query or a number of hits that no index is asked for."""
    if not query.strip():
        raise UsageError("the query is empty", "Mend: say what to look for")
    if len(query) > LONGEST_QUERY:
        raise UsageError(f"the query has {len(query)} characters, at most {LONGEST_QUERY} are read")
    if not 1 <= k <= MOST_HITS:
        raise UsageError(f"-k is {k}", f"Mend: give 1 to {MOST_HITS}")
