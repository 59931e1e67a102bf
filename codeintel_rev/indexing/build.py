"""From a repository to a published index: read, embed, write, publish."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from codeintel_rev.config.settings import Settings, index_folder
from codeintel_rev.indexing.chunks import CHUNKER_VERSION
from codeintel_rev.indexing.corpus import Corpus, read_corpus
from codeintel_rev.indexing.progress import Progress, Silent
from codeintel_rev.indexing.vectors import SWITCHED_OFF, Vectors, make_vectors
from codeintel_rev.io import bm25_manager, duckdb_catalog, faiss_manager
from codeintel_rev.io.generations import IndexFolder
from codeintel_rev.io.git_client import GitClient
from codeintel_rev.io.manifest import Manifest
from codeintel_rev.retrieval.terms import terms

if TYPE_CHECKING:
    from pathlib import Path

    from codeintel_rev.indexing.chunks import Chunk


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """`repo` may be any folder of the working tree; without `index_dir` the index lies at its root."""

    repo: Path
    settings: Settings
    paths: tuple[str, ...] = ()
    index_dir: Path | None = None
    vectors: bool = True


@dataclass(frozen=True, slots=True)
class Built:
    manifest: Manifest
    index_dir: Path


def build_index(request: BuildRequest, progress: Progress | None = None) -> Built:
    """Index HEAD and publish it; until the last moment the old index answers, and after any failure too."""
    begun = time.monotonic()
    told = progress or Silent()
    with GitClient.open(request.repo) as client:
        corpus = read_corpus(client, request.paths, told)
    folder = IndexFolder(index_folder(corpus.root, request.index_dir))
    with folder.building() as draft:
        vectors = _vectors(corpus, folder, request, told)
        _write(draft, corpus.chunks, vectors, told)
        manifest = _manifest(corpus, vectors, request, time.monotonic() - begun)
        manifest.write(draft)
    return Built(manifest, folder.path)


def _vectors(corpus: Corpus, folder: IndexFolder, request: BuildRequest, progress: Progress) -> Vectors:
    if not request.vectors:
        return SWITCHED_OFF
    return make_vectors(corpus.chunks, folder.vectors, request.settings, progress)


def _write(draft: Path, chunks: list[Chunk], vectors: Vectors, progress: Progress) -> None:
    progress.stage("writing the index", 3)
    bm25_manager.build(draft, [document_terms(chunk) for chunk in chunks])
    progress.advance()
    duckdb_catalog.build(draft, chunks)
    progress.advance()
    if vectors.matrix is not None:
        faiss_manager.build(draft, vectors.matrix)
    progress.advance()


def document_terms(chunk: Chunk) -> list[str]:
    """What the lexical channel knows of a chunk: its path, and what the vector knows."""
    return [*terms(chunk.path), *terms(chunk.embedded_text)]


def _manifest(corpus: Corpus, vectors: Vectors, request: BuildRequest, seconds: float) -> Manifest:
    return Manifest(
        root=str(corpus.root),
        commit=corpus.head.commit,
        committed_at=corpus.head.committed_at.astimezone(UTC).isoformat(),
        branch=corpus.head.branch,
        indexed_at=datetime.now(UTC).isoformat(),
        paths=request.paths,
        files=corpus.files,
        chunks=len(corpus.chunks),
        unparsed=corpus.unparsed,
        skipped=dict(sorted(corpus.skipped.items())),
        dirty=corpus.dirty,
        untracked=corpus.untracked,
        model=vectors.model,
        dim=vectors.dim,
        embedded=vectors.embedded,
        reused=vectors.reused,
        degraded=vectors.degraded,
        seconds=round(seconds, 3),
        chunker=CHUNKER_VERSION,
    )
