"""What the stages of codeintel_rev are recorded as: choices, counts, skips with their reasons, failures as they were."""

from __future__ import annotations

import threading
from contextlib import closing

import duckdb
import pytest
from openai_server import serving
from rev_corpus import PATIENT, commit, remote

from codeintel_obs import Status
from codeintel_obs.plugins.codeintel_rev.instrumentor import CodeIntelRevInstrumentor
from codeintel_obs.testing import recording
from codeintel_rev.config.settings import RerankSettings, SearchSettings, VectorSettings
from codeintel_rev.errors import DamagedIndexError, NotFoundError, SearchFailedError, UsageError
from codeintel_rev.indexing import build
from codeintel_rev.indexing.build import BuildRequest
from codeintel_rev.io.generations import IndexFolder
from codeintel_rev.io.hybrid_search import HybridSearch, Wish

FILES = {
    "shop/cart.py": "class Cart:\n    def add_item(self, item):\n        self.items.append(item)\n",
    "shop/pay.py": "def charge_card(number, amount):\n    return gateway.charge(number, amount)\n",
}
QUERY = "how to charge a card"
STAGES = ["budget", "gather_channels", "fuse", "recency_boost", "hydrate", "rerank"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """An indexed repository whose vectors came from a server that has gone since."""
    made = tmp_path_factory.mktemp("repo")
    commit(made, FILES)
    with serving() as (url, _):
        build.build_index(BuildRequest(made, remote(made, url)))
    return made


@pytest.fixture
def generation(root):
    return IndexFolder(root / ".codeintel-rev").current()


@pytest.fixture
def served():
    with serving() as (url, behaviour):
        yield url, behaviour


def watched(**options):
    return recording(CodeIntelRevInstrumentor, **options)


def searched(generation, settings, query=QUERY, wish=None, **options):
    """Return the answer, and what was recorded of it."""
    with closing(HybridSearch(generation, settings)) as index, watched(**options) as told:
        return index.search(query, 3, wish), told


def searching(generation, settings, wish=None):
    with closing(HybridSearch(generation, settings)) as index:
        return index.search(QUERY, 3, wish)


def channel(told, name):
    """Return the ended step of a channel that was asked."""
    (found,) = [each for each in told.of("retrieval.channel") if told.payload(each)["channel"] == name]
    return found


# -- a whole search --------------------------------------------------------------------------------------------------


def test_stages_are_steps_in_their_order(served, generation, tmp_path):
    """One search is its stages, each under it, and each channel that is asked under the one that gathers them."""
    _, told = searched(generation, remote(tmp_path, served[0]))
    search = told.only("retrieval.search")
    begun = [step.kind for step in told.begun if step.parent is search]
    assert begun == [f"retrieval.{stage}" for stage in STAGES]
    gather = told.only("retrieval.gather_channels")
    assert [step.parent for step in told.of("retrieval.channel")] == [gather] * 2


def test_channels_are_in_threads_of_their_own(served, generation, tmp_path):
    """A channel's step is where the channel works, and hangs from the search that asked."""
    _, told = searched(generation, remote(tmp_path, served[0]))
    threads = {told.payload(step)["channel"]: step.thread for step in told.of("retrieval.channel")}
    assert {name: thread.rpartition("_")[0] for name, thread in threads.items()} == {
        name: f"codeintel-rev-{name}" for name in ("semantic", "bm25")
    }
    assert {step.run.run_id for step in told.steps} == {told.only("retrieval.search").run.run_id}


def test_payloads_say_choices_and_counts(served, generation, tmp_path):
    """What was decided and how much came of it, and no text below the level that may hold texts."""
    found, told = searched(generation, remote(tmp_path, served[0]))
    by_kind = {step.kind: told.payload(step) for step in told.steps if step.kind != "retrieval.channel"}
    assert by_kind["retrieval.search"] == {
        "query_len": len(QUERY), "k": 3, "query_kind": "natural", "hits": len(found.hits), "degraded": 0
    }  # fmt: skip
    assert by_kind["retrieval.budget"] == {
        "query_len": len(QUERY),
        "k": 3,
        "rerank": False,
        "query_kind": "natural",
        "names": 0,
        "channels": ["semantic", "bm25", "splade", "exact"],
        "depths": dict.fromkeys(("semantic", "bm25", "splade", "exact"), 100),
        "weights": found.weights,
        "seconds": PATIENT.deadline,
        "rrf_k": 10,
    }
    assert by_kind["retrieval.gather_channels"] == {
        "channels": ["semantic", "bm25"],
        "outcomes": {each.channel: each.status for each in found.channels},
        "found": sum(len(each.found) for each in found.channels),
        "warnings": 0,
    }
    fused = by_kind["retrieval.fuse"]["fused_docs"]
    assert by_kind["retrieval.fuse"] == {"channels": ["semantic", "bm25"], "rrf_k": 10, "fused_docs": fused}
    assert by_kind["retrieval.recency_boost"] == {"docs": fused, "boosted": fused}
    assert by_kind["retrieval.hydrate"] == {"docs": len(found.hits), "rows": len(found.hits)}


def test_the_query_is_kept_where_texts_are(served, generation, tmp_path):
    """A query is a text: at content level ``all`` only."""
    _, told = searched(generation, remote(tmp_path, served[0]), content="all")
    assert told.only("retrieval.search").payload["query"] == QUERY


# -- what does not run ------------------------------------------------------------------------------------------------


def skips(told):
    return {
        step.kind: (step.detail, told.payload(step)) for step in told.steps if step.instant and step.status == "skipped"
    }


def test_a_skipped_channel_has_the_kind_that_did_not_run(served, generation, tmp_path):
    """The application's own reason, under the stage that decided: a channel with nothing to do is given no thread."""
    _, told = searched(generation, remote(tmp_path, served[0]))
    assert skips(told) == {
        "splade.search": ("no SPLADE model is configured (splade.model)", {"channel": "splade"}),
        "duckdb.query": ("the query names no identifier", {"channel": "exact"}),
    }
    assert {step.parent for step in told.steps if step.instant} == {told.only("retrieval.gather_channels")}
    assert sorted(told.payload(step)["channel"] for step in told.of("retrieval.channel")) == ["bm25", "semantic"]


def test_a_channel_of_no_weight_is_not_asked(served, generation, tmp_path):
    """Its skip stands under the stage that decided, with the reason that the answer gives."""
    found, told = searched(generation, remote(tmp_path, served[0]), "shop/pay.py")
    reasons = {each.channel: each.reason for each in found.channels if each.status == "skipped"}
    gather = told.only("retrieval.gather_channels")
    assert skips(told) == {
        "faiss.search": (reasons["semantic"], {"channel": "semantic"}),
        "splade.search": (reasons["splade"], {"channel": "splade"}),
    }
    assert [step.parent for step in told.steps if step.instant] == [gather, gather]
    assert sorted(told.payload(step)["channel"] for step in told.of("retrieval.channel")) == ["bm25", "exact"]


def test_vectors_elsewhere_are_skipped_by_their_own_name(served, generation, tmp_path):
    """Where the settings keep vectors in Qdrant, it is no search of FAISS that did not run."""
    settings = remote(tmp_path, served[0])
    elsewhere = type(settings)(**{**vars_of(settings), "vectors": VectorSettings(store="qdrant")})
    _, told = searched(generation, elsewhere, "shop/pay.py")
    assert "qdrant.search" in skips(told)
    assert "faiss.search" not in skips(told)


def vars_of(settings):
    return {name: getattr(settings, name) for name in settings.__dataclass_fields__}


@pytest.mark.parametrize(
    ("search", "kind", "reason"),
    [
        (SearchSettings(recency=0.0, deadline=60.0), "retrieval.recency_boost", "switched off (search.recency = 0)"),
        (PATIENT, "retrieval.rerank", "not asked for, or none configured (rerank.kind)"),
    ],
)
def test_a_stage_that_is_not_wanted_is_skipped(served, generation, tmp_path, search, kind, reason):
    """A wrapped call that says so itself ends as skipped."""
    _, told = searched(generation, remote(tmp_path, served[0], search=search))
    step = told.only(kind)
    assert (step.status, step.detail) == (Status.SKIPPED, reason)


# -- what fails -------------------------------------------------------------------------------------------------------


def test_a_failed_channel_has_the_exception_that_it_raised(served, generation, tmp_path):
    """The application makes an outcome of it; the step cites the very exception, and the search goes on."""
    url, behaviour = served
    behaviour.statuses = [(503, {})] * 99
    found, told = searched(generation, remote(tmp_path, url, attempts=2))
    step = channel(told, "semantic")
    reason = found.channels[0].reason
    assert (step.status, step.detail) == (Status.FAILED, reason)
    assert step.error.type == "codeintel_rev.errors.EmbeddingError"
    assert reason in step.error.message
    assert told.only("retrieval.search").status is Status.COMPLETED
    assert told.payload(told.only("retrieval.gather_channels"))["warnings"] == 1


def test_a_channel_whose_server_hangs_timed_out(served, generation, tmp_path):
    """``timed_out`` is what the application's own client said of the server."""
    url, behaviour = served
    behaviour.hangs = True
    _, told = searched(generation, remote(tmp_path, url, query_timeout=0.3))
    step = channel(told, "semantic")
    assert step.status is Status.TIMED_OUT
    assert step.error.type == "codeintel_rev.errors.EmbeddingTimeoutError"


def test_a_channel_that_is_no_longer_waited_for(served, generation, tmp_path, monkeypatch):
    """The search says ``timed_out`` at once; the channel's own step ends when its thread does, as it really ended."""
    gate = threading.Event()
    monkeypatch.setattr("codeintel_rev.io.bm25_manager.BM25Manager.search", lambda *_: gate.wait() and ())
    search = SearchSettings(deadline=2.0)
    with closing(HybridSearch(generation, remote(tmp_path, served[0], search=search))) as index, watched() as told:
        found = index.search(QUERY, 3)
        at_once = [step for step in told.of("retrieval.channel") if step.instant]
        in_flight = [step.payload for step in told.open if step.kind == "retrieval.channel"]
        gate.set()
        index._workers._pools["bm25"].shutdown(wait=True)
    reasons = {each.channel: each.reason for each in found.channels if each.status == "timed_out"}
    assert [(step.status, step.detail, told.payload(step)["channel"]) for step in at_once] == [
        (Status.TIMED_OUT, reason, name) for name, reason in reasons.items()
    ]
    assert {"channel": "bm25"} in in_flight
    (late,) = [
        step for step in told.of("retrieval.channel") if not step.instant and step.payload == {"channel": "bm25"}
    ]
    assert (late.status, told.payload(late)["outcome"]) == (Status.COMPLETED, "ran")


def test_a_search_without_any_channel_fails_with_its_exception(generation, tmp_path):
    """The application's error is the step's, and later stages have no step."""
    settings = remote(tmp_path, "http://127.0.0.1:1", attempts=1)
    weights = Wish({"bm25": 0.0, "exact": 0.0})
    with watched() as told, pytest.raises(SearchFailedError):
        searching(generation, settings, weights)
    assert told.only("retrieval.search").error.type == "codeintel_rev.errors.SearchFailedError"
    assert told.of("retrieval.fuse") == []


def test_a_stage_that_fails_and_is_not_vital(served, generation, tmp_path, monkeypatch):
    """The boost fails with DuckDB's exception; the answer is whole but for it."""

    def refuse(_catalog, _docs):
        raise duckdb.IOException("disk on fire")

    monkeypatch.setattr("codeintel_rev.io.duckdb_catalog.DuckDBCatalog.committed", refuse)
    found, told = searched(generation, remote(tmp_path, served[0]))
    step = told.only("retrieval.recency_boost")
    assert (step.status, step.error.type) == (Status.FAILED, "_duckdb.IOException")
    assert found.hits


def test_a_reranker_that_cannot_be_reached(served, generation, tmp_path):
    """Asked for and failed: the fused order stands, and the step says why it does."""
    rerank = RerankSettings(kind="vllm", url="http://127.0.0.1:1", model="m", timeout=2.0)
    found, told = searched(generation, remote(tmp_path, served[0], rerank=rerank))
    step = told.only("retrieval.rerank")
    assert (step.status, step.error.type) == (Status.FAILED, "codeintel_rev.errors.RemoteError")
    assert told.payload(step)["scored"] == 0
    assert found.hits


def test_a_reranker_that_answers(served, generation, tmp_path):
    """What was scored is counted."""
    rerank = RerankSettings(kind="vllm", url=served[0], model="m", timeout=60.0)
    found, told = searched(generation, remote(tmp_path, served[0], rerank=rerank))
    step = told.only("retrieval.rerank")
    assert step.status is Status.COMPLETED
    assert told.payload(step)["scored"] == len(found.hits)


def test_a_damaged_catalog_fails_the_stage_that_reads_it(served, generation, tmp_path, monkeypatch):
    """The error that goes out is chained to the one that came in."""

    def refuse(_catalog, _docs):
        raise duckdb.IOException("disk on fire")

    monkeypatch.setattr("codeintel_rev.io.duckdb_catalog.DuckDBCatalog.rows", refuse)
    with watched() as told, pytest.raises(DamagedIndexError):
        searching(generation, remote(tmp_path, served[0]))
    step = told.only("retrieval.hydrate")
    assert (step.status, step.error.type) == (Status.FAILED, "codeintel_rev.errors.DamagedIndexError")
    assert [link.type for link in step.error.chain] == ["_duckdb.IOException"]


# -- indexing, and errors as they are mapped ---------------------------------------------------------------------------


def test_indexing_is_its_stages(served, tmp_path):
    """What was read, embedded, written and published; twice, since the words are searchable first."""
    commit(tmp_path / "repo", FILES)
    with watched() as told:
        built = build.build_index(BuildRequest(tmp_path / "repo", remote(tmp_path, served[0])))
    facts = told.payload(told.only("index.build"))
    assert (facts["chunks"], facts["vectors"], facts["embedded"]) == (built.manifest.chunks, 3, 3)
    assert told.payload(told.only("index.read")) == {"files": 2, "chunks": 3, "unparsed": 0, "files_skipped": 0}
    assert told.payload(told.only("index.embed")) == {"missing": 3, "reused": 0, "vectors": 3}
    assert [told.payload(step)["vectors"] for step in told.of("index.write")] == [0, 3]
    assert len(told.of("index.publish")) == 2


def test_a_model_that_is_not_there_skips_embedding(tmp_path):
    """The index says why it has no vectors; so does the step."""
    settings = remote(tmp_path, "http://127.0.0.1:1", attempts=1)
    commit(tmp_path / "repo", FILES)
    with watched() as told:
        built = build.build_index(BuildRequest(tmp_path / "repo", settings))
    step = told.only("index.embed")
    assert (step.status, step.detail) == (Status.SKIPPED, built.manifest.degraded[0].reason)


def test_a_mapped_error_cites_the_exception(tmp_path, capsys):
    """What became a line on stderr is the exception that a step raised: the same id, and no second failure."""
    from codeintel_rev.cli.program import main

    with watched() as told:
        code = main(["search", "x", "--repo", str(tmp_path)])
    capsys.readouterr()
    instant, step = told.only("error"), told.only("command.search")
    assert (instant.status, told.payload(instant)) == (Status.COMPLETED, {"exit_code": code})
    assert (step.status, step.error.id) == (Status.FAILED, instant.error.id)
    assert code == NotFoundError.exit_code


@pytest.mark.parametrize("error", [NotFoundError("gone"), UsageError("odd")])
def test_errors_that_become_answers(error):
    """Of HTTP and of MCP: an instant with the status on the class, whoever asks."""
    from codeintel_rev.app import problems
    from codeintel_rev.mcp_server import error_handling

    with watched() as told:
        problems.of_error(error)
        error_handling.tool_error(error)
    assert [told.payload(step) for step in told.of("error")] == [{"http_status": type(error).http_status}] * 2
    assert {step.error.id for step in told.of("error")} != {None}
