"""codeintel_rev, the store of vectors: bit for bit by model, whole or not there, and never growing for ever."""

import os

import numpy as np
import pytest

from codeintel_rev.io import vector_store
from codeintel_rev.io.vector_store import KEY_BYTES, SEGMENTS, VectorStore


def keys_and_vectors(count, seed):
    rng = np.random.default_rng(seed)
    return [rng.bytes(KEY_BYTES) for _ in range(count)], rng.random((count, 4), np.float32)


@pytest.fixture
def aged(tmp_path):
    """Adds segments that are a second apart, oldest first."""
    times = iter(range(1, 1000))

    def add(count, seed, model="m"):
        keys, vectors = keys_and_vectors(count, seed)
        before = set(tmp_path.glob("*.npz"))
        VectorStore(tmp_path, model, 4).add(keys, vectors)
        (new,) = set(tmp_path.glob("*.npz")) - before
        os.utime(new, (at := next(times), at))
        return keys, vectors

    return add


def test_vectors_are_kept_by_model(tmp_path, aged):
    """Read back bit for bit by the same model, invisible to another, and gone with a damaged segment."""
    keys, vectors = aged(3, 1)
    np.testing.assert_array_equal(VectorStore(tmp_path, "m", 4).stacked(keys[::-1]), vectors[::-1])
    assert keys[0] not in VectorStore(tmp_path, "other", 4)
    assert keys[0] not in VectorStore(tmp_path, "m", 5)
    (segment,) = tmp_path.glob("*.npz")
    segment.write_bytes(segment.read_bytes()[:100])
    assert keys[0] not in VectorStore(tmp_path, "m", 4)
    assert VectorStore(tmp_path, "m", 4).stacked([]).shape == (0, 4)


def test_many_segments_become_one(tmp_path, aged):
    """Nothing that is used is lost; what a killed run left half-written goes."""
    made = [aged(1, seed) for seed in range(SEGMENTS + 1)]
    (tmp_path / ".half.tmp").write_bytes(b"half")
    VectorStore(tmp_path, "m", 4).tidy([], [])
    again = VectorStore(tmp_path, "m", 4)
    assert len(list(tmp_path.iterdir())) == 1
    for keys, vectors in made:
        np.testing.assert_array_equal(again.stacked(keys), vectors)


def test_of_what_nobody_uses_only_the_newest_stay(tmp_path, aged, monkeypatch):
    """Used vectors stay, however old; the others are cut to half of what is allowed."""
    monkeypatch.setattr(vector_store, "SPARE", 10)
    used, _ = aged(5, 1)
    old, _ = aged(8, 2)
    new, _ = aged(4, 3)
    store = VectorStore(tmp_path, "m", 4)
    store.tidy(used, ["m"])
    for kept in (store, VectorStore(tmp_path, "m", 4)):
        assert ([key in kept for key in used], [key in kept for key in new]) == ([True] * 5, [True] * 4)
        assert [key in kept for key in old] == [False] * 7 + [True]
    VectorStore(tmp_path, "m", 4).tidy(used, ["m"])
    assert len(VectorStore(tmp_path, "m", 4)) == 10


def test_other_models_keep_what_a_generation_uses_and_little_else(tmp_path, aged, monkeypatch):
    monkeypatch.setattr(vector_store, "SPARE", 10)
    kept, _ = aged(50, 1, "served")
    gone, _ = aged(6, 2, "older")
    spare, _ = aged(6, 3, "newer")
    aged(1, 4)
    VectorStore(tmp_path, "m", 4).tidy([], ["m", "served"])
    found = {name: len(VectorStore(tmp_path, name, 4)) for name in ("m", "served", "older", "newer")}
    assert found == {"m": 1, "served": len(kept), "older": 0, "newer": len(spare)}
    assert gone[0] not in VectorStore(tmp_path, "older", 4)


def test_a_sibling_lends_what_it_has(tmp_path, aged):
    """Copied, so that either may be removed; what it has not stays missing, and its damage does no harm."""
    keys, vectors = aged(3, 1)
    own = VectorStore(tmp_path / "own", "m", 4)
    assert own.borrow([*keys, b"x" * KEY_BYTES], tmp_path) == 3
    assert own.borrow(keys, tmp_path) == 0
    np.testing.assert_array_equal(VectorStore(tmp_path / "own", "m", 4).stacked(keys), vectors)
    for segment in tmp_path.glob("*.npz"):
        segment.write_bytes(b"PK damaged")
    assert VectorStore(tmp_path / "new", "m", 4).borrow(keys, tmp_path) == 0
    assert VectorStore(tmp_path / "new", "m", 4).borrow(keys, tmp_path / "nowhere") == 0
