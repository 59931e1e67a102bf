"""What a bm25s call says of itself: sizes of what it was given, the index that it works on, the size of its answer. Pure.

Lists, tuples and bm25s's ``Tokenized`` are counted and nothing else is: an iterator would be used up, and the ``len`` of
a foreign object is the application's code.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

from codeintel_obs.steps import Call

Payload = dict[str, Any]

_COUNTABLE: Final = (list, tuple)
_CHUNK: Final = 1 << 20  # scores compared at a time: the comparison makes a byte for each


# -- what is there to read ------------------------------------------------------------------------------------------


def size(value: Any) -> int | None:
    """Return how many entries a list, a tuple or an array has; None for anything else."""
    if type(value) in _COUNTABLE:
        return len(value)
    ids = token_ids(value)
    if ids is not None:
        return len(ids)
    shape = value.shape if type(value).__module__ == "numpy" else ()
    return int(shape[0]) if shape else None


def token_ids(value: Any) -> list[Any] | None:
    """Return the ids of bm25s's ``Tokenized`` (or the pair that stands for one); None for anything else."""
    cls = type(value)
    tokenized = cls.__module__ == "bm25s.tokenization" and cls.__name__ == "Tokenized"
    pair = cls is tuple and len(value) == 2 and type(value[1]) is dict  # noqa: PLR2004 - ids and vocabulary
    return value[0] if (tokenized or pair) and type(value[0]) is list else None


def tokens(value: Any) -> int | None:
    """Return how many tokens lists of tokens hold together; None where one of them is no list."""
    lists = value if type(value) in _COUNTABLE else None
    ids = token_ids(value)
    if ids is not None:
        lists = ids
    if lists is None or any(type(each) not in _COUNTABLE for each in lists):
        return None
    return sum(map(len, lists))


def index_facts(bm25: Any) -> Payload:
    """Return what an index says of itself; nothing before it was built or loaded."""
    inside = vars(bm25)
    scores, vocab = inside.get("scores"), inside.get("vocab_dict")
    found: Payload = {"method": inside.get("method"), "backend": inside.get("backend")}
    if type(scores) is dict:
        found["docs"] = scores.get("num_docs")
    if type(vocab) is dict:
        found["terms"] = len(vocab)
    return found


def hits(scores: Any) -> int | None:
    """Return how many scores are above zero, a large array in pieces; None for what is no array of numpy's."""
    if type(scores).__module__ != "numpy":
        return None
    flat = scores.reshape(-1)
    found: int = sum((flat[at : at + _CHUNK] > 0).tobytes().count(1) for at in range(0, flat.size, _CHUNK))
    return found


def _path(value: Any) -> str | None:
    return os.fsdecode(value) if isinstance(value, (str, bytes, os.PathLike)) else None


# -- before ---------------------------------------------------------------------------------------------------------


def before_search(call: Call) -> Payload:
    """Say how many queries there are, and how long they are together."""
    given, k = call.arg(0, "query_tokens"), call.arg(2, "k")
    found: Payload = {"queries": size(given), "query_len": tokens(given), "query": _words(given)}
    if type(k) is int:
        found["k"] = k
    return found


def _words(given: Any) -> Any:
    """Return the tokens of the queries: the lists themselves, or the vocabulary of queries that were tokenized alone."""
    ids = token_ids(given)
    if ids is None:
        return given if type(given) in _COUNTABLE else None
    vocab = given[1]
    alone = type(vocab) is dict and len(vocab) <= (tokens(given) or 0)  # else it is the whole corpus's
    return vocab if alone else None


def before_scores(call: Call) -> Payload:
    """Say how long the one query is."""
    given = call.args[0] if call.args else next(iter(call.kwargs.values()), None)
    return {"query_len": size(given), "query": given if type(given) in _COUNTABLE else None}


def docs_at(position: int, name: str) -> Callable[[Call], Payload]:
    """Return a ``before`` that counts the documents that are to be indexed."""
    return lambda call: {"docs": size(call.arg(position, name)), "method": vars(call.instance).get("method")}


def before_tokenize(call: Call) -> Payload:
    """Say how many texts there are."""
    given = call.arg(0, "texts")
    return {"texts": 1 if isinstance(given, str) else size(given), "text": _texts(given)}


def _texts(given: Any) -> Any:
    return given if isinstance(given, str) or type(given) in _COUNTABLE else None


def path_at(position: int, name: str) -> Callable[[Call], Payload]:
    """Return a ``before`` that says which folder is read or written."""
    return lambda call: {"path": _path(call.arg(position, name))}


def before_hub(call: Call) -> Payload:
    """Say which repository of the hub is read or written; its token is not looked at."""
    repository = call.arg(0, "repo_name", call.kwargs.get("repo_id"))
    return {"repository": repository if isinstance(repository, str) else None}


# -- after ----------------------------------------------------------------------------------------------------------


def after_search(call: Call, result: Any) -> Payload:
    """Describe the index and the answer: named results, or documents alone."""
    scores = getattr(result, "scores", None) if type(result).__name__ == "Results" else None
    documents = result if scores is None else result.documents
    counted = int(documents.size) if type(documents).__module__ == "numpy" else None
    return {**index_facts(call.instance), "results": counted, "hits": hits(scores)}


def after_scores(call: Call, result: Any) -> Payload:
    """Describe the index, and how many of its documents have a score."""
    return {**index_facts(call.instance), "hits": hits(result)}


def after_index(call: Call, _result: Any) -> Payload:
    """Describe the index that was built."""
    return {**index_facts(call.instance), "postings": _postings(vars(call.instance).get("scores"))}


def after_built(_call: Call, result: Any) -> Payload:
    """Describe the scores that a low-level build returned, alone or with their vocabulary."""
    scores = result[0] if type(result) is tuple else result
    found: Payload = {"postings": _postings(scores)}
    if type(scores) is dict:
        found["docs"] = scores.get("num_docs")
    if type(result) is tuple and type(result[1]) is dict:
        found["terms"] = len(result[1])
    return found


def _postings(scores: Any) -> int | None:
    return size(scores.get("data")) if type(scores) is dict else None


def after_tokenize(_call: Call, result: Any) -> Payload:
    """Say how many tokens came out; a stream's items are counted by its step."""
    vocab = result[1] if token_ids(result) is not None else None
    return {"tokens": tokens(result), "terms": len(vocab) if type(vocab) is dict else None}


def after_own(call: Call, _result: Any) -> Payload:
    """Describe the index whose method was called."""
    return index_facts(call.instance)


def after_loaded(_call: Call, result: Any) -> Payload:
    """Describe the index that was loaded."""
    return index_facts(result)


# -- failed ---------------------------------------------------------------------------------------------------------


def failed_own(call: Call, _exc: BaseException) -> Payload:
    """Describe the index whose method raised: most refusals are about its size."""
    return index_facts(call.instance)
