"""What a call of sentence_transformers' cross encoder says of itself. Pure."""

from __future__ import annotations

from typing import Any

from codeintel_obs.plugins.sentences import Payload, amount, model_of, readable, shape_of
from codeintel_obs.steps import Call


def before_predict(call: Call) -> Payload:
    """Say how many pairs are to be scored; a pair of texts alone is one."""
    inputs = call.arg(0, "inputs", call.kwargs.get("sentences"))
    alone = type(inputs) in (list, tuple) and len(inputs) > 0 and isinstance(inputs[0], str)
    return {"docs": 1 if alone else amount(inputs), "text": readable(inputs), "method": "predict", **model_of(call)}


def before_rank(call: Call) -> Payload:
    """Say how many documents are to be ranked for the one query."""
    query, documents, k = call.arg(0, "query"), call.arg(1, "documents"), call.arg(2, "top_k")
    return {
        "docs": amount(documents),
        "k": k if type(k) is int else None,
        "query": query if isinstance(query, str) else None,
        "text": readable(documents),
        "method": "rank",
        **model_of(call),
    }


def after_score(_call: Call, result: Any) -> Payload:
    """Say how many scores or ranked documents came back; one score alone has no shape."""
    if type(result) is list:
        return {"results": len(result)}
    shape = shape_of(result)
    return {} if shape is None else {"results": shape[0] if shape else 1}
