"""The vector index of one generation in FAISS: exact up to a size, HNSW above it, compressed above another."""

from __future__ import annotations

import math
import threading
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import faiss

from codeintel_rev.errors import DamagedIndexError
from codeintel_rev.retrieval.fusion import ranking

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from codeintel_rev.config.settings import FaissKind, Gpu
    from codeintel_rev.retrieval.fusion import Ranked

FILE = "vectors.faiss"
# 13 ms of one core for a search, about two queries' embedding; a graph of as many takes 40 s to build, each time anew
EXACT_UP_TO = 100_000
GRAPH_UP_TO = 2_000_000
HNSW_LINKS, HNSW_BUILD_EFFORT, HNSW_EFFORT = 32, 120, 128
PROBED_SHARE = 16  # one of so many inverted lists is read
CANDIDATES_PER_HIT = 8
_DIMENSIONS_PER_CODE = 8
_FAISS: Any = faiss  # what its stubs leave out
_TRAINED_PER_LIST = 39  # fewer, and FAISS warns on stderr


def build(folder: Path, vectors: NDArray[np.float32], kind: FaissKind = "auto") -> str:
    """Rows become documents 0, 1, …; they must have unit length, so that the inner product is the cosine.

    The kind that was made comes back.
    """
    chosen = _kind(len(vectors)) if kind == "auto" else kind
    if chosen == "ivfpq" and len(vectors) < _TRAINED_PER_LIST * 256:
        chosen = "flat"  # too few to learn codes from
    index = _made(chosen, vectors)
    faiss.write_index(index, str(folder / FILE))
    return chosen


def _kind(count: int) -> FaissKind:
    if count <= EXACT_UP_TO:
        return "flat"
    return "hnsw" if count <= GRAPH_UP_TO else "ivfpq"


def _made(kind: str, vectors: NDArray[np.float32]) -> Any:
    count, dim = vectors.shape
    index: Any  # the stubs of FAISS know few of the classes' attributes
    if kind == "flat":
        index = faiss.IndexFlatIP(dim)
    elif kind == "hnsw":
        index = faiss.IndexHNSWFlat(dim, HNSW_LINKS, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = HNSW_BUILD_EFFORT
    else:
        lists = max(1, min(int(4 * math.sqrt(count)), count // _TRAINED_PER_LIST))
        codes = next(size for size in range(max(1, dim // _DIMENSIONS_PER_CODE), 0, -1) if dim % size == 0)
        # the codes find candidates, a byte per dimension orders them: 0.28 of the vectors' own size
        index = faiss.index_factory(dim, f"IVF{lists},PQ{codes},Refine(SQ8)", faiss.METRIC_INNER_PRODUCT)
        index.train(vectors)
    index.add(vectors)
    return index


class FaissManager:
    """A loaded index, read-only. Threads share it: on a CPU at the same time, on a GPU one after the other."""

    def __init__(self, folder: Path, expected: int, gpu: Gpu = "off") -> None:
        """RuntimeError from FAISS for a file it cannot read; DamagedIndexError when the number differs."""
        index: Any = faiss.read_index(str(folder / FILE))
        if index.ntotal != expected:
            what = f"{folder / FILE} holds {index.ntotal} vectors for {expected} chunks"
            raise DamagedIndexError(what, "Mend: codeintel-rev index REPO")
        moved = _on_gpu(index) if gpu == "auto" else None
        self._index = index if moved is None else moved
        self.device = "cpu" if moved is None else "gpu"
        self._turn: AbstractContextManager[object] = nullcontext() if moved is None else threading.Lock()
        self._parameters = None if moved is not None else _parameters(index)

    @property
    def dim(self) -> int:
        return int(self._index.d)

    def search(self, query: NDArray[np.float32], k: int) -> tuple[Ranked, ...]:
        """`query` is [1, dim] of unit length; scores are cosines (approximate in compressed codes), best first."""
        with self._turn, _one_thread():
            scores, docs = self._index.search(query, min(k, self._index.ntotal), params=self._parameters)
        pairs = zip(docs[0].tolist(), scores[0].tolist(), strict=True)
        return ranking([(doc, score) for doc, score in pairs if doc >= 0])  # approximate ones fill up with -1

    def close(self) -> None:
        """The memory goes with the last reference; another thread may be in the midst of a search."""


@contextmanager
def _one_thread() -> Iterator[None]:
    """For the calling thread alone, as OpenMP has it. Searches that run at the same time keep all cores busy by themselves.

    More threads for one query, a team for each caller, mostly wait for each other by burning a core: measured on two
    cores with 50,000 vectors, 15 ms of processor time where one thread needs 3.3.
    """
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _parameters(index: Any) -> Any:
    """Per search and not set on the index, which threads share."""
    if isinstance(index, faiss.IndexHNSW):
        return _FAISS.SearchParametersHNSW(efSearch=HNSW_EFFORT)
    if isinstance(index, faiss.IndexRefine):
        lists = _FAISS.downcast_index(index.base_index)
        probing = _FAISS.SearchParametersIVF(nprobe=max(1, lists.nlist // PROBED_SHARE))
        return _FAISS.IndexRefineSearchParameters(k_factor=CANDIDATES_PER_HIT, base_index_params=probing)
    return None


def _on_gpu(index: Any) -> Any:
    """A copy in the first GPU's memory; None without a GPU, or where it does not fit.

    A graph stays what it is on the CPU only: a GPU searches its vectors exactly, in less time.
    """
    if getattr(faiss, "get_num_gpus", int)() < 1 or not hasattr(faiss, "StandardGpuResources"):
        return None
    source = faiss.downcast_index(index.storage) if isinstance(index, faiss.IndexHNSW) else index
    resources = _FAISS.StandardGpuResources()
    try:
        moved = _FAISS.index_cpu_to_gpu(resources, 0, source)
    except RuntimeError:  # not enough memory there, or an index that no GPU knows
        return None
    moved.resources = resources  # must live as long as the index does
    return moved if moved.ntotal == index.ntotal else None
