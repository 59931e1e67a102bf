"""The bm25s instrumentor: the class with its table of points, payload keys and semantic conventions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from codeintel_obs import semconv
from codeintel_obs.instrumentor import LibraryInstrumentor
from codeintel_obs.plugins.bm25.exclusions import EXCLUSIONS
from codeintel_obs.plugins.bm25.points import POINTS
from codeintel_obs.steps import FieldClass

_COUNTS: Final = ["queries", "query_len", "k", "docs", "terms", "postings", "results", "hits", "texts", "tokens"]


def retrieval(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the attributes of a search: a retrieval in the words of the conventions for generative AI."""
    found: dict[str, Any] = {semconv.GEN_AI_OPERATION_NAME: "retrieval", semconv.GEN_AI_PROVIDER_NAME: "bm25s"}
    if "k" in payload:
        found[semconv.GEN_AI_RETRIEVAL_TOP_K] = payload["k"]
    return found


class BM25Instrumentor(LibraryInstrumentor):
    """Watches bm25s, as its table says."""

    plugin = "bm25"
    library = "bm25s"
    requires = ("bm25s>=0.2.10,<1",)
    points = POINTS
    fields: ClassVar = {
        **dict.fromkeys(_COUNTS, FieldClass.COUNT),
        "method": FieldClass.CODE,
        "backend": FieldClass.CODE,
        "path": FieldClass.PATH,
        "repository": FieldClass.NAME,
        "query": FieldClass.TEXT,
        "text": FieldClass.TEXT,
    }
    exclusions = EXCLUSIONS
    semantics: ClassVar = {"bm25.search": retrieval}
