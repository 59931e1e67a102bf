"""What a run's processes watched: facts that changed after their manifests hold for every request in them."""

from __future__ import annotations

import json
import urllib.request

import pytest
from processes import BIN, OBS, report, run
from servers import running
from test_report_fold import HOST, Script

from codeintel_obs.report.build import Surroundings, build
from codeintel_obs.report.entries import batched
from codeintel_obs.report_model import IntegrityFacts

APP = """
from fastapi import FastAPI
app = FastAPI()

@app.get("/rows")
def rows():
    import duckdb
    return duckdb.sql("select 1").fetchall()
"""
WHOLE = IntegrityFacts(complete=True, files=1, records=3, gaps=[], bad_crc=[], torn_tail=[], duplicates=[], dropped=0)


@pytest.mark.slow
def test_a_request_knows_what_its_process_wrapped_after_the_manifest(tmp_path):
    """A library whose steps are in the report is never called not imported: the process run says when it was wrapped."""
    (tmp_path / "served.py").write_text(APP)
    words = [OBS, "run", "--quiet", "--plugins", "fastapi,duckdb,git", "--", str(BIN / "uvicorn"), "served:app"]
    with running(tmp_path, [*words, "--port", "{port}"]) as server:
        asked = urllib.request.Request(f"{server.url}/rows", headers={"X-Run-ID": "asked"})
        urllib.request.urlopen(asked, timeout=30).read()
        server.stop()
    told = report(tmp_path, "asked")
    plugins = {each["name"]: each for each in told["plugins"]}
    assert {"http.request", "duckdb.query"} <= set(told["ran"])
    for name in ("fastapi", "duckdb"):
        assert plugins[name]["facts"]["wrapped"] > 0
        assert plugins[name]["version"]
    assert (plugins["duckdb"]["library"], plugins["fastapi"]["library"]) == ("duckdb", "starlette")
    assert any("~" not in each and ".jsonl:" in each and "asked" not in each for each in plugins["duckdb"]["evidence"])
    (tmp_path / "r.json").write_text(json.dumps(told))
    assert run(tmp_path, OBS, "verify", "--report", "r.json").returncode == 0


def planned(manifest, earlier=()):
    """Return the report of a request with a plan for DuckDB, and the ``earlier`` facts of its process."""
    script = Script(parent_run_id="p")
    script.begin("call", "tool.call")
    script.add("plan", parent_span_id="call", payload={"match": "search", "kinds": ["duckdb.query"]})
    script.end("call")
    script.run_end()
    asked = []

    def of_process(parent, until):
        asked.append((parent, until))
        return earlier

    around = Surroundings(
        "r", "a" * 16, lambda: WHOLE, alive={HOST: False}, manifests={HOST: {"plugins": manifest}}, earlier=of_process
    )
    made = build(lambda: batched(script.entries), around)
    assert asked == [("p", script.entries[-1][1].mono_ns)]
    (absent,) = made.did_not_run
    return absent, made


def test_a_planned_kind_that_the_process_wrapped_was_not_reached():
    """The activation record of the process run is the witness, and is cited."""
    other = Script()
    payload = {"plugin": "duckdb", "library": "duckdb", "points": {"wrapped": 2}, "kinds": {"duckdb.query": "wrapped"}}
    other.add("activation", place="2026-11-22/p.jsonl", payload=payload)
    absent, made = planned({"duckdb": {"points": {}, "fact": "not imported"}}, [(HOST, other.entries[-1])])
    assert (absent.why, absent.evidence[-1]) == ("not_reached", "2026-11-22/p.jsonl:1")
    assert [(each.library, each.facts) for each in made.plugins] == [("duckdb", {"wrapped": 2})]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"disabled": "disabled by command line"}, "duckdb: disabled by command line"),
        ({"fact": "not imported"}, "duckdb: not imported"),
    ],
)
def test_a_plugin_that_was_not_loaded_is_named_as_the_witness_that_was_off(facts, said):
    """It has no kinds on record; its own fact says why nobody would have seen them."""
    absent, _ = planned({"duckdb": {"points": {}, **facts}})
    assert (absent.why, absent.detail, absent.evidence[-1]) == ("not_observed", said, f"{HOST}.json#duckdb")
