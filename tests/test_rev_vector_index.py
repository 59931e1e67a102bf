"""codeintel_rev, where vectors lie: FAISS in its three kinds, Qdrant embedded, and what is refused."""

import json
import os
import subprocess
import sys
from contextlib import closing

import numpy as np
import pytest

from codeintel_rev.config.settings import Settings, VectorSettings
from codeintel_rev.errors import DamagedIndexError, ModelUnavailableError, RemoteError
from codeintel_rev.io import faiss_manager
from codeintel_rev.io.qdrant_index import EMBEDDED
from codeintel_rev.io.vector_index import FILE, Placed, build, open_index, placed_in

DIM = 32


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def vectors():
    """12,000 vectors in 200 clouds, as real ones lie: enough to train compressed codes on."""
    draw = np.random.default_rng(7)
    centres = draw.standard_normal((200, DIM))
    return unit(centres[draw.integers(0, 200, 12_000)] + 0.4 * draw.standard_normal((12_000, DIM)))


def settings(tmp_path, **own):
    return Settings(cache_dir=tmp_path, vectors=VectorSettings(**own))


def draft(tmp_path, name="one"):
    folder = tmp_path / "index" / "generations" / name
    folder.mkdir(parents=True)
    return folder


def docs(index, query, k=10):
    return [item.doc for item in index.search(query[None, :], k)]


def test_a_flat_index_is_exact(tmp_path, vectors):
    own, folder = settings(tmp_path), draft(tmp_path)
    assert build(folder, vectors, own) == Placed("faiss", "flat", 12_000, DIM)
    with closing(open_index(folder, 12_000, own)) as index:
        found = index.search(vectors[5:6], 3)
    scores = vectors @ vectors[5]
    assert [item.doc for item in found] == np.argsort(-scores)[:3].tolist()
    assert [item.score for item in found] == pytest.approx(np.sort(scores)[::-1][:3].tolist(), abs=1e-5)
    assert (index.dim, [item.rank for item in found]) == (DIM, [1, 2, 3])


@pytest.mark.parametrize(("kind", "recall"), [("hnsw", 0.95), pytest.param("ivfpq", 0.9, marks=pytest.mark.slow)])
def test_an_approximate_index_finds_most_of_what_an_exact_one_does(tmp_path, vectors, kind, recall):
    own, folder = settings(tmp_path, kind=kind), draft(tmp_path)
    assert build(folder, vectors, own).kind == kind
    queries = vectors[::600]
    with closing(open_index(folder, 12_000, own)) as index:
        found = [set(docs(index, query)) for query in queries]
    exact = [set(np.argsort(-(vectors @ query))[:10].tolist()) for query in queries]
    assert np.mean([len(a & b) / 10 for a, b in zip(found, exact, strict=True)]) >= recall


def test_the_kind_goes_by_size(monkeypatch):
    """Exact, then a graph, then compressed: at the sizes that the benchmark gave."""
    sizes = (1, faiss_manager.EXACT_UP_TO, faiss_manager.EXACT_UP_TO + 1, faiss_manager.GRAPH_UP_TO + 1)
    assert [faiss_manager._kind(size) for size in sizes] == ["flat", "flat", "hnsw", "ivfpq"]


def test_too_few_vectors_to_compress_are_kept_as_they_are(tmp_path, vectors):
    assert build(draft(tmp_path), vectors[:100], settings(tmp_path, kind="ivfpq")).kind == "flat"


def test_qdrant_finds_what_faiss_finds(tmp_path, vectors):
    """Embedded in the generation; the same documents with the same cosines."""
    few, own, folder = vectors[:500], settings(tmp_path, store="qdrant"), draft(tmp_path)
    placed = build(folder, few, own)
    assert (placed.store, placed.url, (folder / EMBEDDED).is_dir()) == ("qdrant", "", True)
    plain = draft(tmp_path, "two")
    build(plain, few, settings(tmp_path))
    with closing(open_index(folder, 500, own)) as one, closing(open_index(plain, 500, settings(tmp_path))) as other:
        for query in few[::100]:
            assert docs(one, query) == docs(other, query)
        scores = [[item.score for item in index.search(few[:1], 5)] for index in (one, other)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)
    assert one.dim == DIM


def test_a_generation_says_itself_where_its_vectors_are(tmp_path, vectors):
    """Settings that have changed since do not send its queries to another store."""
    folder = draft(tmp_path)
    build(folder, vectors[:100], settings(tmp_path, store="qdrant"))
    with closing(open_index(folder, 100, settings(tmp_path))) as index:
        assert docs(index, vectors[3])[0] == 3


@pytest.mark.parametrize("store", ["faiss", "qdrant"])
def test_another_number_of_vectors_is_damage(tmp_path, vectors, store):
    own, folder = settings(tmp_path, store=store), draft(tmp_path)
    build(folder, vectors[:100], own)
    with pytest.raises(DamagedIndexError, match="holds 100 vectors for 99 chunks"):
        open_index(folder, 99, own)


def test_a_collection_that_is_gone_is_damage(tmp_path, vectors):
    own, folder = settings(tmp_path, store="qdrant"), draft(tmp_path)
    build(folder, vectors[:50], own)
    written = json.loads((folder / FILE).read_text())
    (folder / FILE).write_text(json.dumps(written | {"collection": "another"}))
    with pytest.raises(DamagedIndexError, match="no collection another"):
        open_index(folder, 50, own)


@pytest.mark.parametrize("content", ["", "[]", '{"store": "faiss"}', "\0"])
def test_a_placement_that_cannot_be_read_is_damage(tmp_path, content):
    folder = draft(tmp_path)
    (folder / FILE).write_text(content)
    with pytest.raises(DamagedIndexError, match="cannot be read"):
        placed_in(folder)


def test_a_qdrant_server_that_refuses_is_told(tmp_path, vectors):
    """Port 9 of this host: nobody listens there. Nothing is left behind that could pass for an index."""
    folder = draft(tmp_path)
    with pytest.raises(RemoteError, match=r"Qdrant at http://127\.0\.0\.1:9 failed"):
        build(folder, vectors[:10], settings(tmp_path, store="qdrant", url="http://127.0.0.1:9"))
    assert not (folder / FILE).exists()


def test_without_the_client_the_mend_is_named(tmp_path, vectors, monkeypatch):
    monkeypatch.setitem(sys.modules, "qdrant_client", None)
    with pytest.raises(ModelUnavailableError) as caught:
        build(draft(tmp_path), vectors[:10], settings(tmp_path, store="qdrant"))
    assert caught.value.mend == "Mend: pip install 'codeintel-obs[qdrant]'"


_ALONE = """
import os, sys
from pathlib import Path
import faiss, numpy as np
from codeintel_rev.io.faiss_manager import FaissManager
index = FaissManager(Path(sys.argv[1]), 12_000)
query = np.eye(1, index.dim, dtype=np.float32)
before = len(os.listdir("/proc/self/task"))
index.search(query, 10)
print(len(os.listdir("/proc/self/task")) - before, faiss.omp_get_max_threads())
"""


def test_a_search_starts_no_threads(tmp_path, vectors):
    """Many are asked at once, and a team of threads for each would wait for its members by burning the cores."""
    faiss_manager.build(tmp_path, vectors, "flat")
    command = [sys.executable, "-c", _ALONE, tmp_path]
    ran = subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "4"}, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["0", "4"]  # and the caller's own setting is as it was
