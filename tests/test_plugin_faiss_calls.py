"""A watched FAISS stays what it was, and one call of the application is one step."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import faiss
import numpy as np
import pytest

from codeintel_obs import Status
from codeintel_obs.plugins.faiss.instrumentor import FaissInstrumentor
from codeintel_obs.testing import recording


@pytest.fixture(scope="module")
def vectors():
    return np.random.default_rng(7).random((400, 8), dtype="float32")


def flat(vectors):
    index = faiss.IndexFlatL2(8)
    index.add(vectors)
    return index


def watched():
    return recording(FaissInstrumentor)


def namespaces():
    """Return a copy of the namespace of faiss and of each of its classes."""
    classes = [value for value in vars(faiss).values() if inspect.isclass(value)]
    return {owner: dict(vars(owner)) for owner in (faiss, *classes)}


# -- the library stays what it was ------------------------------------------------------------------------------------


def test_uninstrumenting_restores_the_identical_objects():
    """Every slot of every class and of the module holds the very object that it held before, and no slot is new."""
    before = namespaces()
    with watched():
        wrapped = namespaces()
        changed = sum(
            wrapped[owner][name] is not value for owner, held in before.items() for name, value in held.items()
        )
    after = namespaces()
    assert changed > 700
    assert {owner: set(held) for owner, held in after.items()} == {owner: set(held) for owner, held in before.items()}
    assert all(after[owner][name] is value for owner, held in before.items() for name, value in held.items())


def test_answers_are_the_arrays_that_the_application_gave(vectors):
    """Arrays that the application passes in to be filled are filled and returned; its queries are not touched."""
    index, queries = flat(vectors), vectors[:3].copy()
    distances, labels = np.empty((3, 2), dtype="float32"), np.empty((3, 2), dtype="int64")
    with watched():
        given = index.search(queries, 2, D=distances, I=labels)
    assert given[0] is distances
    assert given[1] is labels
    assert np.array_equal(queries, vectors[:3])


def test_answers_are_those_without_us(vectors):
    """The same search gives the same answer, watched or not."""
    index = faiss.index_factory(8, "IVF8,PQ4x4")
    index.train(vectors)
    index.add(vectors)
    alone = index.search(vectors[:20], 5)
    with watched():
        beside = index.search(vectors[:20], 5)
    assert all(np.array_equal(one, other) for one, other in zip(alone, beside, strict=True))


def test_an_exception_of_the_application_is_the_very_object_and_comes_once(vectors):
    """What the application's own array-like raises comes out as it is; it is asked by FAISS alone, and never by us."""
    raised, asked = LookupError("gone"), []

    class Lazy:
        @property
        def shape(self):
            asked.append(self)
            raise raised

    with watched() as told, pytest.raises(LookupError) as caught:
        flat(vectors).search(Lazy(), 1)
    assert caught.value is raised
    assert len(asked) == 1
    assert told.only("faiss.search").error.type == "LookupError"


def test_signatures_and_names_stay():
    """What inspect says of a method stays."""
    before = inspect.signature(faiss.IndexFlat.search), faiss.IndexFlat.search.__name__, faiss.IndexFlat.search.__doc__
    with watched():
        after = (
            inspect.signature(faiss.IndexFlat.search),
            faiss.IndexFlat.search.__name__,
            faiss.IndexFlat.search.__doc__,
        )
        assert isinstance(faiss.IndexFlatL2, type)
    assert after == before


# -- one call is one step ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "factory", ["PCA4,IVF4,Flat", "IDMap,Flat", "IDMap2,HNSW8", "IVF4,PQ4x4,RFlat", "IVF4_HNSW8,Flat", "OPQ4_8,PQ4x4"]
)
def test_an_index_around_an_index_is_one_step(vectors, factory):
    """A search that C++ hands on to other indexes is one step, of the index that the application called."""
    index = faiss.index_factory(8, factory)
    index.train(vectors)
    index.add_with_ids(vectors, np.arange(400)) if "IDMap" in factory else index.add(vectors)
    with watched() as told:
        index.search(vectors[:2], 3)
    assert told.payload(told.only("faiss.search"))["index_type"] == type(index).__name__
    assert len(told.begun) == 1


def test_shards_and_replicas_are_one_step(vectors):
    """Indexes that search others in their own threads are one step."""
    shards, replicas = faiss.IndexShards(8, True), faiss.IndexReplicas(8, True)
    parts = [flat(vectors[:200]), flat(vectors[200:])]
    for part in parts:
        shards.add_shard(part)
    replicas.addIndex(flat(vectors))
    with watched() as told:
        shards.search(vectors[:2], 3)
        replicas.search(vectors[:2], 3)
    assert told.kinds == ["faiss.search", "faiss.search"]


def test_what_faiss_calls_of_itself_in_python_belongs_to_the_call(vectors):
    """K-means, its assignment, pickling and their like are one step each, whatever they call."""
    kmeans, index = faiss.Kmeans(8, 4, niter=2), flat(vectors)
    with watched() as told:
        kmeans.train(vectors)
        kmeans.assign(vectors)
        copy = pickle.loads(pickle.dumps(index))
        faiss.PCAMatrix(8, 4).train(vectors)
    assert told.kinds == [
        "faiss.train",
        "faiss.assign",
        "faiss.serialize_index",
        "faiss.deserialize_index",
        "faiss.train",
    ]
    assert len(told.begun) == len(told.steps)
    assert copy.ntotal == 400


def test_a_raw_method_that_the_application_calls_is_a_step(vectors):
    """The C++ method under search, called directly with pointers, is a search with its sizes."""
    index, queries = flat(vectors), vectors[:3].copy()
    distances, labels = np.empty((3, 2), dtype="float32"), np.empty((3, 2), dtype="int64")
    pointers = [faiss.swig_ptr(array) for array in (queries, distances, labels)]
    with watched() as told:
        index.search_c(3, pointers[0], 2, pointers[1], pointers[2])
    assert {key: told.payload(told.only("faiss.search"))[key] for key in ("nq", "k")} == {"nq": 3, "k": 2}
    assert np.array_equal(labels[:, 0], [0, 1, 2])


def test_a_subclass_that_calls_its_parents_method_is_one_step(vectors):
    """An index class of the application is recorded through the method that it calls, under its own name."""

    class Doubling(faiss.IndexFlatL2):
        def search(self, x, k, **more):
            return super().search(x, k * 2, **more)

    index = Doubling(8)
    index.add(vectors)
    with watched() as told:
        _, labels = index.search(vectors[:2], 3)
    assert labels.shape == (2, 6)
    payload = told.payload(told.only("faiss.search"))
    assert (payload["index_type"], payload["k"]) == ("Doubling", 6)


def test_two_calls_after_each_other_are_two_steps(vectors):
    """A step ends with its call: a failed one does not swallow the next."""
    index = flat(vectors)
    with watched() as told:
        with pytest.raises(AssertionError):
            index.search(vectors, 0)
        index.search(vectors[:1], 1)
    assert [step.status for step in told.of("faiss.search")] == [Status.FAILED, Status.COMPLETED]


def test_threads_record_their_own_searches(vectors):
    """Four threads over one index: each search is one step, of its own thread, and all answers are right."""
    index, wrong = flat(vectors), []

    def work(number):
        for at in range(50):
            _, labels = index.search(vectors[at : at + 1 + number], 1)
            if labels[0, 0] != at:
                wrong.append((number, at))

    with watched() as told:
        threads = [threading.Thread(target=work, args=(number,), name=f"worker-{number}") for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []
    seen = {(step.thread, told.payload(step)["nq"]) for step in told.of("faiss.search")}
    assert (seen, len(told.steps)) == ({(f"worker-{number}", 1 + number) for number in range(4)}, 200)


# -- torch ------------------------------------------------------------------------------------------------------------

# A stand-in for torch, which is too large a library to install for these tests: faiss.contrib.torch_utils asks of a
# tensor where its memory is and what it holds, and no more.
TORCH = """
    import numpy

    float32, float16, uint8, int32, int64 = map(numpy.dtype, ("float32", "float16", "uint8", "int32", "int64"))
    bfloat16 = object()

    class Tensor:
        is_cuda, device = False, "cpu"

        def __init__(self, array):
            self.array, self.dtype, self.shape = array, array.dtype, array.shape

        def is_contiguous(self):
            return True

        def untyped_storage(self):
            return self

        def storage_offset(self):
            return 0

        def data_ptr(self):
            return self.array.ctypes.data

        def numpy(self):
            return self.array

    def empty(*shape, device=None, dtype=None):
        return Tensor(numpy.empty(shape, dtype))
"""

WITH_TORCH = """
    import faiss, numpy, wrapt
    {before}
    from codeintel_obs.plugins.faiss.instrumentor import FaissInstrumentor
    from codeintel_obs.testing import recording

    x = numpy.random.default_rng(0).random((50, 8), dtype="float32")
    with recording(FaissInstrumentor) as told:
        import faiss.contrib.torch_utils, torch
        index = faiss.IndexFlatL2(8)
        index.add(torch.Tensor(x))
        index.search(x[:2], 3)
        D, I = index.search(torch.Tensor(x[:4].copy()), 60)
        faiss.knn(x[:2], x, 3)
        assert type(I) is torch.Tensor and (I.array[:, 0] == range(4)).all()
        assert told.kinds == ["faiss.add", "faiss.search", "faiss.search", "faiss.knn"], told.kinds
        assert len(told.begun) == 4
        said = [told.payload(step) for step in told.steps]
        assert (said[2]["nq"], said[2]["k"], said[2]["missing"]) == (4, 60, 40), said[2]

    owners = [faiss, *(value for value in vars(faiss).values() if isinstance(value, type))]
    left = [(o, n) for o in owners for n, v in vars(o).items() if isinstance(v, wrapt.ObjectProxy)]
    assert left == [], left
    assert faiss.IndexFlat.search.__name__ == "torch_replacement_search"
    assert faiss.IndexFlat.search_numpy.__name__ == "replacement_search"
    print("told")
"""


@pytest.mark.parametrize("before", ["", "import faiss.contrib.torch_utils"], ids=["imported later", "imported before"])
def test_calls_with_tensors_are_recorded(tmp_path, before):
    """After torch_utils has replaced the methods, calls with tensors and with arrays are one step each; all unwraps."""
    (tmp_path / "torch.py").write_text(textwrap.dedent(TORCH))
    script = textwrap.dedent(WITH_TORCH).format(before=before)
    done = run(script, tmp_path)
    assert (done.stdout, done.returncode) == ("told\n", 0), done.stderr


def test_without_torch_the_import_fails_as_it_would_alone(tmp_path):
    """Where torch is absent nothing of ours asks for it, and the application's own import of torch_utils says so."""
    script = """
        import sys
        sys.modules["torch"] = None
        import faiss
        from codeintel_obs.plugins.faiss.instrumentor import FaissInstrumentor
        from codeintel_obs.testing import recording
        with recording(FaissInstrumentor) as told:
            assert FaissInstrumentor().kinds()["faiss.search"] == "wrapped"
            try:
                import faiss.contrib.torch_utils
            except ModuleNotFoundError as exc:
                print(exc.name)
    """
    done = run(textwrap.dedent(script), tmp_path)
    assert (done.stdout, done.returncode) == ("torch\n", 0), done.stderr


def run(script, folder):
    """Run ``script`` in a process of its own: torch_utils replaces FAISS's methods for good."""
    root = str(Path(__file__).parents[1])
    environment = {"PYTHONPATH": f"{folder}:{root}", "PATH": "/usr/bin:/bin"}
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=False)


# -- facts -------------------------------------------------------------------------------------------------------------


def test_facts_of_kinds_leave_out_what_a_build_lacks():
    """A kind is said to be missing when the build has none of its methods and functions, and only then."""
    names = {name for owner in namespaces() for name in vars(owner)}
    there = {point.kind for point in FaissInstrumentor.points if point.name.rpartition(".")[2] in names}
    with watched():
        kinds = FaissInstrumentor().kinds()
    assert {kind for kind, fact in kinds.items() if fact == "wrapped"} == there
    assert {"faiss.search", "faiss.read_index", "faiss.to_gpu"} <= there


def test_either_distribution_is_accepted():
    """The plugin names both distributions, and the one that is installed."""
    plugin = FaissInstrumentor()
    assert plugin.requires == ("faiss-cpu>=1.10,<2", "faiss-gpu>=1.10,<2")
    assert plugin.distribution()[0] in {"faiss-cpu", "faiss-gpu"}
    assert plugin.version() == faiss.__version__
