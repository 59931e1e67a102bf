"""The instrumentor for FAISS: its table of points, and what their payload keys hold."""

from __future__ import annotations

from typing import ClassVar

from codeintel_obs.instrumentor import LibraryInstrumentor
from codeintel_obs.plugins.faiss.describe import attributes
from codeintel_obs.plugins.faiss.exclusions import EXCLUSIONS
from codeintel_obs.plugins.faiss.points import POINTS
from codeintel_obs.steps import FieldClass

_COUNTS = (
    "nq", "k", "n", "d", "d_in", "d_out", "ntotal", "nprobe", "efSearch", "missing", "results", "removed", "radius",
    "niter", "objective", "code_size", "bytes", "shape", "gpus", "shards", "lists", "source_ntotal", "source_d",
)  # fmt: skip
_CODES = ("index_type", "type", "gpu", "is_trained", "stream", "source_index_type", "source_gpu")


class FaissInstrumentor(LibraryInstrumentor):
    """FAISS, as `faiss-cpu` or `faiss-gpu`."""

    plugin = "faiss"
    library = "faiss"
    requires = ("faiss-cpu>=1.10,<2", "faiss-gpu>=1.10,<2")
    never_run = "searches, moves and indexes on a GPU; the GPU build was run on a CPU"
    points = POINTS
    fields: ClassVar = {
        **dict.fromkeys(_COUNTS, FieldClass.COUNT),
        **dict.fromkeys(_CODES, FieldClass.CODE),
        "factory": FieldClass.NAME,
        "path": FieldClass.PATH,
    }
    exclusions = EXCLUSIONS
    semantics: ClassVar = {
        kind: attributes(kind.removeprefix("faiss.")) for kind in {point.kind for point in POINTS if point.kind}
    }
