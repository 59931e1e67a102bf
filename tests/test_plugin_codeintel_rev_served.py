"""Real servers and commands of codeintel_rev under the recorder: the report tells stages, skips, plans and errors."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import duckdb
import pytest
from processes import OBS, report
from rev_served import LAUNCHERS, WATCHED, asked, commit, rev, serving, write_repository

from codeintel_rev.io.generations import IndexFolder

pytestmark = pytest.mark.slow
SEARCH = ["search", "budget", "gather_channels", "fuse", "recency_boost", "hydrate", "rerank"]
SEARCH_KINDS = [f"retrieval.{stage}" for stage in SEARCH]
NOT_RERANKED = "not asked for, or none configured (rerank.kind)"
NO_SPLADE = "no SPLADE model is configured (splade.model)"
CALLS = {
    "semantic_search": {"query": "charge"},
    "semantic_search_pro": {"query": "charge"},
    "search_text": {"pattern": "charge"},
    "find_symbol": {"name": "charge_card"},
    "open_file": {"path": "pay.py"},
    "list_paths": {},
    "blame_range": {"path": "pay.py", "start_line": 1, "end_line": 3},
    "file_history": {"path": "pay.py"},
    "index_status": {},
}
ROUTES = {
    "/v1/search?q=charge": "search",
    "/v1/text?pattern=charge": "search_text",
    "/v1/symbols?name=charge": "find_symbol",
    "/v1/files": "list_paths",
    "/v1/files/pay.py": "open_file",
    "/v1/blame?path=pay.py": "blame_range",
    "/v1/history?path=pay.py": "file_history",
    "/v1/index": "index_status",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An indexed repository without vectors."""
    made = tmp_path_factory.mktemp("watched")
    (made / "repo").mkdir()
    write_repository(made / "repo")
    assert rev(made, "index", "repo").returncode == 0
    return made


@pytest.fixture(scope="module")
def server(folder):
    with serving(folder, launcher=WATCHED) as served:
        yield served


def absent(told, *reasons):
    """Return what did not run for one of these reasons, by kind."""
    return {each["kind"]: each["detail"] for each in told["did_not_run"] if each["why"] in reasons}


def under(told, kind):
    """Return the kinds of the steps right under the one of ``kind``, in order."""
    (above,) = [step["id"] for step in told["steps"] if step["kind"] == kind]
    return [step["kind"] for step in told["steps"] if step["parent"] == above]


def plans(told, folder):
    """Return the kinds that were planned in a run, from its ledger."""
    path = folder / ".codeintel" / "telemetry" / "runs"
    (ledger,) = path.glob(f"*/{told['run_id']}.jsonl")
    lines = map(json.loads, ledger.read_text().splitlines())
    return [line["payload"]["kinds"] for line in lines if line["event"] == "plan"]


# -- commands ---------------------------------------------------------------------------------------------------------


def test_a_command_is_told_from_its_begin_to_its_code(folder):
    """``codeintel-rev search``: its stages, each channel's work in its own, and what did not run and why."""
    done = rev(folder, "search", "charge a card", "--repo", "repo", "--json", launcher=WATCHED)
    assert done.returncode == 0, done.stderr
    told = report(folder)
    (command,) = [step for step in told["steps"] if step["kind"] == "command.search"]
    assert command["payload"]["exit_code"] == 0
    assert under(told, "retrieval.search") == SEARCH_KINDS[1:]
    channels = [step for step in told["steps"] if step["kind"] == "retrieval.channel"]
    (bm25,) = [step["id"] for step in channels if step["payload"]["channel"] == "bm25"]
    assert "bm25.search" in [step["kind"] for step in told["steps"] if step["parent"] == bm25]
    answer = json.loads(done.stdout)
    semantic = next(each["reason"] for each in answer["channels"] if each["channel"] == "semantic")
    assert absent(told, "skipped") == {
        "faiss.search": semantic,
        "splade.search": NO_SPLADE,
        "duckdb.query": "the query names no identifier",
        "retrieval.rerank": NOT_RERANKED,
    }
    assert absent(told, "not_reached", "not_observed") == {}
    assert told["integrity"]["complete"]


def test_answers_are_equal_with_and_without(folder):
    """The recorder changes no byte of an answer but its times."""
    bare, watched = (
        rev(folder, "search", "charge a card", "--repo", "repo", launcher=launcher) for launcher in ((), WATCHED)
    )
    lasting = [line for line in bare.stdout.splitlines() if not line.startswith(("indexed commit", "channels:"))]
    assert lasting
    assert set(lasting) <= set(watched.stdout.splitlines())
    assert len(bare.stdout.splitlines()) == len(watched.stdout.splitlines())


def test_a_command_that_finds_no_index(tmp_path):
    """The run failed with the error of the step; the line on stderr is its instant; planned stages are not reached."""
    (tmp_path / "empty").mkdir()
    done = rev(tmp_path, "search", "x", "--repo", "empty", launcher=WATCHED)
    told = report(tmp_path)
    assert done.returncode == 3
    (instant,) = [step for step in told["steps"] if step["kind"] == "error"]
    (command,) = [step for step in told["steps"] if step["kind"] == "command.search"]
    assert instant["error"]["id"] == command["error"]["id"]
    assert instant["payload"] == {"exit_code": 3}
    assert told["ran"]["error"] == {"completed": 1}
    assert sorted(absent(told, "not_reached", "not_observed")) == sorted(SEARCH_KINDS)


def test_indexing_is_told_by_its_stages(tmp_path):
    """``codeintel-rev index``: without a model the embedding is skipped with the reason that the index gives."""
    (tmp_path / "repo").mkdir()
    write_repository(tmp_path / "repo")
    done = rev(tmp_path, "index", "repo", "--json", launcher=WATCHED)
    told = report(tmp_path)
    stages = [kind for kind in under(told, "index.build") if kind.startswith("index.")]
    assert stages == ["index.read", "index.embed", "index.write", "index.publish"]
    reason = json.loads(done.stdout)["degraded"][0]["reason"]
    assert absent(told, "skipped")["index.embed"] == reason
    assert absent(told, "not_reached", "not_observed") == {}


def test_an_index_is_the_same_with_and_without(folder):
    """The same chunks, names and words are published; the manifests differ in their times alone."""
    made, asked_for = [], ("search", "charge a card", "--repo", "repo", "--json", "--index-dir")
    for name, launcher in LAUNCHERS.items():
        done = rev(folder, "index", "repo", "--index-dir", name, launcher=launcher)
        assert done.returncode == 0, done.stderr
        hits = json.loads(rev(folder, *asked_for, name).stdout)["hits"]
        made.append((contents(IndexFolder(folder / name).current()), hits))
    assert made[0] == made[1]


def contents(generation):
    """Return everything of a generation but when it was made, and how long that took."""
    manifest = json.loads((generation / "manifest.json").read_text())
    with duckdb.connect(str(generation / "catalog.duckdb"), read_only=True) as connection:
        rows = connection.execute("select * from chunks order by doc").fetchall()
        dates = connection.execute("select * from files order by all").fetchall()
    words = sorted(
        json.loads((generation / "bm25" / "vocab.index.json").read_text())
    )  # numbered by chance in each process
    return {key: manifest[key] for key in manifest.keys() - {"indexed_at", "seconds"}}, rows, dates, words


# -- HTTP -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", ROUTES)
def test_a_request_is_its_services_stages(server, route):
    """Each route's plan is kept: what it asks of the service is under its request, and nothing planned is missing."""
    with server.client() as client:
        answered = client.get(route)
    told = report(server.folder, answered.headers["x-run-id"])
    assert answered.status_code == 200
    assert under(told, "http.request")[0] == f"service.{ROUTES[route]}"
    assert absent(told, "not_reached", "not_observed") == {}
    (planned,) = plans(told, server.folder)
    assert f"service.{ROUTES[route]}" in planned


def test_a_refused_request_has_its_mapped_error(server):
    """A 400 is an answer: the request is completed, the error says its class and id, the stages are not reached."""
    with server.client() as client:
        answered = client.get("/v1/search", params={"q": " "})
    told = report(server.folder, answered.headers["x-run-id"])
    by_kind = {step["kind"]: step for step in told["steps"]}
    assert (answered.status_code, told["outcome"]) == (400, "completed")
    assert by_kind["error"]["payload"] == {"http_status": 400}
    assert by_kind["error"]["error"]["id"] == by_kind["service.search"]["error"]["id"]
    assert told["handled_failures"] == [by_kind["service.search"]["id"]]
    assert sorted(absent(told, "not_reached")) == sorted(SEARCH_KINDS)


def test_a_failed_request_stopped_at_the_stage_that_raised(server):
    """A 503: the run failed with the exception of the search, and later stages were not reached."""
    with server.client() as client:
        answered = client.post("/v1/search", json={"query": "charge", "weights": {"bm25": 0, "exact": 0}})
    told = report(server.folder, answered.headers["x-run-id"])
    assert (answered.status_code, told["outcome"]) == (503, "failed")
    assert told["stopped_because"]["error_type"] == "codeintel_rev.errors.SearchFailedError"
    (search,) = [step["id"] for step in told["steps"] if step["kind"] == "retrieval.search"]
    assert told["stopped_because"]["step"] == search
    assert sorted(absent(told, "not_reached")) == sorted(SEARCH_KINDS[3:])
    weightless = "its weight for a query of kind identifier is 0"
    assert absent(told, "skipped")["bm25.search"] == absent(told, "skipped")["duckdb.query"] == weightless


def test_a_reindex_is_in_the_run_that_asked_for_it(tmp_path):
    """The process that indexes joins the run of the request, and its stages are told there."""
    (tmp_path / "repo").mkdir()
    write_repository(tmp_path / "repo")
    assert rev(tmp_path, "index", "repo").returncode == 0
    (tmp_path / "repo" / "more.py").write_text("def more():\n    pass\n")
    commit(tmp_path / "repo", "More")
    with serving(tmp_path, launcher=WATCHED) as served, served.client() as client:
        answered = client.post("/v1/index")
        assert answered.status_code == 202
        while client.get("/v1/index").json().get("indexing"):
            pass
        while (last := client.get("/v1/index").json().get("last_reindex")) is None:
            pass
    assert last["exit_code"] == 0
    told = report(tmp_path, answered.headers["x-run-id"])
    kinds = [step["kind"] for step in told["steps"]]
    assert kinds.count("service.reindex") == 1
    assert {"command.index", "index.build", "index.publish"} <= set(kinds)
    assert len({step["process"] for step in told["steps"]}) == 2


# -- MCP --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["http", "stdio"])
def test_each_tool_passes_what_its_plan_says(server, transport):
    """Every tool over both transports: under its call what it asks of the service, and nothing planned is missing."""
    results = asyncio.run(asked(server, transport, *CALLS.items()))
    for name, result in zip(CALLS, results, strict=True):
        told = report(server.folder, result.meta["run_id"])
        service = "search" if name.startswith("semantic") else name
        assert not result.is_error, name
        assert f"service.{service}" in under(told, "tool.call"), name
        assert absent(told, "not_reached", "not_observed") == {}, name
        (planned,) = plans(told, server.folder)
        assert f"service.{service}" in planned


@pytest.mark.parametrize("transport", ["http", "stdio"])
def test_a_tools_error_is_the_services(server, transport):
    """``isError``: the call failed with the very exception that the service raised, told once as mapped."""
    (result,) = asyncio.run(asked(server, transport, ("open_file", {"path": "nope.py"})))
    told = report(server.folder, result.meta["run_id"])
    by_kind = {step["kind"]: step for step in told["steps"]}
    assert result.is_error
    assert told["outcome"] == "failed"
    assert told["stopped_because"]["error_type"] == "codeintel_rev.errors.NotFoundError"
    assert told["stopped_because"]["step"] == by_kind["service.open_file"]["id"]
    assert by_kind["error"]["error"]["id"] == by_kind["service.open_file"]["error"]["id"]


def test_a_joined_request_has_its_plan_too(server):
    """A request that is a part of its sender's run begins none: its plan covers the request."""
    day = datetime.now(UTC).date().isoformat()
    baggage = f"codeintel.run=outer,codeintel.attempt=00112233445566aa,codeintel.day={day}"
    with server.client() as client:
        answered = client.get("/v1/files/pay.py", headers={"baggage": baggage})
    assert answered.headers["x-run-id"] == "outer"
    (ledger,) = (server.folder / ".codeintel" / "telemetry" / "runs").glob("*/outer*.jsonl")
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    (request,) = [line["span_id"] for line in lines if line["event"] == "step.begin" and line["kind"] == "http.request"]
    (plan,) = [line for line in lines if line["event"] == "plan"]
    assert (plan["parent_span_id"], plan["payload"]["kinds"]) == (request, ["service.open_file"])


def test_a_switched_off_plugin_tells_nothing(folder):
    """``--disable codeintel_rev``: the libraries are told, the stages and plans are not."""
    done = rev(
        folder, "search", "charge a card", "--repo", "repo", launcher=(OBS, "run", "--disable", "codeintel_rev", "--")
    )
    told = report(folder)
    assert done.returncode == 0
    assert [kind for kind in told["ran"] if kind.startswith(("retrieval.", "command."))] == []
    assert "bm25.search" in told["ran"]
    assert plans(told, folder) == []
