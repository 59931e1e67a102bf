"""What a FAISS call is recorded as: its kind, its payload, its failure, its span's attributes."""

from __future__ import annotations

import contextlib

import faiss
import numpy as np
import pytest

from codeintel_obs import FieldClass, Status
from codeintel_obs.plugins.faiss.describe import missing
from codeintel_obs.plugins.faiss.instrumentor import FaissInstrumentor
from codeintel_obs.testing import recording

FLAT = {"index_type": "IndexFlatL2", "d": 8, "ntotal": 500, "gpu": False}


@pytest.fixture(scope="module")
def vectors():
    return np.random.default_rng(7).random((500, 8), dtype="float32")


@pytest.fixture(scope="module")
def bits():
    return np.random.default_rng(8).integers(0, 256, (500, 8), dtype="uint8")


def flat(vectors):
    index = faiss.IndexFlatL2(8)
    index.add(vectors)
    return index


def ivf(vectors, *, nprobe=3):
    index = faiss.index_factory(8, "IVF8,Flat")
    index.train(vectors)
    index.add(vectors)
    index.nprobe = nprobe
    return index


def watched():
    return recording(FaissInstrumentor)


# -- searches --------------------------------------------------------------------------------------------------------


def test_search_says_sizes_and_index(vectors):
    """A search has nq and k when it begins; its index and the ids that are missing when it ends."""
    index = flat(vectors)
    with watched() as told:
        index.search(vectors[:3], 4)
    step = told.only("faiss.search")
    assert step.status is Status.COMPLETED
    assert step.payload == {"nq": 3, "k": 4}
    assert step.end_payload == {**FLAT, "missing": 0}


def test_missing_is_the_number_of_ids_that_are_minus_one(vectors):
    """FAISS fills up short answers with -1: the step says how many, whoever asked by position or by name."""
    index = ivf(vectors, nprobe=1)
    with watched() as told:
        _, labels = index.search(k=400, x=vectors[:2])
    assert told.payload(told.only("faiss.search"))["missing"] == int((labels == -1).sum()) > 0


def test_nprobe_is_the_indexs_own_or_that_of_the_parameters(vectors):
    """The nprobe that FAISS uses is recorded: parameters win over the index."""
    index = ivf(vectors)
    with watched() as told:
        index.search(vectors[:1], 2)
        index.search(vectors[:1], 2, params=faiss.SearchParametersIVF(nprobe=7))
    assert [told.payload(step)["nprobe"] for step in told.steps] == [3, 7]


def test_ef_search_is_the_graphs_own_or_that_of_the_parameters(vectors):
    """An HNSW index has efSearch, and no nprobe."""
    index = faiss.IndexHNSWFlat(8, 8)
    index.add(vectors)
    index.hnsw.efSearch = 21
    with watched() as told:
        index.search(vectors[:1], 2)
        index.search(vectors[:1], 2, params=faiss.SearchParametersHNSW(efSearch=33))
    payloads = [told.payload(step) for step in told.steps]
    assert [payload["efSearch"] for payload in payloads] == [21, 33]
    assert "nprobe" not in payloads[0]


@pytest.mark.parametrize("factory", ["PQ4x4", "IVF8,PQ4x4", "SQ8", "LSH", "PCA4,Flat", "IDMap2,Flat", "NSG8,Flat"])
def test_every_sort_of_index_is_recorded_as_itself(vectors, factory):
    """Train, add and search of an index from the factory are three steps, each naming the index's own class."""
    with watched() as told:
        index = faiss.index_factory(8, factory)
        index.train(vectors)
        index.add_with_ids(vectors, np.arange(500)) if "IDMap" in factory else index.add(vectors)
        index.search(vectors[:2], 3)
    assert told.kinds[0] == "faiss.index_factory"
    assert told.payload(told.steps[0])["factory"] == factory
    assert len(told.steps) == 4
    assert {told.payload(step)["index_type"] for step in told.steps} == {type(index).__name__}


def test_range_search_says_radius_and_results(vectors):
    """A range search has its radius, and the number of results in place of k and missing ids."""
    index = flat(vectors)
    with watched() as told:
        limits, _, _ = index.range_search(vectors[:2], 0.5)
    assert told.payload(told.only("faiss.range_search")) == {"nq": 2, "radius": 0.5, **FLAT, "results": int(limits[-1])}


def test_binary_index_is_recorded(bits):
    """A binary index counts its dimension in bits."""
    index = faiss.IndexBinaryFlat(64)
    with watched() as told:
        index.add(bits)
        index.search(bits[:2], 3)
        index.range_search(bits[:2], 5)
    assert told.kinds == ["faiss.add", "faiss.search", "faiss.range_search"]
    expected = {"nq": 2, "k": 3, "index_type": "IndexBinaryFlat", "d": 64, "ntotal": 500, "gpu": False, "missing": 0}
    assert told.payload(told.steps[1]) == expected


def test_searches_without_an_index_are_recorded(vectors, bits):
    """The functions knn, knn_hamming and pairwise_distances are steps of their own kinds."""
    with watched() as told:
        faiss.knn(vectors[:3].tolist(), vectors, 2)
        faiss.knn_hamming(bits[:3], bits, 2)
        faiss.pairwise_distances(vectors[:3], vectors)
    assert told.kinds == ["faiss.knn", "faiss.knn_hamming", "faiss.pairwise_distances"]
    assert told.payload(told.steps[0]) == {"n": 500, "k": 2, "nq": 3, "missing": 0}
    assert told.payload(told.steps[2]) == {"nq": 3, "n": 500}


def test_search_with_parameters_describes_the_index_that_it_was_given(vectors):
    """A function over an index says of it what its own method would."""
    index = ivf(vectors)
    with watched() as told:
        faiss.search_with_parameters(index, vectors[:2], 3, faiss.IVFSearchParameters(nprobe=5), output_stats=True)
    payload = told.payload(told.only("faiss.search_with_parameters"))
    assert (payload["nq"], payload["k"], payload["nprobe"], payload["index_type"]) == (2, 3, 5, "IndexIVFFlat")


def test_missing_counts_large_answers_in_pieces():
    """An answer larger than one piece is counted without a comparison of its whole size."""
    labels = np.zeros((3000, 1000), dtype="int64")
    labels[::7, -3:] = -1
    assert missing(labels) == int((labels == -1).sum())


# -- changes ---------------------------------------------------------------------------------------------------------


def test_changes_say_what_the_index_is_afterwards(vectors):
    """Adding, removing, merging and emptying say how many vectors went in or out, and how many are there now."""
    index = faiss.IndexIDMap2(faiss.IndexFlatL2(8))
    other = faiss.IndexFlatL2(8)
    with watched() as told:
        index.add_with_ids(vectors, np.arange(500))
        index.remove_ids(np.arange(20))
        index.reconstruct(30)
        other.add(vectors[:9])
        index.index.merge_from(other, 0)
        index.reset()
    said = [{key: told.payload(s).get(key) for key in ("n", "removed", "ntotal")} for s in told.steps]
    assert told.kinds[:3] == ["faiss.add_with_ids", "faiss.remove_ids", "faiss.reconstruct"]
    assert said[0] == {"n": 500, "removed": None, "ntotal": 500}
    assert said[1] == {"n": None, "removed": 20, "ntotal": 480}
    assert said[4] == {"n": 9, "removed": None, "ntotal": 489}
    assert said[5] == {"n": None, "removed": None, "ntotal": 0}


def test_codes_and_batches_say_how_many(vectors):
    """Encoding, decoding and reconstructing say of how many vectors; a list of ids is counted, not read."""
    index = flat(vectors)
    with watched() as told:
        codes = index.sa_encode(vectors[:5])
        index.sa_decode(codes)
        index.reconstruct_n(0, 7)
        index.reconstruct_batch(np.arange(6))
    assert told.kinds == ["faiss.sa_encode", "faiss.sa_decode", "faiss.reconstruct_n", "faiss.reconstruct_batch"]
    assert [told.payload(step)["n"] for step in told.steps] == [5, 5, 7, 6]


def test_training_says_whether_the_index_is_trained(vectors):
    """A trained index says so; k-means says its objective; a transform has its two dimensions."""
    index, kmeans, pca = faiss.index_factory(8, "IVF4,Flat"), faiss.Kmeans(8, 5, niter=2), faiss.PCAMatrix(8, 3)
    with watched() as told:
        index.train(vectors)
        objective = kmeans.train(vectors)
        pca.train(vectors)
    payloads = [told.payload(step) for step in told.of("faiss.train")]
    assert payloads[0]["is_trained"] is True
    assert payloads[1] == {"n": 500, "type": "Kmeans", "d": 8, "k": 5, "niter": 2, "objective": float(objective)}
    assert payloads[2] == {"n": 500, "type": "PCAMatrix", "d_in": 8, "d_out": 3}


def test_on_disk_merge_is_recorded(vectors, tmp_path):
    """The merge that faiss.contrib.ondisk drives shows as the reads and the one merge that it makes."""
    from faiss.contrib.ondisk import merge_ondisk

    trained = ivf(vectors)
    faiss.write_index(trained, str(tmp_path / "shard"))
    trained.reset()
    with watched() as told:
        merge_ondisk(trained, [str(tmp_path / "shard")], str(tmp_path / "lists"))
    assert told.kinds == ["faiss.read_index", "faiss.merge_ondisk"]
    assert trained.ntotal == 500


# -- files and copies ------------------------------------------------------------------------------------------------


def test_files_are_paths_and_streams_are_types(vectors, tmp_path):
    """A file has its path; a reader or writer of the application has only its type."""
    index, file, writer = flat(vectors), str(tmp_path / "a.index"), faiss.VectorIOWriter()
    with watched() as told:
        faiss.write_index(index, file)
        faiss.read_index(file)
        faiss.write_index(index, writer)
    assert told.kinds == ["faiss.write_index", "faiss.read_index", "faiss.write_index"]
    assert [told.payload(step) for step in told.steps] == [
        {"path": file, **FLAT},
        {"path": file, **FLAT},
        {"stream": "VectorIOWriter", **FLAT},
    ]


def test_a_path_is_not_kept_where_only_counts_are(vectors, tmp_path):
    """At content level ``none`` a step has no path, and no error message that holds one."""
    with recording(FaissInstrumentor, content="none") as told, pytest.raises(RuntimeError):
        faiss.read_index(str(tmp_path / "canary"))
    step = told.only("faiss.read_index")
    assert told.payload(step) == {}
    assert step.error.message is None
    assert FaissInstrumentor.fields["path"] is FieldClass.PATH


def test_clones_and_bytes_are_recorded(vectors, bits):
    """Cloning and serializing name the index that came out of them."""
    index, binary = flat(vectors), faiss.IndexBinaryFlat(64)
    with watched() as told:
        faiss.clone_index(index)
        data = faiss.serialize_index(index)
        faiss.deserialize_index(data)
        faiss.clone_binary_index(binary)
    assert told.kinds == ["faiss.clone_index", "faiss.serialize_index", "faiss.deserialize_index", "faiss.clone_index"]
    assert told.payload(told.steps[1]) == {**FLAT, "bytes": data.nbytes}


def test_a_move_to_gpus_says_how_many_there_are(vectors):
    """The GPU build returns an empty index where no GPU is, the CPU build raises: either way the sizes are told."""
    has_gpu_code = hasattr(faiss, "StandardGpuResources")
    with watched() as told, contextlib.suppress(NameError):
        faiss.index_cpu_to_all_gpus(flat(vectors))
    step = told.only("faiss.to_gpu")
    assert step.status is (Status.COMPLETED if has_gpu_code else Status.FAILED)
    payload = told.payload(step)
    assert (payload["gpus"], payload["source_ntotal"]) == (faiss.get_num_gpus(), 500)
    assert payload.get("ntotal") == (None if not has_gpu_code else 500 if faiss.get_num_gpus() else 0)


# -- failures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ask", "raised", "shape"),
    [
        (lambda index, x: index.search(x[:, :3], 2), AssertionError, [500, 3]),
        (lambda index, x: index.search(x, 0), AssertionError, [500, 8]),
        (lambda index, x: index.search(x[0], 2), ValueError, [8]),
    ],
    ids=["wrong dimension", "k of 0", "one dimension"],
)
def test_a_refused_search_is_failed_with_its_shape(vectors, ask, raised, shape):
    """What FAISS refuses is failed by the very exception, and shows what was given beside what the index expects."""
    with watched() as told, pytest.raises(raised) as caught:
        ask(flat(vectors), vectors)
    step = told.only("faiss.search")
    assert step.status is Status.FAILED
    assert step.error.type == raised.__name__
    assert step.error.id == caught.value.__dict__["_codeintel_error"][0]
    assert step.end_payload == {**FLAT, "is_trained": True, "shape": shape}


def test_one_dimension_is_no_number_of_queries(vectors):
    """A single vector in place of a matrix is not counted as eight queries."""
    with watched() as told, pytest.raises(ValueError, match="unpack"):
        flat(vectors).search(vectors[0], 2)
    assert told.only("faiss.search").payload == {"k": 2}


def test_an_untrained_index_fails_and_says_so(vectors):
    """A C++ failure is a RuntimeError, kept as it is; the payload says that the index was not trained."""
    index = faiss.index_factory(8, "IVF4,Flat")
    with watched() as told, pytest.raises(RuntimeError, match="is_trained") as caught:
        index.add(vectors)
    step = told.only("faiss.add")
    assert told.payload(step)["is_trained"] is False
    assert step.error.message == str(caught.value)


def test_a_missing_file_fails_in_the_read(tmp_path):
    """A path that is not there is failed with the path."""
    path = str(tmp_path / "none.index")
    with watched() as told, pytest.raises(RuntimeError, match="could not open"):
        faiss.read_index(path)
    assert told.payload(told.only("faiss.read_index")) == {"path": path}


# -- spans -----------------------------------------------------------------------------------------------------------


def test_semantic_attributes_name_the_operation_and_the_batch():
    """A span is a database operation of FAISS; a batch is two or more, and never 1."""
    search = FaissInstrumentor.semantics["faiss.search"]
    assert search({"nq": 3}) == {"db.system.name": "faiss", "db.operation.name": "search", "db.operation.batch.size": 3}
    assert search({"nq": 1}) == {"db.system.name": "faiss", "db.operation.name": "search"}
    assert set(FaissInstrumentor.semantics) == {point.kind for point in FaissInstrumentor.points}
