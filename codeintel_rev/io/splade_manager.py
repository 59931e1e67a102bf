"""Learned sparse retrieval (SPLADE): an inverted index over the terms that a SparseEncoder gives each chunk.

The encoder needs torch, so it is no part of the default: without a configured model the channel is skipped.
"""

from __future__ import annotations

import hashlib
import threading
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from codeintel_rev.errors import DamagedIndexError, EmbeddingError, ModelUnavailableError
from codeintel_rev.io.inprocess import loaded, named, needed
from codeintel_rev.retrieval.fusion import ranking

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from codeintel_rev.config.settings import SpladeSettings
    from codeintel_rev.retrieval.fusion import Ranked

FILE = "splade.npz"
ENCODED_TOGETHER = 32
_KEY_BYTES = 32
_REBUILD = "Mend: codeintel-rev index REPO builds a new index"

Sparse = tuple["NDArray[np.int32]", "NDArray[np.float32]"]  # terms and their weights


class Encoder(Protocol):
    """Documents and queries may be encoded differently; a term's number means the same in both."""

    @property
    def identity(self) -> str:
        """Weights of different identities are never compared."""

    def documents(self, texts: Sequence[str]) -> list[Sparse]: ...

    def query(self, text: str) -> Sparse: ...


class SparseEncoder:
    """The `SparseEncoder` of sentence-transformers, from a directory or a hub id; one call at a time."""

    def __init__(self, settings: SpladeSettings) -> None:
        """ModelUnavailableError without the package, or for a model that it cannot load."""
        self._settings = settings
        package = needed("sentence_transformers", "'sentence-transformers>=5'")
        if not hasattr(package, "SparseEncoder"):
            what = f"sentence-transformers {package.__version__} has no SparseEncoder"
            raise ModelUnavailableError(what, "Mend: pip install 'sentence-transformers>=5'")
        self._model = loaded(
            lambda: package.SparseEncoder(named(settings.model), revision=settings.revision or None), settings.model
        )
        self._lock = threading.Lock()

    @property
    def identity(self) -> str:
        return f"splade:{self._settings.model}#{self._settings.revision}"

    def documents(self, texts: Sequence[str]) -> list[Sparse]:
        return self._encode(self._model.encode_document, list(texts))

    def query(self, text: str) -> Sparse:
        return self._encode(self._model.encode_query, [text])[0]

    def _encode(self, encode: Any, texts: list[str]) -> list[Sparse]:
        with self._lock:
            try:
                made = encode(
                    texts, batch_size=ENCODED_TOGETHER, convert_to_sparse_tensor=True, show_progress_bar=False
                )
            except Exception as error:  # torch's and transformers' errors share no base but Exception
                raise EmbeddingError(f"{self._settings.model} failed: {type(error).__name__}: {error}") from error
        rows, terms = made.coalesce().indices().cpu().numpy()
        weights = made.coalesce().values().cpu().numpy().astype(np.float32)
        cuts = np.searchsorted(rows, np.arange(1, len(texts)))
        return list(zip(np.split(terms.astype(np.int32), cuts), np.split(weights, cuts), strict=True))


def build(draft: Path, texts: Sequence[str], encoder: Encoder) -> int:
    """Documents are numbered as they come; how many had to be encoded comes back.

    What an earlier generation beside the draft holds of the same encoder is taken from there.
    """
    keys = [_key(text) for text in texts]
    known = _earlier(draft, encoder.identity)
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
    if missing:
        known.update(zip(missing, encoder.documents(list(missing.values())), strict=True))
    rows = [known[key] for key in keys]
    np.savez(
        draft / FILE,
        identity=np.array(encoder.identity),
        keys=np.frombuffer(b"".join(keys), np.uint8).reshape(-1, _KEY_BYTES),
        ends=np.cumsum([len(terms) for terms, _ in rows], dtype=np.int64),
        terms=np.concatenate([terms for terms, _ in rows] or [np.empty(0, np.int32)]),
        weights=np.concatenate([weights for _, weights in rows] or [np.empty(0, np.float32)]),
    )
    return len(missing)


@dataclass(frozen=True, slots=True)
class _Stored:
    identity: str
    keys: NDArray[np.uint8]
    ends: NDArray[np.int64]
    terms: NDArray[np.int32]
    weights: NDArray[np.float32]


class SpladeManager:
    """A loaded index; read-only, so threads may share it."""

    def __init__(self, folder: Path, expected: int) -> None:
        """DamagedIndexError when it cannot be read, or holds another number of documents."""
        stored = _read(folder / FILE)
        if stored is None or len(stored.ends) != expected:
            raise DamagedIndexError(f"{folder / FILE} cannot be read or is of another index", _REBUILD)
        self.identity = stored.identity
        self._count = expected
        order = np.argsort(stored.terms, kind="stable")
        owners: NDArray[np.intp] = np.searchsorted(stored.ends, np.arange(len(stored.terms)), side="right")
        self._docs, self._weights = owners[order].astype(np.int32), stored.weights[order]
        self._starts: NDArray[np.intp] = np.searchsorted(
            stored.terms[order], np.arange(int(stored.terms.max(initial=-1)) + 2)
        )

    def search(self, query: Sparse, k: int) -> tuple[Ranked, ...]:
        """Documents that share a term, by the inner product of their weights, best first."""
        scores: NDArray[np.float32] = np.zeros(self._count, np.float32)
        for term, weight in zip(*query, strict=True):
            if 0 <= term < len(self._starts) - 1:
                posting = slice(self._starts[term], self._starts[term + 1])
                scores[self._docs[posting]] += self._weights[posting] * weight
        order = np.argsort(-scores, kind="stable")[:k]
        return ranking([(int(doc), float(scores[doc])) for doc in order if scores[doc] > 0])


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _earlier(draft: Path, identity: str) -> dict[bytes, Sparse]:
    """The newest generation's documents; generations are named by their time."""
    for file in sorted(draft.parent.glob(f"[0-9]*/{FILE}"), reverse=True):
        stored = _read(file)
        if stored is not None and stored.identity == identity:
            cuts = stored.ends[:-1]
            rows = zip(np.split(stored.terms, cuts), np.split(stored.weights, cuts), strict=True)
            return dict(zip((key.tobytes() for key in stored.keys), rows, strict=False))
    return {}


def _read(file: Path) -> _Stored | None:
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as data:
            return _Stored(str(data["identity"]), *(data[name] for name in ("keys", "ends", "terms", "weights")))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
