"""The sentence_transformers instrumentor for dense embeddings: the class with its table of points and payload keys."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from codeintel_obs.instrumentor import LibraryInstrumentor
from codeintel_obs.plugins import sentences
from codeintel_obs.plugins.embeddings import describe as told
from codeintel_obs.plugins.embeddings.exclusions import EXCLUSIONS
from codeintel_obs.steps import FieldClass, Point

_ENCODES: Final = ("encode", "encode_query", "encode_document", "encode_multi_process")


def _point(name: str, kind: str, module: str = "sentence_transformers", **described: Any) -> Point:
    return Point(module=module, name=name, kind=f"embeddings.{kind}", outermost=True, **described)


_LOAD: Final[dict[str, Any]] = {"before": sentences.before_load, "after": sentences.after_load}
_ENCODE: Final[dict[str, Any]] = {"before": sentences.before_encode, "after": told.after_encode}
_SEARCH: Final[dict[str, Any]] = {"before": told.before_search, "after": told.after_search}

POINTS: Final = (
    _point("SentenceTransformer.__init__", "load", **_LOAD),
    _point("SentenceTransformer.encode", "encode", **_ENCODE),
    *(_point(f"SentenceTransformer.{name}", "encode", optional=True, **_ENCODE) for name in _ENCODES[1:]),
    _point("MultiVectorEncoder.__init__", "load", optional=True, **_LOAD),
    *(_point(f"MultiVectorEncoder.{name}", "encode", optional=True, **_ENCODE) for name in _ENCODES[:3]),
    _point("semantic_search", "search", "sentence_transformers.util", **_SEARCH),
    _point("semantic_search", "search", "sentence_transformers.util.retrieval", optional=True, **_SEARCH),
)


class EmbeddingsInstrumentor(LibraryInstrumentor):
    """Watches sentence_transformers' dense encoders, as its table says."""

    plugin = "embeddings"
    library = "sentence_transformers"
    requires = ("sentence-transformers>=5,<7",)
    never_run = "models on a GPU"
    points = POINTS
    fields: ClassVar = {
        **dict.fromkeys(["count", "rows", "dim", "batch_size", "queries", "docs", "k", "results"], FieldClass.COUNT),
        "method": FieldClass.CODE,
        "model_class": FieldClass.CODE,
        "model": FieldClass.NAME,
        "text": FieldClass.TEXT,
    }
    exclusions = EXCLUSIONS
    semantics: ClassVar = {"embeddings.encode": sentences.embedding}
