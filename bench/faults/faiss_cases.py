# ruff: noqa: E501 - a line of an expectation is a line of a report
"""FAISS: what goes wrong with an index file, an index, a query, and the library itself."""

from __future__ import annotations

from typing import Final

from .case import Case
from .frames import script

_INDEX: Final = """\
import faiss
import numpy as np

index = faiss.IndexFlatL2(8)
index.add(np.eye(8, dtype="float32"))
"""

CASES: Final = (
    Case(
        name="faiss.file_missing",
        says="The index file is not there.",
        script="""
            import faiss

            faiss.read_index("nowhere.faiss")
        """,
        expect=script(
            """
                s1 python.import completed {module: faiss, version: <version>}
                s2 faiss.read_index failed {path: nowhere.faiss} raised e1 RuntimeError: Error in faiss::FileIOReader::FileIOReader(const char*) at <source>: Error: 'f' failed: could not open nowhere.faiss for reading: No such file or directory
            """,
            watched="faiss, logging",
            code=1,
            stop="s2",
        ),
    ),
    Case(
        name="faiss.file_truncated",
        says="The index file was cut in half.",
        script=_INDEX
        + """
faiss.write_index(index, "index.faiss")
content = open("index.faiss", "rb").read()
open("index.faiss", "wb").write(content[: len(content) // 2])
faiss.read_index("index.faiss")
""",
        expect=script(
            """
                s1 python.import completed {module: faiss, version: <version>}
                s2 faiss.add completed {n: 8, index_type: IndexFlatL2, d: 8, ntotal: 8, gpu: False}
                s3 faiss.write_index completed {path: index.faiss, index_type: IndexFlatL2, d: 8, ntotal: 8, gpu: False}
                s4 faiss.read_index failed {path: index.faiss} raised e1 RuntimeError: Error in void faiss::read_xb_vector(VectorT&, IOReader*) [with VectorT = MaybeOwnedVector<unsigned char>] at <source>: Error: 'ret == (size)' failed: read error in index.faiss: 105 != 256 (Success)
            """,
            watched="faiss, logging",
            code=1,
            stop="s4",
        ),
    ),
    Case(
        name="faiss.wrong_dimension",
        says="The query has another dimension than the index.",
        script=_INDEX
        + """
index.search(np.zeros((1, 4), dtype="float32"), 2)
""",
        expect=script(
            """
                s1 python.import completed {module: faiss, version: <version>}
                s2 faiss.add completed {n: 8, index_type: IndexFlatL2, d: 8, ntotal: 8, gpu: False}
                s3 faiss.search failed {nq: 1, k: 2, index_type: IndexFlatL2, d: 8, ntotal: 8, gpu: False, is_trained: True, shape: [1, 4]} raised e1 AssertionError: ''
            """,
            watched="faiss, logging",
            code=1,
            stop="s3",
        ),
    ),
    Case(
        name="faiss.untrained",
        says="Vectors are added to an IVF index that nobody trained.",
        script="""
            import faiss
            import numpy as np

            index = faiss.IndexIVFFlat(faiss.IndexFlatL2(8), 8, 2)
            index.add(np.eye(8, dtype="float32"))
        """,
        expect=script(
            """
                s1 python.import completed {module: faiss, version: <version>}
                s2 faiss.add failed {n: 8, index_type: IndexIVFFlat, d: 8, ntotal: 0, gpu: False, is_trained: False, shape: [8, 8]} raised e1 RuntimeError: Error in virtual void faiss::IndexIVFFlat::add_core(faiss::idx_t, const float*, const faiss::idx_t*, const faiss::idx_t*, void*) at <source>: Error: 'is_trained' failed
            """,
            watched="faiss, logging",
            code=1,
            stop="s2",
        ),
    ),
    Case(
        name="faiss.k_beyond_ntotal",
        says="More neighbours are asked for than there are vectors: no error, and ids of -1.",
        exits=0,
        script=_INDEX
        + """
index.search(np.zeros((2, 8), dtype="float32"), 10)
""",
        expect=script(
            """
                s1 python.import completed {module: faiss, version: <version>}
                s2 faiss.add completed {n: 8, index_type: IndexFlatL2, d: 8, ntotal: 8, gpu: False}
                s3 faiss.search completed {nq: 2, k: 10, index_type: IndexFlatL2, d: 8, ntotal: 8, gpu: False, missing: 4}
            """,
            watched="faiss, logging",
        ),
    ),
    Case(
        name="faiss.empty_index",
        says="An index without vectors is searched: no error, and nothing but ids of -1.",
        exits=0,
        script="""
            import faiss
            import numpy as np

            faiss.IndexFlatIP(8).search(np.zeros((1, 8), dtype="float32"), 3)
        """,
        expect=script(
            """
                s1 python.import completed {module: faiss, version: <version>}
                s2 faiss.search completed {nq: 1, k: 3, index_type: IndexFlatIP, d: 8, ntotal: 0, gpu: False, missing: 3}
            """,
            watched="faiss, logging",
        ),
    ),
    Case(
        name="faiss.bad_nprobe",
        says="nprobe is 0.",
        script="""
            import faiss
            import numpy as np

            index = faiss.IndexIVFFlat(faiss.IndexFlatL2(8), 8, 2)
            index.cp.min_points_per_centroid = 1
            index.train(np.eye(8, dtype="float32"))
            index.add(np.eye(8, dtype="float32"))
            index.nprobe = 0
            index.search(np.zeros((1, 8), dtype="float32"), 2)
        """,
        expect=script(
            """
                s1 python.import completed {module: faiss, version: <version>}
                s2 faiss.train completed {n: 8, index_type: IndexIVFFlat, d: 8, ntotal: 0, gpu: False, is_trained: True}
                s3 faiss.add completed {n: 8, index_type: IndexIVFFlat, d: 8, ntotal: 8, gpu: False}
                s4 faiss.search failed {nq: 1, k: 2, index_type: IndexIVFFlat, d: 8, ntotal: 8, gpu: False, is_trained: True, shape: [1, 8]} raised e1 RuntimeError: Error in virtual void faiss::IndexIVF::search(faiss::idx_t, const float*, faiss::idx_t, float*, faiss::idx_t*, const faiss::SearchParameters*) const at <source>: Error: 'cur_nprobe > 0' failed
            """,
            watched="faiss, logging",
            code=1,
            stop="s4",
        ),
    ),
    Case(
        name="faiss.sigsegv",
        says="The process dies of SIGSEGV inside a search.",
        exits=-11,
        script="""
            import faiss
            import numpy as np

            index = faiss.IndexIDMap(faiss.IndexFlatL2(8))
            index.index = None  # what it maps to is gone
            index.search(np.zeros((1, 8), dtype="float32"), 2)
        """,
        expect=script(
            """
                s1 python.import completed {module: faiss, version: <version>}
                s2 faiss.search in_flight {nq: 1, k: 2}
            """,
            watched="faiss, logging",
            signal=11,
        ),
    ),
    Case(
        name="faiss.gpu_on_cpu_build",
        says="A GPU index is asked of a build without GPUs.",
        script=_INDEX
        + """
faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, index)
""",
        expect=script(
            """
                s1 python.import completed {module: faiss, version: <version>}
                s2 faiss.add completed {n: 8, index_type: IndexFlatL2, d: 8, ntotal: 8, gpu: False}
            """,
            watched="faiss, logging",
            code=1,
            stop="""
                stopped by no step failed: AttributeError: module 'faiss' has no attribute 'index_cpu_to_gpu'
                  proof: run.end, process.exit
                  trail end: e1 AttributeError in no step [none]
            """,
        ),
    ),
)
