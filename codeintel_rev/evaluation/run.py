"""Measures the retrieval: indexes functions without their docstrings, and asks for each by what its docstring said."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Literal

from codeintel_rev.errors import UsageError
from codeintel_rev.evaluation.measures import Interval, bootstrap, paired, reciprocal
from codeintel_rev.indexing.chunks import CHUNKER_VERSION, Chunk, chunk_file
from codeintel_rev.indexing.progress import Progress, Silent
from codeintel_rev.indexing.vectors import open_vectors
from codeintel_rev.indexing.writing import write_generation
from codeintel_rev.io.generations import IndexFolder
from codeintel_rev.io.hybrid_search import HybridSearch, Wish
from codeintel_rev.io.manifest import Manifest
from codeintel_rev.retrieval.gating import DEPTH

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from codeintel_rev.config.settings import Settings
    from codeintel_rev.evaluation.corpora import Corpus
    from codeintel_rev.evaluation.docstrings import Question
    from codeintel_rev.retrieval.answer import Degraded, Found

# What competes to be found: the functions that are asked for; all functions and methods; every chunk of the files.
Scope = Literal["asked", "functions", "chunks"]
SCOPES: tuple[Scope, ...] = ("asked", "functions", "chunks")
HYBRID = "hybrid"
_PATIENCE = 120.0  # seconds for one query: what is measured here is what is found, on machines that may be busy


@dataclass(frozen=True, slots=True)
class Row:
    """`mrr` at 10; `first` and `ten`: the share of queries whose function was the first, or among the first ten."""

    channel: str
    mrr: Interval
    first: float
    ten: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """`gain`: how much the hybrid is better than BM25 alone, query by query. `by_corpus`: the hybrid's MRR@10."""

    scope: Scope
    corpora: tuple[tuple[str, str, int], ...]
    queries: int
    candidates: int
    model: str | None
    rows: tuple[Row, ...]
    gain: Interval
    by_corpus: Mapping[str, float]
    degraded: tuple[Degraded, ...]


def evaluate(
    corpora: Sequence[Corpus],
    settings: Settings,
    work: Path,
    *,
    scope: Scope = "asked",
    sample: int = 0,
    progress: Progress | None = None,
) -> Evaluation:
    """`work` keeps the vectors, so that a second run embeds nothing. `sample`: so many queries by lot, 0 all.

    UsageError when the corpora have no function with a docstring.
    """
    told = progress or Silent()
    questions = _drawn([question for corpus in corpora for question in corpus.questions], sample)
    chunks, places = _candidates(corpora, scope)
    index = HybridSearch(_indexed(chunks, settings, work, told), settings)
    with closing(index):
        ranks, degraded = _asked(index, questions, places, told)
    return Evaluation(
        scope=scope,
        corpora=tuple((corpus.name, corpus.sha256, len(corpus.questions)) for corpus in corpora),
        queries=len(questions),
        candidates=len(chunks),
        model=index.manifest.model,
        rows=tuple(_row(channel, found) for channel, found in ranks.items()),
        gain=paired(_values(ranks[HYBRID]), _values(ranks["bm25"])),
        by_corpus=_by_corpus(questions, ranks[HYBRID]),
        degraded=degraded,
    )


def _drawn(questions: list[Question], sample: int) -> list[Question]:
    if not questions:
        raise UsageError("no function with a docstring is in there", "Mend: give Python sources")
    draw = Random(0)  # noqa: S311 - the same lot each time is what is wanted
    return draw.sample(questions, sample) if 0 < sample < len(questions) else questions


def _candidates(
    corpora: Sequence[Corpus], scope: Scope
) -> tuple[list[Chunk], dict[tuple[str, str], set[tuple[str, int]]]]:
    """The chunks that compete, and where each function is: by path and first line, which no two chunks share."""
    asked = {(question.path, question.name) for corpus in corpora for question in corpus.questions}
    chunks: list[Chunk] = []
    for corpus in corpora:
        for file in corpus.files:
            chunks += [chunk for chunk in chunk_file(file.path, "", file.text)[0] if _competes(chunk, scope, asked)]
    places: dict[tuple[str, str], set[tuple[str, int]]] = {}
    for chunk in chunks:
        places.setdefault((chunk.path, chunk.name), set()).add((chunk.path, chunk.start_line))
    return chunks, places


def _competes(chunk: Chunk, scope: Scope, asked: set[tuple[str, str]]) -> bool:
    if scope == "chunks":
        return True
    is_function = chunk.kind in ("function", "method")
    return is_function and (scope == "functions" or (chunk.path, chunk.name) in asked)


def _indexed(chunks: list[Chunk], settings: Settings, work: Path, told: Progress) -> Path:
    """A generation as any other, of chunks that no commit has."""
    folder = IndexFolder(work)
    with folder.building() as build, closing(open_vectors(chunks, folder, settings, [])) as vectors:
        vectors.embed(told)
        with build.draft(interim=False) as draft:
            written = write_generation(draft, chunks, {}, vectors, settings, told)
            now = datetime.now(UTC).isoformat()
            model = vectors.model.identity if written.vectors and vectors.model else None
            _manifest(len(chunks), now, model, written.dim, written.vectors, written.degraded).write(draft)
    return folder.current()


def _manifest(
    chunks: int, now: str, model: str | None, dim: int, vectors: int, degraded: tuple[Degraded, ...]
) -> Manifest:
    return Manifest(
        root="",
        commit="",
        committed_at=now,
        branch=None,
        indexed_at=now,
        paths=(),
        files=0,
        chunks=chunks,
        unparsed=0,
        skipped={},
        working_tree=False,
        dirty=(),
        untracked=0,
        uncommitted={},
        model=model,
        dim=dim,
        vectors=vectors,
        embedded=0,
        reused=0,
        degraded=degraded,
        seconds=0.0,
        chunker=CHUNKER_VERSION,
    )


def _asked(
    index: HybridSearch,
    questions: Sequence[Question],
    places: Mapping[tuple[str, str], set[tuple[str, int]]],
    told: Progress,
) -> tuple[dict[str, list[int | None]], tuple[Degraded, ...]]:
    """By channel the rank of each question's function, None for one that was not found."""
    told.stage(f"asking for {len(questions)} functions", len(questions))
    ranks: dict[str, list[int | None]] = {}
    degraded: dict[Degraded, None] = {}
    for number, question in enumerate(questions):
        found = index.search(question.query, DEPTH, Wish(deadline=_PATIENCE, rerank=None))
        degraded |= dict.fromkeys(found.degraded)
        for channel, rank in _ranks(found, places[question.path, question.name]).items():
            ranks.setdefault(channel, [None] * number).append(rank)
        told.advance()
    return ranks, tuple(degraded)


def _ranks(found: Found, wanted: set[tuple[str, int]]) -> dict[str, int | None]:
    """Of the hybrid by its hits; of a channel by its own ranks of the hits that it found.

    A function that a channel has among its first ten is always among the hits: fusion keeps what a channel ranks so high.
    """
    right = [hit for hit in found.hits if (hit.path, hit.start_line) in wanted]
    ranks: dict[str, int | None] = {HYBRID: min((hit.rank for hit in right), default=None)}
    for outcome in found.channels:
        if outcome.status == "ran" or not outcome.expected:
            own = [hit.channels[outcome.channel].rank for hit in right if outcome.channel in hit.channels]
            ranks[outcome.channel] = min(own, default=None)
    return ranks


def _row(channel: str, ranks: Sequence[int | None]) -> Row:
    return Row(
        channel=channel,
        mrr=bootstrap(_values(ranks)),
        first=sum(rank == 1 for rank in ranks) / len(ranks),
        ten=sum(bool(reciprocal(rank)) for rank in ranks) / len(ranks),
    )


def _values(ranks: Sequence[int | None]) -> list[float]:
    return [reciprocal(rank) for rank in ranks]


def _by_corpus(questions: Sequence[Question], ranks: Sequence[int | None]) -> dict[str, float]:
    values: dict[str, list[float]] = {}
    for question, rank in zip(questions, ranks, strict=True):
        values.setdefault(question.path.partition("/")[0], []).append(reciprocal(rank))
    return {name: sum(found) / len(found) for name, found in values.items()}
