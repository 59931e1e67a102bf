"""Text to unit vectors: MiniLM through onnxruntime, on the CPU, without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codeintel_rev.config.model import MEND, MINILM
from codeintel_rev.errors import ModelUnavailableError
from codeintel_rev.io.model_files import ModelFiles, prepared_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from codeintel_rev.config.model import ModelSpec
    from codeintel_rev.config.settings import Settings

# A batch is bounded by tokens, so that what passes between two layers (6 KiB a token) stays in a core's own cache:
# measured, 0.85 of the CPU time a token of batches of 4096.
BATCH_TOKENS = 512
_CHARACTERS = 8192  # 32 per token that is read; keeps a one-line megabyte away from the tokenizer
_ERRORS_ONLY = 3


class MiniLMEmbedder:
    """Loaded once and then used for as long as wanted; calls from several threads are safe."""

    def __init__(self, files: ModelFiles, spec: ModelSpec = MINILM) -> None:
        self._spec = spec
        self._tokenizer = _tokenizer(files, spec)
        self._session = _session(files)

    @classmethod
    def load(cls, settings: Settings) -> MiniLMEmbedder:
        """Raises ModelUnavailableError for everything that keeps the model from being used."""
        try:
            return cls(prepared_files(settings))
        except ImportError as error:
            what = f"the module {error.name or error} is missing"
            raise ModelUnavailableError(what, "Mend: pip install 'codeintel-obs[rev]'") from error

    @property
    def identity(self) -> str:
        return self._spec.identity

    @property
    def dim(self) -> int:
        return self._spec.dim

    def embed(self, texts: Sequence[str], *, seconds: float | None = None) -> NDArray[np.float32]:  # noqa: ARG002
        """[n, dim]. `seconds` is of no use here: a model in this process cannot be stopped."""
        import numpy as np

        made: NDArray[np.float32] = np.empty((len(texts), self.dim), np.float32)
        for places, vectors in self.batches(texts):
            made[places] = vectors
        return made

    def embed_query(self, text: str, *, seconds: float | None = None) -> NDArray[np.float32]:
        return self.embed([text], seconds=seconds)

    def close(self) -> None:
        """The memory goes with the last reference; another thread may be in the midst of a call."""

    def batches(self, texts: Sequence[str]) -> Iterator[tuple[list[int], NDArray[np.float32]]]:
        """Positions in `texts` with their vectors, shortest first, so that little of a batch is padding.

        A text is cut after `max_tokens` tokens.
        """
        encoded = self._tokenizer.encode_batch([_clean(text) for text in texts])
        lengths = [len(item.ids) for item in encoded]
        for positions in _by_length(lengths):
            yield positions, self._run([encoded[place].ids for place in positions])

    def _run(self, rows: list[list[int]]) -> NDArray[np.float32]:
        import numpy as np

        ids: NDArray[np.int64] = np.zeros((len(rows), max(map(len, rows))), np.int64)
        mask = np.zeros_like(ids)
        for row, tokens in enumerate(rows):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        return self._session.run(["embedding"], {"input_ids": ids, "attention_mask": mask})[0]


def _by_length(lengths: list[int]) -> Iterator[list[int]]:
    batch: list[int] = []
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[place] > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def _clean(text: str) -> str:
    """Lone surrogates (a command line that is not UTF-8) cannot enter the tokenizer."""
    return text[:_CHARACTERS].encode("utf-8", "replace").decode("utf-8")


def _tokenizer(files: ModelFiles, spec: ModelSpec) -> Any:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(files.tokenizer))
    tokenizer.no_padding()  # the file asks for a fixed 128
    tokenizer.enable_truncation(spec.max_tokens)
    return tokenizer


def _session(files: ModelFiles) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    # its threads would wait for work by burning a core: measured, twice the CPU time for a query
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(files.graph), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's classes share no base but Exception
        what = f"onnxruntime cannot load {files.graph}: {error}"
        raise ModelUnavailableError(what, f"Mend: remove {files.graph.parent}. {MEND}") from error
