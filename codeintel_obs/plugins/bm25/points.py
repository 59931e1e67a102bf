"""The table of points: which methods and functions of bm25s are steps, of which kind, and what describes them."""

from __future__ import annotations

from typing import Any, Final

from codeintel_obs.plugins.bm25 import describe as told
from codeintel_obs.steps import Point


def _point(module: str, name: str, kind: str, **described: Any) -> Point:
    # both, because bm25s calls itself in threads of its own (seen from its frame) and through subclasses (seen from
    # the step around it)
    return Point(module=module, name=name, kind=f"bm25.{kind}", outermost=True, from_outside=True, **described)


_OWN: Final[dict[str, Any]] = {"failed": told.failed_own}
_FOLDER: Final = told.path_at(0, "save_dir")
_INDEXED: Final[dict[str, Any]] = {"before": told.docs_at(0, "corpus"), "after": told.after_index}
_TOKENIZED: Final[dict[str, Any]] = {"before": told.before_tokenize, "after": told.after_tokenize}
_HUB: Final[dict[str, Any]] = {"before": told.before_hub, "optional": True}  # there with huggingface_hub only

POINTS: Final = (
    _point("bm25s", "BM25.retrieve", "search", before=told.before_search, after=told.after_search, **_OWN),
    _point("bm25s", "BM25.get_scores", "scores", before=told.before_scores, after=told.after_scores, **_OWN),
    _point("bm25s", "BM25.get_scores_from_ids", "scores", before=told.before_scores, after=told.after_scores, **_OWN),
    _point("bm25s", "BM25.index", "index", **_INDEXED),
    _point(
        "bm25s",
        "BM25.build_index_from_tokens",
        "index",
        before=told.docs_at(0, "corpus_tokens"),
        after=told.after_built,
    ),
    _point(
        "bm25s",
        "BM25.build_index_from_ids",
        "index",
        before=told.docs_at(1, "corpus_token_ids"),
        after=told.after_built,
    ),
    _point("bm25s", "BM25.save", "save", before=_FOLDER, after=told.after_own, **_OWN),
    _point("bm25s", "BM25.load", "load", before=_FOLDER, after=told.after_loaded),
    _point("bm25s", "BM25.load_scores", "load_scores", before=_FOLDER, after=told.after_own),
    _point("bm25s", "BM25.compile", "compile", optional=True),
    _point("bm25s", "BM25.warmup_numba_scorer", "compile", optional=True),
    _point("bm25s", "BM25.warmup_numba_csc", "compile", optional=True),
    _point("bm25s", "tokenize", "tokenize", **_TOKENIZED),
    _point("bm25s.tokenization", "tokenize", "tokenize", **_TOKENIZED),
    _point("bm25s.tokenization", "Tokenizer.tokenize", "tokenize", **_TOKENIZED),
    _point("bm25s.tokenization", "Tokenizer.streaming_tokenize", "tokenize", before=told.before_tokenize),
    _point("bm25s.tokenization", "Tokenizer.save_vocab", "save_vocab", before=_FOLDER),
    _point("bm25s.tokenization", "Tokenizer.load_vocab", "load_vocab", before=_FOLDER),
    _point("bm25s.tokenization", "Tokenizer.save_stopwords", "save_stopwords", before=_FOLDER),
    _point("bm25s.tokenization", "Tokenizer.load_stopwords", "load_stopwords", before=_FOLDER),
    _point("bm25s.hf", "BM25HF.load_from_hub", "load_from_hub", after=told.after_loaded, **_HUB),
    _point("bm25s.hf", "BM25HF.save_to_hub", "save_to_hub", after=told.after_own, **_HUB),
    _point("bm25s.hf", "TokenizerHF.load_vocab_from_hub", "load_from_hub", **_HUB),
    _point("bm25s.hf", "TokenizerHF.load_stopwords_from_hub", "load_from_hub", **_HUB),
    _point("bm25s.hf", "TokenizerHF.save_vocab_to_hub", "save_to_hub", **_HUB),
    _point("bm25s.hf", "TokenizerHF.save_stopwords_to_hub", "save_to_hub", **_HUB),
)
