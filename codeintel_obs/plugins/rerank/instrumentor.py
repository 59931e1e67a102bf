"""The reranking instrumentor: the class with its table of points and payload keys."""

from __future__ import annotations

from typing import ClassVar, Final

from codeintel_obs.instrumentor import LibraryInstrumentor
from codeintel_obs.plugins import sentences
from codeintel_obs.plugins.rerank import describe as told
from codeintel_obs.plugins.rerank.exclusions import EXCLUSIONS
from codeintel_obs.steps import FieldClass, Point

_MODULE: Final = "sentence_transformers.cross_encoder"


class RerankInstrumentor(LibraryInstrumentor):
    """Watches sentence_transformers' cross encoder, as its table says."""

    plugin = "rerank"
    library = "sentence_transformers"
    requires = ("sentence-transformers>=5,<7",)
    never_run = "models on a GPU"
    points = (
        Point(
            module=_MODULE,
            name="CrossEncoder.__init__",
            kind="rerank.load",
            before=sentences.before_load,
            after=sentences.after_load,
            outermost=True,
        ),
        Point(
            module=_MODULE,
            name="CrossEncoder.predict",
            kind="rerank.score",
            before=told.before_predict,
            after=told.after_score,
            outermost=True,
        ),
        Point(
            module=_MODULE,
            name="CrossEncoder.rank",
            kind="rerank.score",
            before=told.before_rank,
            after=told.after_score,
            outermost=True,
        ),
    )
    fields: ClassVar = {
        **dict.fromkeys(["docs", "k", "results"], FieldClass.COUNT),
        "method": FieldClass.CODE,
        "model_class": FieldClass.CODE,
        "model": FieldClass.NAME,
        "query": FieldClass.TEXT,
        "text": FieldClass.TEXT,
    }
    exclusions = EXCLUSIONS
