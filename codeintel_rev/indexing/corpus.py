"""All chunks of one commit, with an account of every file that was selected."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from codeintel_rev.errors import NotFoundError, RevError
from codeintel_rev.indexing.chunks import Chunk, chunk_file
from codeintel_rev.indexing.paths import matcher
from codeintel_rev.indexing.sources import Skipped, read_source

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from codeintel_rev.indexing.progress import Progress
    from codeintel_rev.io.git_client import Entry, GitClient, Head


@dataclass(slots=True)
class Corpus:
    """`files` were read, `skipped` were not; `dirty` are the selected ones that the working tree changes."""

    root: Path
    head: Head
    dirty: tuple[str, ...]
    untracked: int
    files: int = 0
    unparsed: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    chunks: list[Chunk] = field(default_factory=list)


def read_corpus(client: GitClient, patterns: Sequence[str], progress: Progress) -> Corpus:
    """Raises NotFoundError when no tracked file is selected, RevError when none of them holds text."""
    head, tree = client.head(), client.working_tree()
    entries = _selected(client.entries(head.commit), patterns)
    dirty = tuple(sorted(entry.path for entry in entries if entry.path in tree.dirty))
    corpus = Corpus(client.root, head, tuple(map(_printable, dirty)), tree.untracked)
    progress.stage("reading files", len(entries))
    for entry in entries:
        _take(corpus, client, entry)
        progress.advance()
    if not corpus.chunks:
        found = ", ".join(f"{n} {reason}" for reason, n in corpus.skipped.items()) or "all are empty"
        raise RevError(f"none of the {len(entries)} selected files holds text to index ({found})")
    return corpus


def _selected(entries: list[Entry], patterns: Sequence[str]) -> list[Entry]:
    wanted = matcher(patterns)
    selected = [entry for entry in entries if wanted.fullmatch(entry.path)]
    if not selected:
        named = " ".join(patterns) or "the whole tree"
        raise NotFoundError(f"no tracked file matches {named}", "Mend: see git ls-files; only commits are indexed")
    return selected


def _take(corpus: Corpus, client: GitClient, entry: Entry) -> None:
    source = read_source(client, entry)
    if isinstance(source, Skipped):
        corpus.skipped[source.reason] += 1
        return
    chunks, parser = chunk_file(entry.path, entry.blob, source)
    corpus.files += 1
    corpus.unparsed += parser == "unparsed"
    corpus.chunks.extend(chunks)


def _printable(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode("utf-8")
