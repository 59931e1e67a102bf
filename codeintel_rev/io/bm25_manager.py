"""The lexical index of one generation: BM25 (bm25s, Lucene's variant) over split identifiers and stems."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bm25s

from codeintel_rev.errors import DamagedIndexError
from codeintel_rev.retrieval.fusion import ranking
from codeintel_rev.retrieval.terms import query_terms

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from codeintel_rev.retrieval.fusion import Ranked

FOLDER = "bm25"
SATURATION, LENGTH_SHARE = 2.5, 0.75  # k1 and b, chosen with the weight of names (indexing/words.py)


def build(folder: Path, documents: Sequence[list[str]]) -> None:
    """Each document is its terms (`retrieval.terms`); documents are numbered as they come."""
    index = bm25s.BM25(method="lucene", k1=SATURATION, b=LENGTH_SHARE)
    # a corpus without any term would divide by zero; the empty term is one that no query has
    index.index(list(documents) if any(documents) else [[""] for _ in documents], show_progress=False)
    index.save(str(folder / FOLDER), show_progress=False)


class BM25Manager:
    """A loaded index; read-only, so threads may share it."""

    def __init__(self, folder: Path, expected: int) -> None:
        """What bm25s raises for files it cannot read; DamagedIndexError when the number differs."""
        self._index = bm25s.BM25.load(str(folder / FOLDER), show_progress=False)
        self._documents = int(self._index.scores["num_docs"])
        if self._documents != expected:
            what = f"{folder / FOLDER} holds {self._documents} documents for {expected} chunks"
            raise DamagedIndexError(what, "Mend: codeintel-rev index REPO")

    def search(self, query: str, k: int) -> tuple[Ranked, ...]:
        """Documents that share at least one term with the query, best first; none for a query without any."""
        known = [term for term in query_terms(query) if term in self._index.vocab_dict]
        if not known:
            return ()
        depth = min(k, self._documents)
        docs, scores = self._index.retrieve([known], k=depth, show_progress=False, backend_selection="numpy")
        pairs = zip(docs[0].tolist(), scores[0].tolist(), strict=True)
        return ranking([(doc, score) for doc, score in pairs if score > 0])
