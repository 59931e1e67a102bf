"""Scores the best hits once more, query and text read together: a vLLM server, or a CrossEncoder in this process."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from codeintel_rev.errors import ModelUnavailableError, RemoteError, UsageError
from codeintel_rev.io.inprocess import loaded, named, needed
from codeintel_rev.io.vllm_client import TRUNCATED, Endpoint, VllmClient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeintel_rev.config.settings import RerankSettings, Settings

_CHARACTERS = 8192  # of a text; the server cuts by tokens, this keeps a one-line megabyte off the wire


class Reranker(Protocol):
    """Threads may share one."""

    def scores(self, query: str, texts: Sequence[str], *, seconds: float | None = None) -> list[float]:
        """One per text, higher is better. RemoteError (or its time-out) when a server fails."""

    def close(self) -> None:
        """Gives back connections and memory."""


def open_reranker(settings: Settings) -> Reranker:
    """ModelUnavailableError when there is none, with the mend."""
    if settings.rerank.kind == "vllm":
        return VllmReranker(settings.rerank)
    if settings.rerank.kind == "cross_encoder":
        return CrossEncoderReranker(settings.rerank)
    raise ModelUnavailableError("no reranker is configured (rerank.kind = none)", "Mend: set rerank.kind and its model")


class VllmReranker:
    """`/v1/rerank` (scores for a list of documents) or `/score` (for pairs), as vLLM serves both."""

    def __init__(self, settings: RerankSettings) -> None:
        if not settings.url or not settings.model:
            what = "rerank.kind is vllm, and rerank.url or rerank.model is not set"
            raise UsageError(what, "Mend: set both to the server's")
        self._settings = settings
        endpoint = Endpoint(settings.url, settings.api_key, settings.timeout, settings.timeout, attempts=3)
        self._client = VllmClient(endpoint)

    def scores(self, query: str, texts: Sequence[str], *, seconds: float | None = None) -> list[float]:
        longest = self._settings.timeout
        allowed = longest if seconds is None else min(seconds, longest)
        path, body, key = self._request(_clean(query), [_clean(text) for text in texts])
        answer = self._client.post_all(path, [body], seconds=allowed)[0]
        return _scores(answer, *key, len(texts), f"{self._client.url}{path}")

    def close(self) -> None:
        self._client.close()

    def _request(self, query: str, texts: list[str]) -> tuple[str, dict[str, Any], tuple[str, str]]:
        model = self._settings.model
        if self._settings.endpoint == "score":
            pairs = {"model": model, "text_1": query, "text_2": texts, **TRUNCATED}
            return "/score", pairs, ("data", "score")
        body = {"model": model, "query": query, "documents": texts, "top_n": len(texts), **TRUNCATED}
        return "/v1/rerank", body, ("results", "relevance_score")


class CrossEncoderReranker:
    """The `CrossEncoder` of sentence-transformers, from a directory or a hub id; one call at a time."""

    def __init__(self, settings: RerankSettings) -> None:
        """ModelUnavailableError without the package, or for a model that it cannot load."""
        package = needed("sentence_transformers", "sentence-transformers")
        self._model = loaded(
            lambda: package.CrossEncoder(named(settings.model), revision=settings.revision or None), settings.model
        )
        self._lock = threading.Lock()

    def scores(self, query: str, texts: Sequence[str], *, seconds: float | None = None) -> list[float]:  # noqa: ARG002
        """`seconds` is of no use here: a model in this process cannot be stopped."""
        pairs = [(_clean(query), _clean(text)) for text in texts]
        with self._lock:
            made = self._model.predict(pairs, show_progress_bar=False)
        return [float(score) for score in np.asarray(made).reshape(len(texts))]

    def close(self) -> None:
        """The memory goes with the last reference; another thread may be in the midst of a call."""


def _scores(answer: Any, items: str, score: str, count: int, where: str) -> list[float]:
    """By each item's own `index`: `/v1/rerank` answers best first."""
    try:
        found = {int(item["index"]): float(item[score]) for item in answer[items]}
        made = [found[place] for place in range(count)]
    except (KeyError, TypeError, ValueError) as error:
        raise RemoteError(
            f"{where} answered no score for some of {count} texts", "Mend: check rerank.endpoint"
        ) from error
    if not np.isfinite(made).all():
        raise RemoteError(f"{where} answered a score that is no number")
    return made


def _clean(text: str) -> str:
    return text[:_CHARACTERS].encode("utf-8", "replace").decode("utf-8")
