"""From a repository to a published index: read, publish for words, embed, publish for meaning."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from codeintel_rev.config.settings import INDEX_FOLDER, Settings, index_folder
from codeintel_rev.errors import DamagedIndexError, NotFoundError
from codeintel_rev.indexing.chunks import CHUNKER_VERSION
from codeintel_rev.indexing.corpus import Corpus, read_corpus
from codeintel_rev.indexing.earlier import known_chunks
from codeintel_rev.indexing.progress import Progress, Recorded, Silent
from codeintel_rev.indexing.upkeep import tidy_vectors
from codeintel_rev.indexing.vectors import ChunkVectors, open_vectors, without_vectors
from codeintel_rev.indexing.writing import write_generation
from codeintel_rev.io.generations import Build, IndexFolder
from codeintel_rev.io.git_client import GitClient
from codeintel_rev.io.manifest import Manifest

if TYPE_CHECKING:
    from pathlib import Path

# So few are embedded in a moment: an index that lacks them is not worth publishing first.
SOON = 32


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """`repo` may be any folder of the working tree; without `index_dir` the index lies at its root.

    `working_tree`: index files as they are on disk, untracked ones too if no .gitignore names them; else HEAD.
    """

    repo: Path
    settings: Settings
    paths: tuple[str, ...] = ()
    index_dir: Path | None = None
    vectors: bool = True
    working_tree: bool = False


@dataclass(frozen=True, slots=True)
class Built:
    manifest: Manifest
    index_dir: Path


@dataclass(frozen=True, slots=True)
class _Read:
    """What git has told: the corpus, when each path was committed, and where other worktrees have vectors."""

    corpus: Corpus
    dates: dict[str, int]
    siblings: list[Path]


def build_index(request: BuildRequest, progress: Progress | None = None) -> Built:
    """Index and publish; until then the old index answers, and after any failure too.

    What takes long to embed is published without its vectors first. BusyError while another process builds.
    """
    begun = time.monotonic()
    with GitClient.open(request.repo) as client:
        client.head()  # nothing is written to a repository that cannot be indexed
        folder = IndexFolder(index_folder(client.root, request.index_dir))
    with folder.building() as build, closing(Recorded(progress or Silent(), folder.path)) as told:
        read = _read(request, folder, told)
        with closing(_vectors(read, folder, request)) as vectors:
            first = len(vectors.missing) > SOON or (vectors.missing and not folder.history())
            if first:
                _publish(build, request, read, vectors, told, begun, interim=True)
            vectors.embed(told, " (words are searchable already)" if first else "")
        manifest = _publish(build, request, read, vectors, told, begun, interim=False)
        tidy_vectors(folder, vectors.store)
    return Built(manifest, folder.path)


def as_before(repo: Path, settings: Settings, index_dir: Path | None = None) -> BuildRequest:
    """The request that the present index answers to, so that renewing it changes nothing but its age."""
    with GitClient.open(repo) as client:
        folder = IndexFolder(index_folder(client.root, index_dir))
    try:
        made = Manifest.read(folder.current())
    except (NotFoundError, DamagedIndexError):
        return BuildRequest(repo, settings, index_dir=index_dir)
    return BuildRequest(repo, settings, made.paths, index_dir, working_tree=made.working_tree)


def _read(request: BuildRequest, folder: IndexFolder, told: Progress) -> _Read:
    with GitClient.open(request.repo) as client:
        known = known_chunks(folder)
        corpus = read_corpus(client, request.paths, told, working_tree=request.working_tree, known=known)
        siblings = [] if request.index_dir else [root / INDEX_FOLDER / "vectors" for root in client.worktrees()]
        return _Read(corpus, client.commit_dates(corpus.head.commit), siblings)


def _vectors(read: _Read, folder: IndexFolder, request: BuildRequest) -> ChunkVectors:
    if not request.vectors:
        return without_vectors(read.corpus.chunks)
    return open_vectors(read.corpus.chunks, folder, request.settings, read.siblings)


def _publish(
    build: Build,
    request: BuildRequest,
    read: _Read,
    vectors: ChunkVectors,
    told: Progress,
    begun: float,
    *,
    interim: bool,
) -> Manifest:
    with build.draft(interim=interim) as draft:
        written = write_generation(draft, read.corpus.chunks, read.dates, vectors, request.settings, told)
        manifest = Manifest(
            **_corpus_facts(read.corpus),
            paths=request.paths,
            working_tree=request.working_tree,
            indexed_at=datetime.now(UTC).isoformat(),
            model=vectors.model.identity if written.vectors and vectors.model else None,
            dim=written.dim,
            vectors=written.vectors,
            embedded=vectors.count - vectors.reused,
            reused=vectors.reused,
            degraded=written.degraded,
            seconds=round(time.monotonic() - begun, 3),
            chunker=CHUNKER_VERSION,
            words_only=vectors.words_only,
        )
        manifest.write(draft)
    return manifest


def _corpus_facts(corpus: Corpus) -> dict[str, Any]:
    return {
        "root": str(corpus.root),
        "commit": corpus.head.commit,
        "committed_at": corpus.head.committed_at.astimezone(UTC).isoformat(),
        "branch": corpus.head.branch,
        "files": corpus.files,
        "chunks": len(corpus.chunks),
        "unparsed": corpus.unparsed,
        "skipped": dict(sorted(corpus.skipped.items())),
        "dirty": corpus.dirty,
        "untracked": corpus.untracked,
        "uncommitted": corpus.uncommitted,
    }
