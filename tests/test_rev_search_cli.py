"""codeintel_rev, `search` on the command line: what may be chosen for one question, and what --explain shows."""

import json

import pytest
from openai_server import serving
from rev_corpus import commit, remote

from codeintel_rev.cli.program import main
from codeintel_rev.indexing.build import BuildRequest, build_index

FILES = {
    "pay.py": "class Card:\n    def charge(self, amount):\n        return self.bank.charge(amount)\n",
    "rain.py": "def rain_tomorrow(city):\n    return forecast(city).rain\n",
}


@pytest.fixture(scope="module")
def repo(tmp_path_factory):
    root = tmp_path_factory.mktemp("repo")
    commit(root, FILES)
    with serving() as (url, _):
        build_index(BuildRequest(root, remote(root, url)))
    return root


@pytest.fixture
def asking(repo, capsys, monkeypatch):
    """Asks with a server of its own, which the repository's file names."""
    with serving() as (url, behaviour):
        (repo / "codeintel_rev.toml").write_text(
            f'[embedding]\nkind = "vllm"\nurl = "{url}"\nmodel = "hashed-words"\nquery_timeout = 60\n[search]\ndeadline = 90\n'
        )

        def ask(*arguments):
            code = main(["search", *arguments, "--repo", str(repo)])
            return code, capsys.readouterr().out

        yield ask, behaviour


def test_the_repositorys_settings_are_used(asking):
    ask, behaviour = asking
    code, out = ask("charge a card", "--json")
    answer = json.loads(out)
    assert (code, answer["degraded"], len(behaviour.requests)) == (0, [], 1)
    assert {channel["channel"]: channel["status"] for channel in answer["channels"]} == {
        "semantic": "ran",
        "bm25": "ran",
        "splade": "skipped",
        "exact": "skipped",
    }


def test_weights_rerank_and_deadline_are_of_one_question(asking):
    """Without the semantic channel no model is asked; a reranker that is not there is named."""
    ask, behaviour = asking
    _, out = ask(
        "charge a card",
        "--weight",
        "semantic=0",
        "--weight",
        "bm25=2",
        "--rerank",
        "--deadline",
        "50",
        "--json",
        "--explain",
    )
    answer = json.loads(out)
    weights = {channel["channel"]: channel["weight"] for channel in answer["channels"]}
    assert (weights["semantic"], weights["bm25"], behaviour.requests) == (0.0, 2.0, [])
    assert answer["stages"][0]["deadline"] == 50.0
    assert [item["channel"] for item in answer["degraded"]] == ["rerank"]


def test_explain_shows_every_channel_and_stage(asking):
    ask, _ = asking
    _, out = ask("Card", "--explain")
    explained = out[out.index("query kind: identifier") :]
    for name in ("semantic", "bm25", "splade", "exact", "budget", "fuse", "recency_boost", "hydrate", "rerank"):
        assert f"  {name} " in explained
    assert "no SPLADE model is configured" in explained


@pytest.mark.parametrize(
    "wrong", [["--weight", "bm25"], ["--weight", "bm25=nan"], ["--deadline", "0"], ["--deadline", "soon"]]
)
def test_a_wrong_option_is_wrong_use(asking, wrong):
    ask, _ = asking
    with pytest.raises(SystemExit) as caught:
        ask("x", *wrong)
    assert caught.value.code == 2


def test_a_channel_that_does_not_exist_is_wrong_use(asking):
    ask, _ = asking
    assert ask("x", "--weight", "bm26=1")[0] == 2
