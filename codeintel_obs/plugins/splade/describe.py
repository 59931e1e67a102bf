"""What a call of sentence_transformers' sparse encoder says of itself. Pure."""

from __future__ import annotations

from typing import Any, Final

from codeintel_obs.plugins.sentences import Payload, amount, shape_of
from codeintel_obs.steps import Call

_MATRIX: Final = 2
_SEARCH: Final = "semantic_search_"


def after_encode(_call: Call, result: Any) -> Payload:
    """Say how many embeddings came out, of which dimension, and how many dimensions are active."""
    if type(result) is list:
        rows = [shape_of(each) for each in result[:1]]
        return {"rows": len(result), "dim": rows[0][-1] if rows and rows[0] else None, "active": _active(result)}
    shape = shape_of(result)
    if not shape:
        return {}
    return {"rows": shape[0] if len(shape) >= _MATRIX else 1, "dim": shape[-1], "active": _active([result])}


def _active(results: list[Any]) -> int | None:
    """Return how many entries sparse tensors hold, which each of them knows; a dense one would have to be searched."""
    if any(type(each).__module__ != "torch" or not each.is_sparse for each in results):
        return None
    held: int = sum(each._nnz() for each in results)  # noqa: SLF001 - torch's name since there are sparse tensors
    return held


def before_search(call: Call) -> Payload:
    """Say how many queries are searched for, and in how many documents where these are given."""
    k = call.kwargs.get("top_k")
    return {
        "engine": call.name.removeprefix(_SEARCH),
        "queries": _rows(call.arg(0, "query_embeddings", call.kwargs.get("query_embeddings_decoded"))),
        "docs": _rows(call.arg(1, "corpus_embeddings", call.kwargs.get("corpus_embeddings_decoded"))),
        "k": k if type(k) is int else None,
    }


def _rows(embeddings: Any) -> int | None:
    return amount(embeddings) if embeddings is not None else None


def after_search(_call: Call, result: Any) -> Payload:
    """Say how many entries were found over all queries; the engine's time and index come after them."""
    found = result[0] if type(result) is tuple and result else None
    return {"results": sum(map(len, found))} if type(found) is list else {}
