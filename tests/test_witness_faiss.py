"""FAISS's own counters, which know nothing of us, agree with the recorded steps of a long random workload."""

from __future__ import annotations

import os
import random

import faiss
import numpy as np
import pytest

from codeintel_obs import Status
from codeintel_obs.plugins.faiss.instrumentor import FaissInstrumentor
from codeintel_obs.testing import recording

OPERATIONS = 2200
LISTS = 8
SEED = int(os.environ.get("CODEINTEL_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)


@pytest.fixture(autouse=True)
def _one_thread():
    """Count in one thread: FAISS's counters are not atomic."""
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    yield
    faiss.omp_set_num_threads(threads)


@pytest.fixture
def dice():
    print(f"CODEINTEL_TEST_SEED={SEED}")
    return random.Random(SEED)


def indexes(vectors):
    """Return an IVF index without an empty list, and an HNSW index, of the same vectors."""
    ivf, graph = faiss.index_factory(8, f"IVF{LISTS},Flat"), faiss.IndexHNSWFlat(8, 8)
    ivf.train(vectors)
    for index in (ivf, graph):
        index.add(vectors)
    assert all(ivf.get_list_size(number) for number in range(LISTS))
    return ivf, graph


def work(dice, ivf, graph, vectors):
    """Do one random operation; some fail, some only add."""
    queries = vectors[: dice.randint(1, 6)]
    ivf.nprobe, graph.hnsw.efSearch = dice.randint(1, LISTS), dice.randint(8, 40)
    nprobe = faiss.SearchParametersIVF(nprobe=dice.randint(1, LISTS))
    dice.choice(
        [
            lambda: ivf.search(queries, dice.randint(1, 9)),
            lambda: ivf.search(queries, dice.randint(1, 9), params=nprobe),
            lambda: ivf.range_search(queries, dice.random()),
            lambda: ivf.assign(queries, 2),
            lambda: graph.search(queries, dice.randint(1, 9)),
            lambda: graph.search(queries, 2, params=faiss.SearchParametersHNSW(efSearch=12)),
            lambda: ivf.add(queries),
            lambda: refused(ivf, queries),
        ]
    )()


def refused(index, queries):
    with pytest.raises(AssertionError):
        index.search(queries[:, :3], 1)


def searches(told, index_type):
    """Return the payloads of the completed searches of every kind over an index."""
    kinds = {"faiss.search", "faiss.range_search", "faiss.assign"}
    steps = [step for step in told.steps if step.kind in kinds and step.status is Status.COMPLETED]
    return [found for step in steps if (found := told.payload(step))["index_type"] == index_type]


def test_the_counters_agree_with_the_steps(dice):
    """Queries of IVF and HNSW, and lists visited by IVF, are as many by FAISS's count as by the steps' payloads."""
    vectors = np.random.default_rng(SEED).random((600, 8), dtype="float32")
    ivf, graph = indexes(vectors)
    faiss.cvar.indexIVF_stats.reset()
    faiss.cvar.hnsw_stats.reset()
    with recording(FaissInstrumentor) as told:
        for _ in range(OPERATIONS):
            work(dice, ivf, graph, vectors)
    stats = faiss.cvar.indexIVF_stats.nq, faiss.cvar.indexIVF_stats.nlist, faiss.cvar.hnsw_stats.n1
    of_ivf, of_graph = searches(told, "IndexIVFFlat"), searches(told, "IndexHNSWFlat")
    assert len(told.steps) == len(told.begun) == OPERATIONS
    assert min(len(of_ivf), len(of_graph)) > OPERATIONS // 8
    assert stats == (
        sum(each["nq"] for each in of_ivf),
        sum(each["nq"] * each["nprobe"] for each in of_ivf),
        sum(each["nq"] for each in of_graph),
    )


def test_distances_computed_agree_where_every_list_is_visited(dice):
    """With every list visited, FAISS computes nq times ntotal distances: ``ntotal`` is right at each step."""
    vectors = np.random.default_rng(SEED).random((300, 8), dtype="float32")
    ivf, _ = indexes(vectors)
    ivf.nprobe = LISTS
    faiss.cvar.indexIVF_stats.reset()
    with recording(FaissInstrumentor) as told:
        for _ in range(OPERATIONS // 4):
            ivf.add(vectors[: dice.randint(1, 3)]) if dice.random() < 0.3 else ivf.search(
                vectors[: dice.randint(1, 5)], 2
            )
    payloads = searches(told, "IndexIVFFlat")
    assert faiss.cvar.indexIVF_stats.ndis == sum(each["nq"] * each["ntotal"] for each in payloads)
    assert len({each["ntotal"] for each in payloads}) > OPERATIONS // 40
