"""Uses FAISS as a search service would."""

from __future__ import annotations

from codeintel_obs import FieldClass
from codeintel_obs.testing import workout


def vectors(count, width=8):
    import numpy as np

    return np.random.RandomState(count).rand(count, width).astype("float32")


def error(call):
    try:
        call()
    except (AssertionError, RuntimeError, ValueError) as exc:
        return type(exc), str(exc).partition("\n")[0][:40]


@workout("faiss")
def searches(_folder):
    import faiss

    faiss.omp_set_num_threads(1)
    flat = faiss.IndexFlatL2(8)
    flat.add(vectors(50))
    ivf = faiss.index_factory(8, "IVF4,Flat")
    ivf.train(vectors(200))
    ivf.add(vectors(50))
    mapped = faiss.IndexIDMap2(faiss.IndexFlatL2(8))
    import numpy as np

    mapped.add_with_ids(vectors(20), np.arange(20) + 100)
    return [
        flat.search(vectors(3), 5),
        flat.range_search(vectors(2), 0.9),
        flat.reconstruct(3),
        ivf.search(vectors(3), 2),
        mapped.search(vectors(2), 3),
        mapped.remove_ids(np.array([101])),
        faiss.knn(vectors(2), vectors(9), 2),
        error(lambda: flat.search(vectors(2, 7), 1)),
        error(lambda: flat.search(vectors(2), 0)),
        error(lambda: flat.add(np.zeros(8, "float32"))),
    ]


@workout("faiss", canaries={"canary-in-a-path": FieldClass.PATH})
def files(folder):
    import faiss

    index = faiss.IndexFlatIP(8)
    index.add(vectors(5))
    path = str(folder / "canary-in-a-path.index")
    faiss.write_index(index, path)
    back = faiss.read_index(path)
    kmeans = faiss.Kmeans(8, 3, niter=2, seed=5)
    return [
        back.ntotal,
        back.search(vectors(1), 1),
        error(lambda: faiss.read_index(str(folder / "missing"))),
        kmeans.train(vectors(120)),
        faiss.PCAMatrix(8, 4).train(vectors(60)),
    ]
