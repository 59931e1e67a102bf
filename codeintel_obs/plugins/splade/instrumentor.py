"""The SPLADE instrumentor: the class with its table of points and payload keys."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from codeintel_obs.instrumentor import LibraryInstrumentor
from codeintel_obs.plugins import sentences
from codeintel_obs.plugins.splade import describe as told
from codeintel_obs.plugins.splade.exclusions import EXCLUSIONS
from codeintel_obs.steps import FieldClass, Point

_MODULE: Final = "sentence_transformers.sparse_encoder"
_ENGINES: Final = ("qdrant", "elasticsearch", "seismic", "opensearch")


def _point(name: str, kind: str, module: str = _MODULE, **described: Any) -> Point:
    return Point(module=module, name=name, kind=f"splade.{kind}", outermost=True, **described)


_ENCODE: Final[dict[str, Any]] = {"before": sentences.before_encode, "after": told.after_encode}
_SEARCH: Final[dict[str, Any]] = {"before": told.before_search, "after": told.after_search, "optional": True}

POINTS: Final = (
    _point("SparseEncoder.__init__", "load", before=sentences.before_load, after=sentences.after_load),
    *(_point(f"SparseEncoder.{name}", "encode", **_ENCODE) for name in ("encode", "encode_query", "encode_document")),
    *(
        _point(f"semantic_search_{engine}", "search", f"{_MODULE}.search_engines", **_SEARCH)
        for engine in _ENGINES  # optional: not all are in every version, and each needs its engine's client
    ),
)


class SpladeInstrumentor(LibraryInstrumentor):
    """Watches sentence_transformers' sparse encoder, as its table says."""

    plugin = "splade"
    library = "sentence_transformers"
    requires = ("sentence-transformers>=5,<7",)
    never_run = "models on a GPU"
    points = POINTS
    fields: ClassVar = {
        **dict.fromkeys(
            ["count", "rows", "dim", "active", "batch_size", "queries", "docs", "k", "results"], FieldClass.COUNT
        ),
        "method": FieldClass.CODE,
        "model_class": FieldClass.CODE,
        "engine": FieldClass.CODE,
        "model": FieldClass.NAME,
        "text": FieldClass.TEXT,
    }
    exclusions = EXCLUSIONS
    semantics: ClassVar = {"splade.encode": sentences.embedding}
