"""Opens the embedder that the settings name: one Protocol over every way to turn text into unit vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from codeintel_rev.errors import EmbeddingError, ModelUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from codeintel_rev.config.settings import EmbeddingSettings, Settings

_MEND_NONE = "Mend: set embedding.kind to local, vllm, vllm_inprocess or sentence_transformers, then index again"


class Embedder(Protocol):
    """Threads may share one. All of it may raise EmbeddingError: a remote model is asked when it is needed."""

    @property
    def identity(self) -> str:
        """Model, revision and dimension: vectors of different identities are never compared."""

    @property
    def dim(self) -> int:
        """Length of a vector."""

    def embed(self, texts: Sequence[str], *, seconds: float | None = None) -> NDArray[np.float32]:
        """[n, dim] of unit length in the order of the texts.

        `seconds` bounds a remote model (its own deadline otherwise); a model in this process cannot be stopped.
        """

    def embed_query(self, text: str, *, seconds: float | None = None) -> NDArray[np.float32]:
        """[1, dim]: what is compared with the documents' vectors. Some models want a prefix here that documents lack."""

    def close(self) -> None:
        """Gives back connections and memory."""


def open_embedder(settings: Settings) -> Embedder:
    """ModelUnavailableError when there is nothing to use, with the mend; nothing remote is asked yet."""
    return _OPENERS[settings.embedding.kind](settings)


def unit_rows(made: ArrayLike, count: int, dim: int, model: str) -> NDArray[np.float32]:
    """What a model gave, checked and brought to unit length; a row of zeros stays one.

    EmbeddingError for another number of vectors, another dimension (0: whatever came), or what is no number.
    """
    try:
        rows = np.asarray(made, np.float32)
    except (ValueError, TypeError) as error:
        raise EmbeddingError(f"{model} gave no vectors of one length: {error}", _MEND_MODEL) from error
    if rows.ndim != 2 or len(rows) != count:  # noqa: PLR2004 - rows and columns
        raise EmbeddingError(f"{model} gave {rows.shape} for {count} texts", _MEND_MODEL)
    if not rows.shape[1] or dim not in (0, rows.shape[1]):
        raise EmbeddingError(f"{model} gave vectors of dimension {rows.shape[1]}, expected {dim}", _MEND_DIM)
    if not np.isfinite(rows).all():
        raise EmbeddingError(f"{model} gave a vector with NaN or infinity", _MEND_MODEL)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.ascontiguousarray(rows / np.where(lengths > 0, lengths, 1), np.float32)


_MEND_MODEL = "Mend: check that the model is one for embeddings"
_MEND_DIM = "Mend: set embedding.dim to the model's, or serve the model that the index was made with; index again"


def named_identity(kind: str, settings: EmbeddingSettings, model: str, dim: int) -> str:
    """One spelling for all: `kind:model[#revision][+prefix]/dim`."""
    revision = f"#{settings.revision}" if settings.revision else ""
    prefix = f"+{settings.document_prefix!r}" if settings.document_prefix else ""
    return f"{kind}:{model}{revision}{prefix}/{dim}"


def _local(settings: Settings) -> Embedder:
    from codeintel_rev.io.embedder import MiniLMEmbedder

    return MiniLMEmbedder.load(settings)


def _vllm(settings: Settings) -> Embedder:
    from codeintel_rev.io.vllm_embedder import VllmEmbedder

    return VllmEmbedder(settings.embedding)


def _vllm_inprocess(settings: Settings) -> Embedder:
    from codeintel_rev.io import inprocess

    return inprocess.vllm(settings.embedding)


def _sentence_transformers(settings: Settings) -> Embedder:
    from codeintel_rev.io import inprocess

    return inprocess.sentence_transformers(settings.embedding)


def _none(_: Settings) -> Embedder:
    raise ModelUnavailableError("embeddings are switched off (embedding.kind = none)", _MEND_NONE)


_OPENERS: dict[str, Callable[[Settings], Embedder]] = {
    "local": _local,
    "vllm": _vllm,
    "vllm_inprocess": _vllm_inprocess,
    "sentence_transformers": _sentence_transformers,
    "none": _none,
}
