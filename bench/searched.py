"""What the bench of plugins searches: an index of the application's own retrieval, with vectors where its model is at hand."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

Call = Callable[[], object]
QUERY = "where is a channel skipped that nobody asked for"


@cache
def folder() -> Path:
    import atexit

    made = Path(tempfile.mkdtemp(prefix="codeintel-bench-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def budget_alone() -> Call:
    from codeintel_rev.config.settings import SearchSettings
    from codeintel_rev.io import hybrid_search

    own = SearchSettings()
    return lambda: hybrid_search.budget(QUERY, 10, own)


def search() -> Call:
    """Return a hybrid search of some 200 chunks."""
    import git

    import codeintel_rev
    from codeintel_rev.config.settings import Settings
    from codeintel_rev.indexing.build import BuildRequest, build_index
    from codeintel_rev.io.generations import IndexFolder
    from codeintel_rev.io.hybrid_search import HybridSearch

    root, settings = folder() / "repo", Settings(cache_dir=Path(tempfile.gettempdir()) / "codeintel-bench")
    shutil.copytree(Path(codeintel_rev.__file__).parent / "retrieval", root / "retrieval")
    with git.Repo.init(root) as repo:
        repo.git.add("-A")
        repo.git(c=["user.name=bench", "user.email=bench@example.invalid"]).commit("-qm", "all")
    index_dir = build_index(BuildRequest(root, settings)).index_dir
    index = HybridSearch(IndexFolder(index_dir).current(), settings)
    return lambda: index.search(QUERY, 10)
