"""All chunks of one commit, or of the working tree over it, with an account of every file that was selected."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from codeintel_rev.errors import NotFoundError, RevError
from codeintel_rev.indexing.chunks import Chunk, chunk_file, has_syntax
from codeintel_rev.indexing.paths import matcher
from codeintel_rev.indexing.sources import Skipped, read_committed, read_edited
from codeintel_rev.indexing.working_tree import edited_entries

if TYPE_CHECKING:
    import re
    from collections.abc import Sequence
    from pathlib import Path

    from codeintel_rev.indexing.earlier import Known
    from codeintel_rev.indexing.progress import Progress
    from codeintel_rev.io.git_client import Entry, GitClient, Head


@dataclass(slots=True)
class Corpus:
    """`files` were read, `skipped` were not.

    `dirty`: selected files that the working tree changes, indexed as committed. `uncommitted`: those that were
    indexed as edited, with the hash of what was read; empty when nothing was.
    """

    root: Path
    head: Head
    dirty: tuple[str, ...] = ()
    untracked: int = 0
    uncommitted: dict[str, str] = field(default_factory=dict)
    files: int = 0
    unparsed: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    chunks: list[Chunk] = field(default_factory=list)


def read_corpus(
    client: GitClient,
    patterns: Sequence[str],
    progress: Progress,
    *,
    working_tree: bool = False,
    known: Known | None = None,
) -> Corpus:
    """Raises NotFoundError when no file is selected, RevError when none of them holds text."""
    corpus, wanted = Corpus(client.root, client.head()), matcher(patterns)
    tree = client.working_tree(every_file=working_tree)
    entries = client.entries(corpus.head.commit)
    if working_tree:
        entries = edited_entries(client.root, entries, tree)
        gone = (tree.dirty | tree.untracked).difference(entry.path for entry in entries)
        corpus.uncommitted = {path: "" for path in sorted(gone) if wanted.fullmatch(path) and not path.endswith("/")}
    else:
        dirty = (entry.path for entry in entries if entry.path in tree.dirty and wanted.fullmatch(entry.path))
        corpus.dirty, corpus.untracked = tuple(map(_printable, dirty)), len(tree.untracked)
    selected = _selected(entries, patterns, wanted)
    progress.stage("reading files", len(selected))
    for entry in selected:
        _take(corpus, client, entry, known or {})
        progress.advance()
    if not corpus.chunks:
        found = ", ".join(f"{n} {reason}" for reason, n in corpus.skipped.items()) or "all are empty"
        raise RevError(f"none of the {len(selected)} selected files holds text to index ({found})")
    return corpus


def _selected(entries: list[Entry], patterns: Sequence[str], wanted: re.Pattern[str]) -> list[Entry]:
    selected = [entry for entry in entries if wanted.fullmatch(entry.path)]
    if not selected:
        named = " ".join(patterns) or "the whole tree"
        raise NotFoundError(f"no tracked file matches {named}", "Mend: see git ls-files; only commits are indexed")
    return selected


def _take(corpus: Corpus, client: GitClient, entry: Entry, known: Known) -> None:
    if entry.blob and (chunks := known.get((entry.path, entry.blob))):
        return _add(corpus, entry.path, chunks)
    if entry.blob:
        blob, source = entry.blob, read_committed(client, entry)
    else:
        source, blob = read_edited(client, entry, corpus.head.commit)
        corpus.uncommitted[_printable(entry.path)] = blob
    if isinstance(source, Skipped):
        corpus.skipped[source.reason] += 1
    else:
        chunks = known.get((entry.path, blob)) or chunk_file(entry.path, blob, source)[0]
        _add(corpus, entry.path, chunks)
    return None


def _add(corpus: Corpus, path: str, chunks: list[Chunk]) -> None:
    corpus.files += 1
    corpus.unparsed += bool(chunks) and has_syntax(path) and chunks[0].kind == "lines"
    corpus.chunks.extend(chunks)


def _printable(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode("utf-8")
