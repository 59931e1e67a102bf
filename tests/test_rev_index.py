"""codeintel_rev, building with the real model: what the index says of itself, and that nothing is embedded twice."""

import git
import numpy as np
import pytest
from rev_repository import commit

from codeintel_rev.config.settings import Settings
from codeintel_rev.errors import DamagedIndexError
from codeintel_rev.indexing.build import BuildRequest, build_index
from codeintel_rev.io import faiss_manager
from codeintel_rev.io.generations import IndexFolder
from codeintel_rev.io.manifest import Manifest

FILES = {
    "shop/cart.py": "class Cart:\n    def add_item(self, item):\n        self.items.append(item)\n",
    "shop/pay.py": "def charge_card(number, amount):\n    return gateway.charge(number, amount)\n",
    "README.md": "# A shop\n\nIt sells things.\n",
}


@pytest.fixture(scope="module")
def own_settings(tmp_path_factory):
    return Settings(cache_dir=tmp_path_factory.mktemp("cache"))


def build(root, settings, **more):
    return build_index(BuildRequest(root, settings, **more)).manifest


def test_the_manifest_says_what_the_index_holds(tmp_path, own_settings):
    """Commit, files, chunks and vectors; and the folder is ignored by git without touching the repository's own."""
    head = commit(tmp_path, FILES)
    made = build(tmp_path / "shop", own_settings)
    folder = IndexFolder(tmp_path / ".codeintel-rev")
    assert Manifest.read(folder.current()) == made
    assert (made.commit, made.branch, made.root) == (head, "master", str(tmp_path))
    assert (made.files, made.chunks, made.embedded, made.reused, made.dim) == (3, 4, 4, 0, 384)
    assert made.degraded == ()
    with git.Repo(tmp_path) as repo:
        assert repo.git.status("--porcelain") == ""


def test_only_new_text_is_embedded(tmp_path, own_settings):
    """A second run embeds nothing, an edit its own chunk, a rename nothing, and going back nothing."""
    commit(tmp_path, FILES)
    counts = [build(tmp_path, own_settings)]
    counts.append(build(tmp_path, own_settings))
    commit(tmp_path, {"shop/pay.py": "def charge_card(number):\n    return None\n"})
    counts.append(build(tmp_path, own_settings))
    (tmp_path / "shop" / "cart.py").rename(tmp_path / "basket.py")
    commit(tmp_path, {})
    counts.append(build(tmp_path, own_settings))
    with git.Repo(tmp_path) as repo:
        repo.git.checkout("-q", "HEAD~2")
    counts.append(build(tmp_path, own_settings))
    assert [(made.embedded, made.reused) for made in counts] == [(4, 0), (0, 4), (1, 3), (0, 4), (0, 4)]
    assert counts[-1].branch is None


def test_reuse_needs_no_model(tmp_path, own_settings):
    """What is embedded once stays usable when the model has gone; what is new then is found by its words only."""
    commit(tmp_path, FILES)
    build(tmp_path, own_settings)
    gone = Settings(cache_dir=tmp_path / "none", model_dir=tmp_path / "none")
    assert build(tmp_path, gone).model is not None
    commit(tmp_path, {"new.py": "def refund(): ...\n"})
    made = build(tmp_path, gone)
    assert (made.model is None, made.chunks, made.vectors) == (False, 5, 4)
    (missing,) = made.degraded
    assert (missing.channel, missing.reason.partition(":")[0]) == ("semantic", "1 of 5 chunks have no vector")
    assert "pip install" in missing.mend


def test_paths_select_and_are_remembered(tmp_path, own_settings):
    commit(tmp_path, FILES)
    made = build(tmp_path, own_settings, paths=("*.md",), index_dir=tmp_path / "elsewhere", vectors=False)
    assert (made.paths, made.files, made.degraded[0].reason) == (("*.md",), 1, "indexed with --no-vectors")
    assert (made.model, made.vectors) == (None, 0)
    assert IndexFolder(tmp_path / "elsewhere").current().is_dir()
    assert not (tmp_path / ".codeintel-rev").exists()


def test_files_without_a_word_can_be_indexed(tmp_path, own_settings):
    """A corpus in which BM25 finds no term at all divides by zero upstream."""
    commit(tmp_path, {"_": "---\n"})
    assert build(tmp_path, own_settings).chunks == 1


def test_many_vectors_are_searched_through_a_graph(tmp_path, monkeypatch):
    """Above the size limit the index is HNSW; it finds the same nearest vector, with a cosine as score."""
    monkeypatch.setattr(faiss_manager, "EXACT_UP_TO", 100)
    vectors = np.random.default_rng(3).standard_normal((500, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    faiss_manager.build(tmp_path, vectors)
    index = faiss_manager.FaissManager(tmp_path, 500)
    best = index.search(vectors[42:43], 3)[0]
    assert (best.doc, best.rank, round(best.score, 4)) == (42, 1, 1.0)
    with pytest.raises(DamagedIndexError, match="500 vectors for 501 chunks"):
        faiss_manager.FaissManager(tmp_path, 501)
