"""One check per thing that has to be there, or may be; each says what it found and how to mend it."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from codeintel_rev.config.settings import Settings, index_folder
from codeintel_rev.errors import RevError
from codeintel_rev.io.generations import IndexFolder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Level = Literal["ok", "note", "warn", "fail"]
_ENOUGH_BYTES = 1 << 30
_PROBE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """`fail`: it does not work; `warn`: less than it could; `note`: not asked for."""

    check: str
    level: Level
    what: str
    mend: str = ""


def examine(repo: Path, index_dir: Path | None) -> list[Finding]:
    """Changes nothing. Checks that need an earlier one to be good are left out when it is not."""
    findings = [_python()]
    root = _repository(repo, findings)
    if root is None:
        return findings
    settings = _settings(root, findings)
    if settings is None:
        return findings
    folder = IndexFolder(index_folder(root, index_dir))
    findings += _index(folder, root)
    findings += _disk(folder)
    findings += _embedding(settings)
    findings += _options(settings)
    return findings


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", "ok", f"{version} at {sys.executable}")


def _repository(repo: Path, findings: list[Finding]) -> Path | None:
    try:
        from codeintel_rev.io.git_history import GitHistory  # fails where git is missing

        with GitHistory.open(repo) as client:
            commit = client.head().commit
            findings.append(Finding("git", "ok", f"{client.version()}, HEAD of {client.root} is {commit[:12]}"))
            return client.root
    except RevError as error:
        findings.append(_failed("git", error))
    return None


def _settings(root: Path, findings: list[Finding]) -> Settings | None:
    try:
        settings = Settings.load(root)
    except RevError as error:
        findings.append(_failed("settings", error))
        return None
    findings.append(Finding("settings", "ok", f"embedding.kind is {settings.embedding.kind}"))
    return settings


def _index(folder: IndexFolder, root: Path) -> Iterator[Finding]:
    from codeintel_rev.io.freshness import freshness
    from codeintel_rev.io.hybrid_search import HybridSearch
    from codeintel_rev.io.symbols import Symbols

    if (underway := folder.underway()) is not None:
        yield Finding("indexing", "note", f"process {underway.pid}: {underway.text()}")
    try:
        generation = folder.current()
        with Symbols(generation):
            manifest = HybridSearch(generation, Settings.load(root)).manifest
        state, _, unknown = freshness(manifest, root)
    except RevError as error:
        yield _failed("index", error)
        return
    yield Finding("index", "ok", f"{manifest.chunks} chunks of {manifest.files} files in {folder.path}")
    if state.head not in (None, state.commit):
        told = "another history" if state.commits_behind is None else f"{state.commits_behind} commits behind"
        yield Finding("freshness", "warn", f"the index holds {state.commit[:12]}, {told}", "Mend: codeintel-rev index")
    for missing in (*manifest.degraded, *unknown):
        yield Finding(missing.channel, "warn", missing.reason, missing.mend)


def _disk(folder: IndexFolder) -> Iterator[Finding]:
    place = next(path for path in (folder.path, *folder.path.parents) if path.exists())
    free = shutil.disk_usage(place).free
    if not os.access(place, os.W_OK):
        yield Finding("disk", "fail", f"{place} cannot be written to", "Mend: name another folder with --index-dir")
    elif free < _ENOUGH_BYTES:
        yield Finding("disk", "warn", f"{free >> 20} MiB are free at {place}", "Mend: make room")
    else:
        yield Finding("disk", "ok", f"{free >> 30} GiB are free at {place}")


def _embedding(settings: Settings) -> Iterator[Finding]:
    """Really embeds two words: a server that listens is not yet one that answers."""
    from codeintel_rev.io.embedders import open_embedder

    if settings.embedding.kind == "none":
        yield Finding("embedding", "note", "switched off (embedding.kind = none)")
        return
    try:
        embedder = open_embedder(settings)
        try:
            embedder.embed(["two words"], seconds=_PROBE_SECONDS)
            yield Finding("embedding", "ok", f"{embedder.identity} answers")
        finally:
            embedder.close()
    except RevError as error:
        yield _failed("embedding", error, "warn")


def _options(settings: Settings) -> Iterator[Finding]:
    if not settings.splade.model:
        yield Finding("splade", "note", "not configured (splade.model)")
    else:
        yield Finding("splade", "ok", f"{settings.splade.model} is loaded at the first search")
    if settings.rerank.kind == "none":
        yield Finding("rerank", "note", "not configured (rerank.kind)")
    else:
        yield from _rerank(settings)
    if settings.vectors.store == "qdrant":
        yield Finding("qdrant", "note", f"vectors lie in {settings.vectors.url or 'the generation (embedded)'}")


def _rerank(settings: Settings) -> Iterator[Finding]:
    from codeintel_rev.io.reranker import open_reranker

    try:
        reranker = open_reranker(settings)
        try:
            reranker.scores("two words", ["two words"], seconds=_PROBE_SECONDS)
            yield Finding("rerank", "ok", f"{settings.rerank.kind} answers")
        finally:
            reranker.close()
    except RevError as error:
        yield _failed("rerank", error, "warn")


def _failed(check: str, error: RevError, level: Level = "fail") -> Finding:
    return Finding(check, level, error.what, error.mend)
