"""What this program can do for one repository, for whoever asks: HTTP, MCP and the command line use nothing else.

Methods block and may be called from many threads. Every answer carries how fresh the index is and what is missing.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar

from codeintel_rev.config.settings import index_folder
from codeintel_rev.errors import BusyError, DamagedIndexError, NotFoundError, UsageError
from codeintel_rev.indexing.status import index_status
from codeintel_rev.io.freshness import freshness
from codeintel_rev.io.generations import IndexFolder
from codeintel_rev.io.git_client import GitClient
from codeintel_rev.io.git_history import GitHistory
from codeintel_rev.io.globs import PathFilter
from codeintel_rev.io.hybrid_search import Wish
from codeintel_rev.io.index_process import IndexProcess
from codeintel_rev.io.manifest import Manifest
from codeintel_rev.io.repository_files import printable, read_lines
from codeintel_rev.io.served_index import ServedIndex
from codeintel_rev.io.symbols import checked_name
from codeintel_rev.io.text_search import search_text
from codeintel_rev.retrieval.answer import Answer, Degraded, Freshness, StageOutcome
from codeintel_rev.retrieval.search import check

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from codeintel_rev.config.settings import Settings
    from codeintel_rev.indexing.status import IndexStatus
    from codeintel_rev.io.git_history import Blamed, Change
    from codeintel_rev.io.index_process import LastRun
    from codeintel_rev.io.repository_files import Lines
    from codeintel_rev.io.served_index import Opened
    from codeintel_rev.io.symbols import Symbol, SymbolQuery
    from codeintel_rev.io.text_search import TextFound, TextQuery

T = TypeVar("T")

MOST_PATHS = 5000
MOST_FILE_LINES = 2000
_OWN_SHARE = 0.8
# git is asked at most this often: under load it would cost more than the search
FRESH_SECONDS, OLDEST_SECONDS = 1.0, 10.0


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """`weights` by channel (none: those of the settings) and `rerank` over what the settings say."""

    query: str
    k: int = 10
    weights: tuple[tuple[str, float], ...] = ()
    rerank: bool | None = None


@dataclass(frozen=True, slots=True)
class Reply(Generic[T]):
    """An answer that came from the working tree or from git; `index` is None where nothing is indexed."""

    body: T
    index: Freshness | None
    stages: tuple[StageOutcome, ...]
    degraded: tuple[Degraded, ...]


@dataclass(frozen=True, slots=True)
class Paths:
    paths: list[str]
    total: int


@dataclass(frozen=True, slots=True)
class Started:
    """`pid` of the process that indexes."""

    pid: int


@dataclass(frozen=True, slots=True)
class _Now:
    """The repository against one generation, as git told at `at`."""

    of: Path
    index: Freshness
    changed: frozenset[str]
    degraded: tuple[Degraded, ...]
    at: float


class CodeIntel:
    """One repository. Close it, so that nothing that it started goes on."""

    def __init__(self, repo: Path, settings: Settings, index_dir: Path | None = None, seconds: float = 30.0) -> None:
        """NotFoundError when `repo` is in no git repository; an index need not be there yet.

        `seconds` is what an answer may take: work that can end early with less does so in time for it.
        """
        with GitClient.open(repo) as client:
            self.root = client.root
        self.settings = settings
        self._seconds = _OWN_SHARE * seconds
        self.folder = IndexFolder(index_folder(self.root, index_dir))
        self._index_dir = index_dir
        self._served = ServedIndex(self.folder, settings)
        self._indexing = IndexProcess(self.folder.path)
        self._now: _Now | None = None
        self._looking = threading.Lock()

    def close(self) -> None:
        self._indexing.stop()
        self._served.close()

    def search(self, query: SearchQuery) -> Answer:
        """Semantic and lexical ranks fused. SearchFailedError only when no channel at all has run."""
        check(query.query, query.k)
        with self._served.current() as opened:
            now = self._fresh(opened)
            deadline = min(self._seconds, self.settings.search.deadline)
            wish = Wish(dict(query.weights), query.rerank, deadline)
            found = opened.search.search(query.query, query.k, wish, now.changed)
        return Answer(
            query=query.query,
            k=query.k,
            hits=found.hits,
            index=_aged(now.index, now.at),
            channels=found.channels,
            degraded=tuple(dict.fromkeys((*found.degraded, *now.degraded))),
            stages=found.stages,
            query_kind=found.query_kind,
            weights=found.weights,
            seconds=found.seconds,
        )

    def search_text(self, query: TextQuery) -> Reply[TextFound]:
        """Lines of the working tree that match, what .gitignore names left out."""
        begun = time.monotonic()
        with self._history() as git:
            paths = git.paths()
        found = search_text(self.root, paths, replace(query, seconds=min(query.seconds, self._seconds)))
        detail = {"files": found.files}
        return self._reply(found, _ran("search_text", begun, detail))

    def find_symbol(self, query: SymbolQuery) -> Reply[tuple[list[Symbol], bool]]:
        """Definitions by name, in the indexed commit."""
        begun = time.monotonic()
        checked_name(query)
        with self._served.current() as opened:
            return self._reply(opened.symbols.find(query), _ran("find_symbol", begun))

    def open_file(self, path: str, start: int = 1, lines: int = 200) -> Reply[Lines]:
        """Lines of a file as it lies on disk now."""
        begun = time.monotonic()
        if start < 1 or not 1 <= lines <= MOST_FILE_LINES:
            raise UsageError(
                f"{lines} lines from line {start} cannot be shown", f"Mend: lines count from 1, up to {MOST_FILE_LINES}"
            )
        return self._reply(read_lines(self.root, path, start, lines), _ran("open_file", begun))

    def list_paths(self, globs: tuple[str, ...] = (), limit: int = 200, offset: int = 0) -> Reply[Paths]:
        """Files that are tracked or at least not ignored, by path."""
        begun = time.monotonic()
        if not 1 <= limit <= MOST_PATHS or offset < 0:
            raise UsageError(f"limit {limit}, offset {offset}", f"Mend: a limit of 1 to {MOST_PATHS}, an offset from 0")
        with self._history() as git:
            found = [printable(path) for path in filter(PathFilter(globs), git.paths())]
        return self._reply(Paths(found[offset : offset + limit], len(found)), _ran("list_paths", begun))

    def blame_range(self, path: str, start: int, end: int) -> Reply[list[Blamed]]:
        """Who last changed each of these lines of the working tree."""
        begun = time.monotonic()
        with self._history() as git:
            return self._reply(git.blame(path, start, end), _ran("blame_range", begun))

    def file_history(self, path: str, limit: int = 20) -> Reply[list[Change]]:
        """Commits that changed a file, the newest first, over its renames."""
        begun = time.monotonic()
        with self._history() as git:
            return self._reply(git.history(path, limit), _ran("file_history", begun))

    def index_status(self) -> tuple[IndexStatus, LastRun | None]:
        """Of this moment: nothing of it is remembered. With how the last `reindex` of this service ended."""
        return index_status(self.root, self._index_dir), self._indexing.last()

    def indexed_commit(self) -> str:
        """NotFoundError without an index, DamagedIndexError for one that cannot be read."""
        with self._served.current() as opened:
            return opened.search.manifest.commit

    def reindex(self) -> Started:
        """Begins to index HEAD in a process of its own; BusyError while one runs, whoever started it."""
        underway = self.folder.underway()
        if underway is not None:
            what = f"process {underway.pid} is indexing already ({underway.text()})"
            raise BusyError(what, "Mend: index_status shows how far it is")
        arguments = [str(self.root), *(["--again"] if self._indexed() else [])]
        if self._index_dir is not None:
            arguments += ["--index-dir", str(self.folder.path)]
        return Started(self._indexing.start(arguments))

    @property
    def reindexing(self) -> bool:
        """Whether what `reindex` began goes on."""
        return self._indexing.pid is not None

    def _indexed(self) -> bool:
        try:
            Manifest.read(self.folder.current())
        except (NotFoundError, DamagedIndexError):
            return False
        return True

    @contextmanager
    def _history(self) -> Iterator[GitHistory]:
        with GitHistory.open(self.root) as git:
            git.seconds = min(git.seconds, self._seconds)
            yield git

    def _reply(self, body: T, stage: StageOutcome) -> Reply[T]:
        try:
            with self._served.current() as opened:
                now = self._fresh(opened)
        except (NotFoundError, DamagedIndexError) as error:
            return Reply(body, None, (stage,), (Degraded("index", error.what, error.mend),))
        return Reply(body, _aged(now.index, now.at), (stage,), now.degraded)

    def _fresh(self, opened: Opened) -> _Now:
        """Asked again when it is older than FRESH_SECONDS, by one thread; the others go on with what was told last.

        They wait when there is none of this generation, or when git has not told for OLDEST_SECONDS.
        """
        known = self._told(opened, OLDEST_SECONDS)
        if (fresh := self._told(opened, FRESH_SECONDS)) is not None:
            return fresh
        if not self._looking.acquire(blocking=known is None) and known is not None:
            return known
        try:
            self._now = self._told(opened, FRESH_SECONDS) or self._looked(opened)
            return self._now
        finally:
            self._looking.release()

    def _told(self, opened: Opened, seconds: float) -> _Now | None:
        now = self._now
        good = now is not None and now.of == opened.generation and time.monotonic() - now.at <= seconds
        return now if good else None

    def _looked(self, opened: Opened) -> _Now:
        begun = time.monotonic()
        state, changed, degraded = freshness(opened.search.manifest, self.root)
        return _Now(opened.generation, state, changed, degraded, begun)


def _aged(index: Freshness, at: float) -> Freshness:
    """With its age at this moment, not at that of the look."""
    return replace(index, age_seconds=round(index.age_seconds + time.monotonic() - at, 1))


def _ran(stage: str, begun: float, detail: Mapping[str, object] | None = None) -> StageOutcome:
    return StageOutcome(stage, "ran", seconds=time.monotonic() - begun, detail=detail or {})
