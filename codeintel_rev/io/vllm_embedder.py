"""Vectors from a vLLM server over HTTP, or from any other that has `/v1/embeddings`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from codeintel_rev.errors import (
    EmbeddingError,
    EmbeddingTimeoutError,
    RemoteError,
    RemoteTimeoutError,
    UsageError,
)
from codeintel_rev.io.embedders import named_identity, unit_rows
from codeintel_rev.io.vllm_client import TRUNCATED, Endpoint, VllmClient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from codeintel_rev.config.settings import EmbeddingSettings

_CHARACTERS = 32_768  # per text; the server cuts by tokens, this keeps a one-line megabyte off the wire


class VllmEmbedder:
    """Asks the server nothing before it must: what it serves and the dimension are learned from its first answers."""

    def __init__(self, settings: EmbeddingSettings) -> None:
        """UsageError without a usable URL."""
        if not settings.url:
            raise UsageError("embedding.kind is vllm, and embedding.url is not set", "Mend: set it to the server's URL")
        self._settings = settings
        self._model = settings.model
        self._dim = settings.dim
        self._client = VllmClient(
            Endpoint(
                url=settings.url,
                api_key=settings.api_key,
                timeout=settings.timeout,
                deadline=settings.deadline,
                attempts=settings.attempts,
                concurrency=settings.concurrency,
            )
        )

    @property
    def identity(self) -> str:
        return named_identity("vllm", self._settings, self._served(None), self.dim)

    @property
    def dim(self) -> int:
        if not self._dim:
            self.embed(["dimension"])
        return self._dim

    def embed(self, texts: Sequence[str], *, seconds: float | None = None) -> NDArray[np.float32]:
        """In batches, several under way at a time; EmbeddingError (or its time-out) when one of them fails for good."""
        return self._embed([self._settings.document_prefix + text for text in texts], seconds)

    def embed_query(self, text: str, *, seconds: float | None = None) -> NDArray[np.float32]:
        longest = self._settings.query_timeout
        return self._embed([self._settings.query_prefix + text], longest if seconds is None else min(seconds, longest))

    def close(self) -> None:
        self._client.close()

    def _embed(self, texts: list[str], seconds: float | None) -> NDArray[np.float32]:
        if not texts:
            return np.empty((0, self.dim), np.float32)
        size = max(1, self._settings.batch_size)
        batches = [[_clean(text) for text in texts[at : at + size]] for at in range(0, len(texts), size)]
        answers = self._ask(batches, seconds)
        rows = [row for batch, answer in zip(batches, answers, strict=True) for row in _rows(answer, len(batch))]
        made = unit_rows(rows, len(texts), self._dim, f"{self._served(seconds)} at {self._client.url}")
        self._dim = made.shape[1]
        return made

    def _ask(self, batches: list[list[str]], seconds: float | None) -> list[Any]:
        model = self._served(seconds)
        more = TRUNCATED if self._settings.truncation == "vllm" else {}
        bodies = [{"model": model, "input": batch, "encoding_format": "float", **more} for batch in batches]
        try:
            return self._client.post_all("/v1/embeddings", bodies, seconds=seconds)
        except RemoteTimeoutError as error:
            raise EmbeddingTimeoutError(error.what, error.mend) from error
        except RemoteError as error:
            raise EmbeddingError(error.what, error.mend) from error

    def _served(self, seconds: float | None) -> str:
        """The configured name, else the only model that the server has."""
        if not self._model:
            try:
                listed = self._client.get("/v1/models", seconds=seconds)
            except RemoteTimeoutError as error:
                raise EmbeddingTimeoutError(error.what, error.mend) from error
            except RemoteError as error:
                raise EmbeddingError(error.what, error.mend) from error
            self._model = _only_model(listed, self._client.url)
        return self._model


def _only_model(listed: Any, url: str) -> str:
    try:
        names = [str(model["id"]) for model in listed["data"]]
    except (KeyError, TypeError) as error:
        raise EmbeddingError(f"{url}/v1/models answered no list of models", "Mend: set embedding.model") from error
    if len(names) != 1:
        raise EmbeddingError(f"{url} serves {len(names)} models", f"Mend: set embedding.model to one of {names}")
    return names[0]


def _rows(answer: Any, count: int) -> list[Any]:
    """By each item's own `index`: the order of the list is not promised."""
    try:
        found = {int(item["index"]): item["embedding"] for item in answer["data"]}
        return [found[place] for place in range(count)]
    except (KeyError, TypeError, ValueError) as error:
        what = f"the embedding server's answer lacks vectors for some of {count} texts"
        raise EmbeddingError(what, "Mend: check that its /v1/embeddings is OpenAI-compatible") from error


def _clean(text: str) -> str:
    """Lone surrogates cannot be sent; an empty text is refused by some servers."""
    return text[:_CHARACTERS].encode("utf-8", "replace").decode("utf-8") or " "
