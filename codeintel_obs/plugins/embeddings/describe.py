"""What a call of sentence_transformers' dense encoders says of itself. Pure."""

from __future__ import annotations

from typing import Any

from codeintel_obs.plugins.sentences import Payload, shape_of
from codeintel_obs.steps import Call

_MATRIX = 2


def after_encode(_call: Call, result: Any) -> Payload:
    """Say how many embeddings came out, and of which dimension: one array, or a list of them."""
    if type(result) is list:
        first = shape_of(result[0]) if result else None
        return {"rows": len(result), "dim": first[-1] if first else None}
    shape = shape_of(result)
    if not shape:
        return {}
    return {"rows": shape[0] if len(shape) >= _MATRIX else 1, "dim": shape[-1]}


def before_search(call: Call) -> Payload:
    """Say how many queries are compared with how many documents."""
    queries, corpus, k = call.arg(0, "query_embeddings"), call.arg(1, "corpus_embeddings"), call.kwargs.get("top_k")
    return {"queries": _rows(queries), "docs": _rows(corpus), "k": k if type(k) is int else None}


def _rows(embeddings: Any) -> int | None:
    if type(embeddings) is list:
        return len(embeddings)
    shape = shape_of(embeddings)
    return shape[0] if shape and len(shape) >= _MATRIX else 1 if shape else None


def after_search(_call: Call, result: Any) -> Payload:
    """Say how many entries were found over all queries."""
    return {"results": sum(map(len, result))} if type(result) is list else {}
