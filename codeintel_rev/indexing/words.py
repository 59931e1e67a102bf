"""The lexical part of a generation: made anew, or taken over whole from one before it that is of the very same chunks."""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import TYPE_CHECKING

import bm25s
import duckdb

from codeintel_rev.io import bm25_manager, duckdb_catalog
from codeintel_rev.retrieval.terms import terms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from codeintel_rev.indexing.chunks import Chunk
    from codeintel_rev.indexing.progress import Progress

FILE = "words.json"
WORDS_VERSION = 1  # of all that decides which terms a document has: `document_terms`, `retrieval.terms`, BM25's numbers
NAME_WEIGHT = 5  # with BM25's k1 of 2.5; measured on the development corpora of docs/retrieval.md: 0.530 to 0.569
_PARTS = (bm25_manager.FOLDER, duckdb_catalog.FILE)


def write_words(draft: Path, chunks: Sequence[Chunk], dates: Mapping[str, int], progress: Progress) -> None:
    """Two steps of the progress. Documents are numbered in the order of the chunks.

    What an earlier generation beside the draft holds is copied when its chunks were these, and its files are still
    what was written then: a damaged index is made anew.
    """
    made_of = _digest(chunks, dates)
    earlier = _earlier(draft, made_of)
    if earlier is not None:
        shutil.copytree(earlier / bm25_manager.FOLDER, draft / bm25_manager.FOLDER, copy_function=shutil.copyfile)
        progress.advance()
        shutil.copyfile(earlier / duckdb_catalog.FILE, draft / duckdb_catalog.FILE)
    else:
        bm25_manager.build(draft, [document_terms(chunk) for chunk in chunks])
        progress.advance()
        duckdb_catalog.build(draft, chunks, dates)
    (draft / FILE).write_text(json.dumps({"made_of": made_of, "files": _files(draft)}), encoding="ascii")
    progress.advance()


def document_terms(chunk: Chunk) -> list[str]:
    """What the lexical channel knows of a chunk: its path, its name with weight, and its text.

    A body is not what its name means, only near it: a stray line would else be found before the definition.
    """
    name = [] if chunk.kind == "body" else terms(chunk.name)
    return [*terms(chunk.path), *name * NAME_WEIGHT, *terms(chunk.text)]


def _earlier(draft: Path, made_of: str) -> Path | None:
    """The newest generation of the same chunks; generations are named by their number."""
    for told in sorted(draft.parent.glob(f"[0-9]*/{FILE}"), reverse=True):
        try:
            known = json.loads(told.read_text(encoding="ascii"))
            if known["made_of"] == made_of and known["files"] == _files(told.parent):
                return told.parent
        except (OSError, ValueError, TypeError, KeyError):
            continue  # damaged, or removed in this moment
    return None


def _files(generation: Path) -> dict[str, str]:
    """By name, the SHA-256 of each file."""
    found = [path for part in _PARTS for path in (generation / part, *(generation / part).glob("*")) if path.is_file()]
    return {str(path.relative_to(generation)): _sha256(path) for path in found}


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _digest(chunks: Sequence[Chunk], dates: Mapping[str, int]) -> str:
    made = hashlib.sha256(f"{WORDS_VERSION} {bm25s.__version__} {duckdb.__version__}".encode())
    for chunk in chunks:
        place = f"\0{chunk.path}\0{chunk.blob}\0{chunk.start_line}\0{chunk.end_line}\0{chunk.kind}\0{chunk.name}\0"
        made.update(place.encode("utf-8", "surrogatepass"))
        made.update(chunk.text.encode("utf-8", "surrogatepass"))
    for path, date in dates.items():
        made.update(f"\0{path}\0{date}".encode("utf-8", "surrogatepass"))
    return made.hexdigest()
