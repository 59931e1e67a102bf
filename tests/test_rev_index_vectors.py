"""codeintel_rev, embedding: what was embedded once never is again, and what fails is made up for by the next run."""

import subprocess

import git
import pytest
from rev_repository import commit, counting, functions

from codeintel_rev.config.settings import EmbeddingSettings, Settings
from codeintel_rev.indexing.build import BuildRequest, build_index
from codeintel_rev.indexing.status import index_status
from codeintel_rev.io.freshness import freshness
from codeintel_rev.io.generations import IndexFolder
from codeintel_rev.io.manifest import Manifest
from codeintel_rev.retrieval.search import SearchRequest, search

FILES = {
    "cart.py": "class Cart:\n    def add(self, item):\n        self.items.append(item)\n",
    "pay.py": "def charge(number, amount):\n    return gateway.charge(number, amount)\n",
    "README.md": "# A shop\n",
}


@pytest.fixture
def server():
    with counting() as counted:
        yield counted


def build(root, settings, **more):
    return build_index(BuildRequest(root, settings, **more)).manifest


def test_an_edit_embeds_its_own_chunk_only(tmp_path, server):
    """Not the other chunks of its file, and nothing for a rename or for the same text elsewhere."""
    settings, root = server.settings(tmp_path / "cache"), tmp_path / "repo"
    commit(root, FILES)
    build(root, settings)
    assert len(server.texts()) == 4
    commit(root, {"cart.py": FILES["cart.py"].replace("append", "insert")})
    assert (build(root, settings).embedded, server.texts()) == (
        1,
        ["cart add\n    def add(self, item):\n        self.items.insert(item)"],
    )
    commit(root, {"pay.py": None, "moved/charge.py": FILES["pay.py"], "copy.py": FILES["pay.py"]})
    assert (build(root, settings).embedded, server.texts()) == (0, [])


def test_switching_branches_back_embeds_nothing(tmp_path, server):
    """Also after several others, when no generation that is kept uses those vectors any more."""
    settings, root = server.settings(tmp_path / "cache"), tmp_path / "repo"
    commit(root, FILES)
    build(root, settings)
    with git.Repo(root) as repo:
        for name in ("one", "two", "three", "four"):
            repo.git.checkout("-q", "-b", name, "master")
            commit(root, {"cart.py": functions(3, name), "pay.py": None, "README.md": None})
            build(root, settings)
        assert len(server.texts()) == 4 + 4 * 3
        for name in ("master", "one", "master", "four"):
            repo.git.checkout("-q", name)
            assert (build(root, settings).embedded, server.texts()) == (0, [])


def test_a_worktree_has_its_own_index_and_borrows_vectors(tmp_path, server):
    """Its manifest is that of its branch; what its sibling has embedded is copied, not made again."""
    settings, one, two = server.settings(tmp_path / "cache"), tmp_path / "one", tmp_path / "two"
    commit(one, FILES)
    build(one, settings)
    subprocess.run(["git", "-C", one, "worktree", "add", "-qb", "side", two], check=True)
    commit(two, {"side.py": "def only_here(): ...\n"})
    server.texts()
    made = build(two, settings)
    assert (made.branch, made.root, made.chunks, made.embedded) == ("side", str(two), 5, 1)
    assert server.texts() == ["only here\ndef only_here(): ..."]
    old = Manifest.read(IndexFolder(one / ".codeintel-rev").current())
    assert (old.branch, old.root, old.chunks) == ("master", str(one), 4)
    assert build(one, settings).embedded == 0


def test_another_model_embeds_anew_and_coming_back_does_not(tmp_path, server):
    """Vectors of two models lie side by side, and never in one index."""
    root = tmp_path / "repo"
    commit(root, FILES)
    first, second = (server.settings(tmp_path / "cache", model=name) for name in ("first", "second"))
    models = [build(root, settings).model for settings in (first, second)]
    assert models == ["vllm:first/64", "vllm:second/64"]
    assert len(server.texts()) == 8
    assert (build(root, first).embedded, server.texts()) == (0, [])


def test_words_are_searchable_before_the_vectors_are_made(tmp_path, server):
    """While the server thinks, the new commit is published without vectors, and says what is missing and why."""
    settings, root = server.settings(tmp_path / "cache"), tmp_path / "repo"
    commit(root, {"many.py": functions(100)})
    seen = []

    class Looking:
        def stage(self, label, total):
            if label.startswith("embedding"):
                seen.append((label, Manifest.read(IndexFolder(root / ".codeintel-rev").current())))

        def advance(self, units=1): ...

    made = build_index(BuildRequest(root, settings), Looking()).manifest
    ((label, first),) = seen
    assert label == "embedding 100 chunks (words are searchable already)"
    assert (first.commit, first.chunks, first.vectors, first.model) == (made.commit, 100, 0, None)
    assert first.degraded[0].reason == "the vectors of 100 of 100 chunks are being made"
    assert (made.vectors, made.degraded) == (100, ())


def test_a_server_that_fails_midway_loses_only_its_part(tmp_path, server):
    """The index has the vectors that were made, the reason stands in it, and the next run makes the rest."""
    settings, root = server.settings(tmp_path / "cache"), tmp_path / "repo"
    commit(root, {"many.py": functions(60)})
    server.behaviour.statuses = [(200, {})] * 3 + [(400, {})] * 10  # the models, the dimension, one batch
    made = build(root, settings)
    assert (made.chunks, made.vectors, made.embedded) == (60, 16, 16)
    assert made.degraded[0].reason.startswith("44 of 60 chunks have no vector: ")
    server.behaviour.statuses = []
    server.texts()
    made = build(root, settings)
    assert (made.vectors, made.embedded, len(server.texts()), made.degraded) == (60, 44, 44, ())


def test_a_batch_that_is_refused_does_not_stop_the_others(tmp_path, server):
    """One text that a server cannot take costs its batch, and no more."""
    settings, root = server.settings(tmp_path / "cache"), tmp_path / "repo"
    commit(root, {"many.py": functions(60)})
    server.behaviour.statuses = [(200, {})] * 2 + [(400, {})]
    assert build(root, settings).vectors == 44


def test_a_server_that_hangs_does_not_hold_up_the_words(tmp_path, server, monkeypatch):
    monkeypatch.setattr("codeintel_rev.indexing.vectors.PROBE_SECONDS", 0.3)
    settings, root = server.settings(tmp_path / "cache"), tmp_path / "repo"
    commit(root, FILES)
    server.behaviour.hangs = True
    made = build(root, settings)
    assert (made.chunks, made.vectors, [d.channel for d in made.degraded]) == (4, 0, ["semantic"])


def test_an_outage_keeps_the_vectors_that_there_are(tmp_path, server):
    """What the server cannot be asked for is missing from the new index; all that was stored is in it."""
    settings, root = server.settings(tmp_path / "cache"), tmp_path / "repo"
    commit(root, FILES)
    build(root, settings)
    commit(root, {"new.py": "def refund(): ...\n"})
    server.behaviour.statuses = [(503, {})] * 10
    made = build(root, settings)
    assert (made.chunks, made.vectors, made.model) == (5, 4, "vllm:hashed-words/64")
    assert made.degraded[0].reason.startswith("1 of 5 chunks have no vector: ")
    assert freshness(made, root)[2] == made.degraded  # so every answer from it says so
    switched_off = Settings(tmp_path / "cache", embedding=EmbeddingSettings("none"))
    assert build(root, switched_off).vectors == 0


TRANSLATED = {"de.po": 'msgid "the basket"\nmsgstr "der Warenkorb"\n'}


def test_translations_are_left_to_their_words(tmp_path, server):
    """No vector is made of them; nothing is said to be missing, and their words find them."""
    settings, root = server.settings(tmp_path / "cache"), tmp_path / "repo"
    commit(root, FILES | TRANSLATED)
    made = build(root, settings)
    assert (made.chunks, made.vectors, made.words_only, made.degraded) == (5, 4, 1, ())
    assert not [text for text in server.texts() if "Warenkorb" in text]
    assert index_status(root).kind == "complete"
    found = search(SearchRequest("Warenkorb", settings, root))
    assert (found.hits[0].path, found.degraded) == ("de.po", ())


def test_whoever_wants_them_by_meaning_says_so_and_back(tmp_path, server):
    """Without patterns everything has a vector; with them again, one that is stored is not used."""
    settings, root = server.settings(tmp_path / "cache"), tmp_path / "repo"
    everything = server.settings(tmp_path / "cache", words_only=())
    commit(root, FILES | TRANSLATED)
    assert [build(root, own).vectors for own in (settings, everything, settings)] == [4, 5, 4]


def test_an_index_of_translations_alone_skips_meaning(tmp_path, server):
    """A skip with its reason, as for a channel that is not configured, and no complaint."""
    settings, root = server.settings(tmp_path / "cache"), tmp_path / "repo"
    commit(root, TRANSLATED)
    made = build(root, settings)
    found = search(SearchRequest("Warenkorb", settings, root))
    semantic = next(outcome for outcome in found.channels if outcome.channel == "semantic")
    assert (made.model, made.degraded, found.degraded) == (None, (), ())
    assert (semantic.status, semantic.reason) == (
        "skipped",
        "every indexed file is left to its words (embedding.words_only)",
    )


def test_the_words_that_were_published_first_are_not_made_again(tmp_path, server):
    """An index before its vectors numbers its documents as the one after it, those without a vector last."""
    settings, root = server.settings(tmp_path / "cache"), tmp_path / "repo"
    commit(root, TRANSLATED | {"many.py": functions(40)})
    folder, seen = IndexFolder(root / ".codeintel-rev"), []

    class Looking:
        def stage(self, label, total):
            if label.startswith("embedding"):
                seen.append((folder.current() / "words.json").read_text())

        def advance(self, units=1): ...

    build_index(BuildRequest(root, settings), Looking())
    assert seen == [(folder.current() / "words.json").read_text()]
