"""codeintel_rev, building: nothing is embedded twice, and a build that dies leaves the old index answering."""

import os
import signal
import subprocess
import sys
import time

import git
import numpy as np
import pytest

from codeintel_rev.config.settings import Settings
from codeintel_rev.errors import BusyError, DamagedIndexError, NotFoundError
from codeintel_rev.indexing.build import BuildRequest, build_index
from codeintel_rev.io import bm25_manager, faiss_manager
from codeintel_rev.io.generations import IndexFolder
from codeintel_rev.io.manifest import Manifest
from codeintel_rev.io.vector_store import KEY_BYTES, SEGMENTS, VectorStore

FILES = {
    "shop/cart.py": "class Cart:\n    def add_item(self, item):\n        self.items.append(item)\n",
    "shop/pay.py": "def charge_card(number, amount):\n    return gateway.charge(number, amount)\n",
    "README.md": "# A shop\n\nIt sells things.\n",
}


@pytest.fixture(scope="module")
def own_settings(tmp_path_factory):
    return Settings(cache_dir=tmp_path_factory.mktemp("cache"))


def commit(root, files):
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    with git.Repo.init(root) as repo:
        repo.git.add("-A")
        repo.git(c=["user.name=t", "user.email=t@example.invalid"]).commit("-qm", "change", "--allow-empty")
        return repo.head.commit.hexsha


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
    """What is embedded once stays usable when the model has gone; what is new then makes the index lexical."""
    commit(tmp_path, FILES)
    build(tmp_path, own_settings)
    gone = Settings(cache_dir=tmp_path / "none", model_dir=tmp_path / "none")
    assert build(tmp_path, gone).model is not None
    commit(tmp_path, {"new.py": "def refund(): ...\n"})
    made = build(tmp_path, gone)
    assert (made.model, made.chunks, [d.channel for d in made.degraded]) == (None, 5, ["semantic"])
    assert not (IndexFolder(tmp_path / ".codeintel-rev").current() / faiss_manager.FILE).exists()


def test_paths_select_and_are_remembered(tmp_path, own_settings):
    commit(tmp_path, FILES)
    made = build(tmp_path, own_settings, paths=("*.md",), index_dir=tmp_path / "elsewhere", vectors=False)
    assert (made.paths, made.files, made.degraded[0].reason) == (("*.md",), 1, "indexed with --no-vectors")
    assert IndexFolder(tmp_path / "elsewhere").current().is_dir()
    assert not (tmp_path / ".codeintel-rev").exists()


def test_files_without_a_word_can_be_indexed(tmp_path, own_settings):
    """A corpus in which BM25 finds no term at all divides by zero upstream."""
    commit(tmp_path, {"_": "---\n"})
    assert build(tmp_path, own_settings).chunks == 1


def test_one_builder_at_a_time(tmp_path):
    """The second is told so; the lock is gone as soon as the first is."""
    folder = IndexFolder(tmp_path / "index")
    with folder.building(), pytest.raises(BusyError, match="another process is indexing"), folder.building():
        pass
    with folder.building():
        pass
    assert folder.current().is_dir()


def test_a_failed_build_leaves_the_old_index(tmp_path):
    folder = IndexFolder(tmp_path)
    with folder.building() as draft:
        (draft / "mark").write_text("old")
    with pytest.raises(RuntimeError), folder.building() as draft:
        (draft / "mark").write_text("new")
        raise RuntimeError
    assert (folder.current() / "mark").read_text() == "old"
    assert len(list((tmp_path / "generations").iterdir())) == 1


def test_two_generations_are_kept(tmp_path):
    """The newest, and the one before it for a search that has just begun."""
    folder = IndexFolder(tmp_path)
    for number in range(4):
        with folder.building() as draft:
            (draft / "mark").write_text(str(number))
    marks = sorted(path.read_text() for path in tmp_path.glob("generations/*/mark"))
    assert ((folder.current() / "mark").read_text(), len(marks), "3" in marks) == ("3", 2, True)


KILLED = """
import os, signal, sys
from pathlib import Path
from codeintel_rev.io.generations import IndexFolder
with IndexFolder(Path(sys.argv[1])).building() as draft:
    (draft / "mark").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_kill_between_build_and_publish_leaves_the_old_index(tmp_path):
    """What the killed run left is never answered from, holds no lock, and goes with the next run."""
    folder = IndexFolder(tmp_path)
    with folder.building() as draft:
        (draft / "mark").write_text("old")
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert len(list(tmp_path.glob("generations/.building-*/mark"))) == 1
    assert (folder.current() / "mark").read_text() == "old"
    with folder.building():
        pass
    assert list(tmp_path.glob("generations/.building-*")) == []


def test_kill_at_any_moment_leaves_an_index_that_answers(tmp_path, own_settings):
    """SIGKILL early, in the middle and late: the pointer names a whole generation, and the next run ends well."""
    commit(tmp_path, FILES)
    build(tmp_path, own_settings)
    environment = os.environ | {"CODEINTEL_REV_CACHE": str(own_settings.cache_dir)}
    for seconds in (0.3, 0.7, 0.9, 1.1, 1.3):
        child = subprocess.Popen(
            [sys.executable, "-m", "codeintel_rev", "index", tmp_path, "--json"],
            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(seconds)
        child.kill()
        child.wait(timeout=30)
        current = IndexFolder(tmp_path / ".codeintel-rev").current()
        assert Manifest.read(current).chunks == 4
        assert len(bm25_manager.BM25Manager(current, 4).search("charge card", 5)) == 1
    assert build(tmp_path, own_settings).reused == 4


def test_a_pointer_that_lies_is_said_to_be_damaged(tmp_path):
    folder = IndexFolder(tmp_path)
    with pytest.raises(NotFoundError, match="no index in"):
        folder.current()
    for pointer in ("", "../../etc", "20990101T000000-abcdef"):
        (tmp_path / "current").write_text(pointer)
        with pytest.raises(DamagedIndexError, match="not there"):
            folder.current()


def keys_and_vectors(count, seed):
    rng = np.random.default_rng(seed)
    return [rng.bytes(KEY_BYTES) for _ in range(count)], rng.random((count, 4), np.float32)


def test_the_store_keeps_vectors_by_model(tmp_path):
    """Read back bit for bit by the same model, invisible to another, and gone with a damaged segment."""
    keys, vectors = keys_and_vectors(3, 1)
    VectorStore(tmp_path, "m", 4).add(keys, vectors)
    np.testing.assert_array_equal(VectorStore(tmp_path, "m", 4).stacked(keys[::-1]), vectors[::-1])
    assert keys[0] not in VectorStore(tmp_path, "other", 4)
    assert keys[0] not in VectorStore(tmp_path, "m", 5)
    (segment,) = tmp_path.glob("*.npz")
    segment.write_bytes(segment.read_bytes()[:100])
    assert keys[0] not in VectorStore(tmp_path, "m", 4)
    assert VectorStore(tmp_path, "m", 4).stacked([]).shape == (0, 4)


def test_the_store_is_merged_when_it_has_many_segments(tmp_path):
    store = VectorStore(tmp_path, "m", 4)
    made = [keys_and_vectors(1, seed) for seed in range(SEGMENTS + 1)]
    for keys, vectors in made:
        store.add(keys, vectors)
    store.tidy([])
    again = VectorStore(tmp_path, "m", 4)
    assert len(list(tmp_path.iterdir())) == 1
    for keys, vectors in made:
        np.testing.assert_array_equal(again.stacked(keys), vectors)


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
