"""codeintel_rev, vectors in Qdrant by its URL: over HTTP, with its key, in time, and nothing left behind."""

import shutil
from contextlib import closing

import numpy as np
import pytest
from openai_server import serving as embedding
from qdrant_server import serving
from rev_repository import commit

from codeintel_rev.config.settings import EmbeddingSettings, SearchSettings, Settings, VectorSettings
from codeintel_rev.errors import DamagedIndexError, RemoteError
from codeintel_rev.indexing.build import BuildRequest, build_index
from codeintel_rev.io.vector_index import build, open_index
from codeintel_rev.retrieval.search import SearchRequest, search

FILES = {"pay.py": "def charge_card(x):\n    return x\n", "rain.py": "def rain_tomorrow(city):\n    return city\n"}


@pytest.fixture
def qdrant():
    with serving() as (url, behaviour):
        yield url, behaviour


@pytest.fixture(scope="module")
def vectors():
    made = np.random.default_rng(7).standard_normal((600, 16)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def settings(tmp_path, url, **more):
    return Settings(tmp_path / "cache", vectors=VectorSettings(store="qdrant", url=url, **more))


def draft(tmp_path, name="one"):
    folder = tmp_path / "index" / "generations" / name
    folder.mkdir(parents=True)
    return folder


def test_a_server_finds_what_the_embedded_engine_finds(tmp_path, vectors, qdrant):
    """Several uploads, one collection, the same documents and cosines."""
    url, behaviour = qdrant
    folder, plain = draft(tmp_path), draft(tmp_path, "two")
    placed = build(folder, vectors, settings(tmp_path, url))
    build(plain, vectors, settings(tmp_path, ""))
    assert (placed.url, behaviour.names()) == (url, [placed.collection])
    assert behaviour.requests.count(("PUT", f"/collections/{placed.collection}/points")) == 3
    with (
        closing(open_index(folder, 600, settings(tmp_path, url))) as one,
        closing(open_index(plain, 600, settings(tmp_path, ""))) as other,
    ):
        for query in vectors[::200]:
            found, expected = one.search(query[None], 5), other.search(query[None], 5)
            assert [each.doc for each in found] == [each.doc for each in expected]
            assert [each.score for each in found] == pytest.approx([each.score for each in expected], abs=1e-5)


def test_the_key_goes_along(tmp_path, vectors, qdrant):
    """With every request; the client warns of a connection that others could read."""
    url, behaviour = qdrant
    with pytest.warns(UserWarning, match="insecure connection"):
        build(draft(tmp_path), vectors[:10], settings(tmp_path, url, api_key="s3cret"))
    assert behaviour.keys == {"s3cret"}


def test_collections_go_with_the_generations_that_named_them(tmp_path, vectors, qdrant):
    """One that no generation names any more is removed by the next build; another index's stay."""
    url, behaviour = qdrant
    behaviour.engine.create_collection("codeintel-rev-of-somebody-else", vectors_config={})
    first = build(draft(tmp_path, "one"), vectors[:10], settings(tmp_path, url))
    second = build(draft(tmp_path, "two"), vectors[:10], settings(tmp_path, url))
    shutil.rmtree(tmp_path / "index" / "generations" / "one")
    third = build(draft(tmp_path, "three"), vectors[:10], settings(tmp_path, url))
    assert first.collection not in behaviour.names()
    assert set(behaviour.names()) == {second.collection, third.collection, "codeintel-rev-of-somebody-else"}


def test_a_collection_that_is_gone_is_damage(tmp_path, vectors, qdrant):
    url, behaviour = qdrant
    folder = draft(tmp_path)
    placed = build(folder, vectors[:10], settings(tmp_path, url))
    behaviour.engine.delete_collection(placed.collection)
    with pytest.raises(DamagedIndexError, match="Qdrant has no collection"):
        open_index(folder, 10, settings(tmp_path, url))


def test_a_server_that_hangs_is_given_up(tmp_path, vectors, qdrant):
    """After `vectors.timeout`, whole seconds, with its address and the mend."""
    url, behaviour = qdrant
    folder = draft(tmp_path)
    build(folder, vectors[:10], settings(tmp_path, url))
    behaviour.hangs = True
    with pytest.raises(RemoteError, match="timed out") as caught:
        open_index(folder, 10, settings(tmp_path, url, timeout=1.0))
    assert url in caught.value.what
    assert "vectors.url" in caught.value.mend


def test_a_search_goes_on_without_its_server(tmp_path, qdrant):
    """Indexed and found through Qdrant; while that hangs, the words are found and the answer says what is missing."""
    url, behaviour = qdrant
    commit(tmp_path / "repo", FILES)
    with embedding() as (model, _):
        own = Settings(
            tmp_path / "cache",
            embedding=EmbeddingSettings("vllm", url=model, model="hashed-words", query_timeout=20.0),
            vectors=VectorSettings(store="qdrant", url=url, timeout=1.0),
            search=SearchSettings(deadline=60.0),
        )
        made = build_index(BuildRequest(tmp_path / "repo", own)).manifest
        whole = search(SearchRequest("how to charge a card", own, tmp_path / "repo"))
        behaviour.hangs = True
        degraded = search(SearchRequest("how to charge a card", own, tmp_path / "repo"))
    assert (made.vectors, whole.degraded) == (made.chunks, ())
    assert {outcome.channel: outcome.status for outcome in whole.channels}["semantic"] == "ran"
    assert [hit.name for hit in degraded.hits][:1] == ["charge_card"]
    assert [(each.channel, "timed out" in each.reason) for each in degraded.degraded] == [("semantic", True)]
