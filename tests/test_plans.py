"""Plans: written once, when the name of a run or a call is known, and told in the report as what was not reached."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from codeintel_obs import LibraryInstrumentor, Point, recorder, settings, step
from codeintel_obs.launch.sinks import Sinks
from codeintel_obs.recorder import Listeners, Recorder, install
from codeintel_obs.runs import Run
from codeintel_obs.seams import Plan
from codeintel_obs.sinks.plans import PlansSink
from codeintel_obs.spans import Spans
from codeintel_obs.steps import RunRequest
from codeintel_obs.testing import recording

PLANS = [{"match": "nightly.py", "kinds": ["shop.find", "shop.pay"]}, {"match": "search", "kinds": ["shop.find"]}]


class Recording:
    """A recorder with this one sink, and what it was told beside it."""

    def __init__(self, name="nightly.py", plans=PLANS):
        self.settings = settings.load({}, None, {"plans": plans})
        self.run = Run(name=name)

    def __enter__(self):
        sink, self.run.is_process = PlansSink(), True
        sinks = Sinks(self.settings, [])
        sinks.manager.register(sink, "plans")
        self.active = Recorder(self.settings, self.run, sinks.listeners(), Spans(None))
        self.told = []
        self.active.record = lambda event, payload, run, **fields: self.told.append((event, payload, run, fields))
        install(self.active)
        sinks.configure(self.settings, self.active, dict)
        return self

    def __exit__(self, *_):
        install(None)


def test_a_runs_plan_is_written_once_with_its_first_record():
    """The run's name is known when it begins; later steps write nothing more."""
    with Recording() as recorded:
        for _ in range(3):
            with step("shop.find"):
                pass
    assert recorded.told == [("plan", {"match": "nightly.py", "kinds": ["shop.find", "shop.pay"]}, recorded.run, {})]


def test_a_run_of_another_name_has_no_plan():
    """A plan is for the name that it was declared for."""
    with Recording("other.py") as recorded, step("shop.find"):
        pass
    assert recorded.told == []


@pytest.mark.parametrize(("name", "planned"), [("GET /files/a/b.py", 1), ("GET /files", 0), ("POST /files/a", 0)])
def test_a_star_stands_for_the_rest_of_a_runs_name(name, planned):
    """A route with a path in it has a plan for all of its requests."""
    with Recording(name, [{"match": "GET /files/*", "kinds": ["shop.find"]}]) as recorded, step("shop.find"):
        pass
    assert len(recorded.told) == planned


def test_a_request_that_joins_has_its_plan_under_its_step():
    """The run has the name of who began it; the request is known by its method and path."""
    with Recording("client.py", [{"match": "GET /files/*", "kinds": ["shop.find"]}]) as recorded:
        recorded.run.joins = True
        with step("http.request", {"method": "GET", "path": "/files/a"}):
            pass
    ((_, payload, _, fields),) = recorded.told
    assert payload["match"] == "GET /files/*"
    assert set(fields) == {"parent_span_id", "trace_id"}


def test_a_plugins_plans_are_written_beside_those_of_the_settings():
    """They are added when the plugin's library is imported; what was planned before stays."""
    with Recording() as recorded:
        PlansSink.add((Plan("shop.find", ("shop.look",)),), recorded.active)
        with step("shop.find"):
            pass
    assert [payload["match"] for _, payload, _, _ in recorded.told] == ["nightly.py", "shop.find"]


def test_a_tools_plan_covers_its_call():
    """A tool's name is known when its call begins: the plan hangs from that step, each call of it anew."""
    with Recording("server.py") as recorded:
        for tool in ("search", "other"):
            with step("tool.call", {"tool": tool}):
                pass
    ((event, payload, run, fields),) = recorded.told
    assert (event, payload["match"], run) == ("plan", "search", recorded.run)
    assert set(fields) == {"parent_span_id", "trace_id"}


def test_a_joining_process_leaves_the_plan_to_the_beginner():
    """What several processes have part in is planned once."""
    with Recording() as recorded:
        recorded.run.ledger = type("Joined", (), {"begins": False})()
        with step("shop.find"):
            pass
    assert recorded.told == []


def test_a_request_has_the_plan_of_its_name(monkeypatch):
    """A run that a point begins is planned like a process's."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "libraries"))
    import codeintel_shop

    name, sink = "GET /search", PlansSink()
    point = Point(module="codeintel_shop", name="total", kind="http.request", run=lambda _: RunRequest(name))
    plugin = type("Requests", (LibraryInstrumentor,), {"plugin": "r", "library": "x", "points": (point,)})
    plans = [{"match": name, "kinds": ["shop.find"]}]
    with recording(plugin, plans=plans, listeners=[Listeners(run_begun=(sink.obs_run_begun,))]) as told:
        sink.configure(recorder.active.settings, recorder.active, dict)
        codeintel_shop.total([1])
    (plan,) = [record for record in told.records if record.event == "plan"]
    assert plan.payload == plans[0]
    assert plan.run_id == told.only("http.request").run.run_id


def test_the_sink_is_there_only_where_something_is_planned(tmp_path):
    """Nobody's steps pass a sink that has nothing to do."""
    code = (
        "import codeintel_obs, json; codeintel_obs.start(); from codeintel_obs import recorder\n"
        "names = [type(each.__self__).__name__ for each in recorder.active.listeners.step_begun]\n"
        "print(json.dumps('PlansSink' in names))"
    )
    said = []
    for text in ("", '[[plans]]\nmatch = "x"\nkinds = ["a.b"]'):
        (tmp_path / "codeintel_obs.toml").write_text(text)
        ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
        said.append(json.loads(ended.stdout))
    assert said == [False, True]


PROGRAM = """
import subprocess, sys
import bm25s
index = bm25s.BM25()
index.index([["cat"], ["sea"]], show_progress=False)
if len(sys.argv) < 2:
    subprocess.run([sys.executable, "app.py", "child"], check=True)
"""


@pytest.mark.slow
def test_the_report_tells_what_a_plan_expected_in_vain(tmp_path):
    """One line for a run of two processes: bm25.search was watched and not reached, faiss.search nobody would have seen."""
    (tmp_path / "app.py").write_text(PROGRAM)
    (tmp_path / "codeintel_obs.toml").write_text(
        '[[plans]]\nmatch = "app.py"\nkinds = ["bm25.index", "bm25.search", "faiss.search"]'
    )
    command = [sys.executable, "-m", "codeintel_obs.cli"]
    subprocess.run([*command, "run", "--", sys.executable, "app.py"], cwd=tmp_path, check=True)
    told = subprocess.run(
        [*command, "report", "--last", "--format", "json"], cwd=tmp_path, capture_output=True, check=True
    )
    report = json.loads(told.stdout)
    assert report["ran"]["bm25.index"] == {"completed": 2}
    absent = [(each["kind"], each["why"]) for each in report["did_not_run"]]
    assert absent == [("bm25.search", "not_reached"), ("faiss.search", "not_observed")]
