"""codeintel_rev, searching by name, path and expression, and what recency and a reranker change."""

from contextlib import closing

import pytest
from openai_server import serving
from rev_corpus import PATIENT, commit, remote

from codeintel_rev.config.settings import RerankSettings, SearchSettings
from codeintel_rev.errors import UsageError
from codeintel_rev.indexing.build import BuildRequest, build_index
from codeintel_rev.io.generations import IndexFolder
from codeintel_rev.io.hybrid_search import HybridSearch, Wish

WRITER = '''class LedgerWriter:
    """Appends records."""

    def __init__(self, path):
        self.path = path

    def append(self, record):
        """LedgerWriter appends: LedgerWriter LedgerWriter LedgerWriter."""
        return LedgerWriter, record

    def close(self):
        return LedgerWriter
'''
FILES = {
    "ledger/writer.py": WRITER,
    "ledger/use.py": "def use_ledger_writer(path):\n    writer = LedgerWriter(path)\n    return writer.append(1)\n",
    "old.py": "def shared_name(one):\n    return frobnicate(one)\n",
}
NEW = {"new.py": "def shared_name(two):\n    return frobnicate(two)\n"}


@pytest.fixture(scope="module")
def served():
    with serving() as (url, behaviour):
        yield url, behaviour


@pytest.fixture(scope="module")
def generation(tmp_path_factory, served):
    root = tmp_path_factory.mktemp("repo")
    commit(root, FILES, "2020-01-01T00:00:00Z")
    commit(root, NEW, "2026-01-01T00:00:00Z")
    build_index(BuildRequest(root, remote(root, served[0])))
    return IndexFolder(root / ".codeintel-rev").current()


@pytest.fixture
def searching(generation, served, tmp_path):
    def search(query, k=5, wish=None, **settings):
        with closing(HybridSearch(generation, remote(tmp_path, served[0], **settings))) as index:
            return index.search(query, k, wish)

    return search


def stage(found, name):
    return next(item for item in found.stages if item.stage == name)


def test_the_name_of_a_class_finds_the_class_before_its_methods(searching):
    """Also though its methods say the name more often than it does itself."""
    hits = searching("LedgerWriter").hits
    assert (hits[0].kind, hits[0].name, hits[0].channels["exact"].rank) == ("class", "LedgerWriter", 1)
    assert searching("ledgerwriter").hits[0].name == "LedgerWriter"
    assert searching("LedgerWriter.append").hits[0].name == "LedgerWriter.append"
    assert searching("what does LedgerWriter do").hits[0].name == "LedgerWriter"


def test_a_path_finds_its_chunks_and_asks_no_model(searching, served):
    before = len(served[1].requests)
    found = searching("ledger/use.py")
    assert (found.query_kind, found.hits[0].path) == ("path", "ledger/use.py")
    assert len(served[1].requests) == before
    assert "its weight for a query of kind path is 0" in found.channels[0].reason
    assert found.degraded == ()


def test_an_expression_finds_its_matches(searching):
    found = searching(r"def \w+_ledger_\w+\(")
    assert (found.query_kind, [hit.name for hit in found.hits][:1]) == ("regex", ["use_ledger_writer"])
    assert searching(r"frobnicate\((one|none)\)").hits[0].path == "old.py"


@pytest.mark.parametrize("expression", [r"(a+)+\1x\w", r"(?<=x)\w+", r"(\w{900}){900}"])
def test_an_expression_that_cannot_be_searched_degrades_the_answer(searching, expression):
    """Backreferences, look-behind and giant repetitions are what RE2 refuses; the words of it are still searched."""
    found = searching(expression)
    (missing,) = found.degraded
    assert (missing.channel, bool(missing.reason)) == ("exact", True)


def test_an_expression_that_explodes_elsewhere_is_answered(searching):
    assert searching(r"(a+)+$|(\w+\s?)*x").query_kind == "regex"


def test_of_two_equals_the_younger_file_comes_first(searching):
    """By the dates of the commits, and only as long as recency counts."""
    hits = searching("shared_name frobnicate").hits[:2]
    assert [hit.path for hit in hits] == ["new.py", "old.py"]
    assert hits[0].boost > hits[1].boost >= 1.0
    off = searching("shared_name", search=SearchSettings(deadline=100.0, recency=0.0))
    assert (stage(off, "recency_boost").status, stage(off, "recency_boost").expected) == ("skipped", True)
    assert off.hits[0].boost is None
    assert off.degraded == ()


def test_every_stage_says_what_became_of_it(searching):
    found = searching("append a record")
    assert [(item.stage, item.status) for item in found.stages] == [
        ("budget", "ran"),
        ("fuse", "ran"),
        ("recency_boost", "ran"),
        ("hydrate", "ran"),
        ("rerank", "skipped"),
    ]
    assert stage(found, "hydrate").detail == {"rows": len(found.hits)}
    assert stage(found, "rerank").expected
    assert found.seconds > 0


def test_weights_of_one_search_change_its_order(searching):
    """All weight on one channel is that channel's order."""
    only = {"semantic": 0.0, "exact": 0.0, "splade": 0.0, "bm25": 1.0}
    found = searching("LedgerWriter", 5, Wish(weights=only))
    assert [hit.channels["bm25"].rank for hit in found.hits] == list(range(1, len(found.hits) + 1))
    with pytest.raises(UsageError, match="no channel nosuch"):
        searching("LedgerWriter", 5, Wish(weights={"nosuch": 1.0}))


@pytest.mark.parametrize("endpoint", ["rerank", "score"])
def test_a_reranker_has_the_last_word(searching, served, endpoint):
    """Over both endpoints: hits in the order of its scores, which they carry."""
    own = RerankSettings(kind="vllm", url=served[0], model="cross", endpoint=endpoint, timeout=60.0)
    found = searching("writer path append", 3, rerank=own)
    scores = [hit.rerank for hit in found.hits]
    assert (scores, stage(found, "rerank").status) == (sorted(scores, reverse=True), "ran")
    assert found.degraded == ()
    assert searching("writer path", 3, Wish(rerank=False), rerank=own).hits[0].rerank is None


def test_a_reranker_that_fails_leaves_the_fused_order(searching, served):
    own = RerankSettings(kind="vllm", url=f"{served[0]}/nowhere", model="cross", timeout=60.0)
    served[1].statuses = [(200, {}), (404, {})]  # the query's embedding, then the reranker
    found = searching("writer path append", 3, rerank=own)
    plain = searching("writer path append", 3)
    assert [hit.name for hit in found.hits] == [hit.name for hit in plain.hits]
    (missing,) = found.degraded
    assert (missing.channel, "said 404" in missing.reason) == ("rerank", True)


def test_a_reranker_that_is_asked_for_and_not_there_is_named(searching):
    (missing,) = searching("writer path", 3, Wish(rerank=True)).degraded
    assert (missing.channel, "rerank.kind = none" in missing.reason) == ("rerank", True)


def test_a_hung_reranker_costs_no_more_than_its_time(searching):
    with serving() as (url, behaviour):
        behaviour.hangs = True
        own = RerankSettings(kind="vllm", url=url, model="cross", timeout=0.5)
        found = searching("writer path append", 3, rerank=own, search=PATIENT)
        assert not behaviour.over.is_set()
    assert (stage(found, "rerank").status, len(found.hits)) == ("timed_out", 3)
    assert [item.channel for item in found.degraded] == ["rerank"]


def test_among_many_methods_of_a_name_the_function_is_not_cut_off(tmp_path, served):
    """200 methods that are indexed before it, and a channel that hands over 100 documents."""
    methods = {
        f"a{number:03}.py": f"class K{number}:\n    def run(self):\n        return {number}\n" for number in range(200)
    }
    commit(tmp_path, methods | {"z.py": "def run(task):\n    return task()\n"})
    build_index(BuildRequest(tmp_path, remote(tmp_path, served[0])))
    with closing(
        HybridSearch(IndexFolder(tmp_path / ".codeintel-rev").current(), remote(tmp_path, served[0]))
    ) as index:
        assert index.search("run", 3).hits[0].path == "z.py"
