"""Hints: the table of rules, what they fit, and how a team adds its own; none of it is ever a fact."""

from __future__ import annotations

import json
import sys

import processes
import pytest
import reports

from codeintel_obs.report import render_json, render_md, render_text
from codeintel_obs.report.hint_rules import END, RULES, Rule, Subject
from codeintel_obs.report.hints import first_rule, hinted
from codeintel_obs.report_model import Exit, ReportError, StopReason, Told


def messages(made):
    return [each.message for each in hinted(made).hints]


def hint(name):
    (rule,) = [rule for rule in RULES if rule.name == name]
    return rule.hint


def lost(**fields):
    return ReportError(
        type="_duckdb.IOException", message="Could not set lock on file: held (PID 7)", id="e1", **fields
    )


# -- the table ---------------------------------------------------------------------------------------------------------


def test_every_rule_has_a_name_of_its_own_a_hint_and_a_fault():
    """The table is whole: a rule that no fault triggers is not in it."""
    assert len({rule.name for rule in RULES}) == len({rule.hint for rule in RULES}) == len(RULES)
    assert [rule.name for rule in RULES if not rule.faults or not rule.hint.strip()] == []


def test_the_faults_that_rules_name_are_the_benchmarks():
    """Every one is a case, which holds the report to exactly the hints of the rules that name it."""
    from faults import cases

    named = {fault for rule in RULES for fault in rule.faults}
    assert named - {case.name for case in cases.every()} == set()


def test_no_rule_is_hidden_behind_an_earlier_one():
    """Of two rules for the same, the one with more conditions comes first."""
    for at, rule in enumerate(RULES):
        subject = _fitting(rule)
        if subject is not None:
            assert first_rule(subject) is rule, (rule.name, at)


def _fitting(rule: Rule) -> Subject | None:
    """Return a subject that has exactly what ``rule`` asks for; None where nothing in particular is asked for."""
    kind = rule.kinds[0].replace("*", "part")
    code = next((each for each in range(-70, 600) if each in rule.codes), None) if rule.codes else None
    payload = {key: 3 if 3 in wanted else wanted[0] for key, wanted in rule.payload.items()}
    return Subject(kind, rule.statuses[0], rule.types[:1], rule.says[0] if rule.says else "",
                   () if code is None else (code,), payload, ["e"])  # fmt: skip


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        (
            Subject("git.process", "failed", ("git.exc.GitCommandError",), codes=(128,), payload={"subcommand": "add"}),
            "git lock",
        ),
        (
            Subject("git.process", "failed", ("git.exc.GitCommandError",), codes=(1,), payload={"subcommand": "add"}),
            None,
        ),
        (Subject("git.process", "timed_out", codes=(-9,)), "git hangs"),
        (Subject("http_client.post", "failed", ("httpx2.ConnectError", "ConnectionRefusedError")), "server refused"),
        (Subject("vllm.embed_batch", "failed", codes=(503,)), "server unavailable"),
        (Subject("faiss.search", "completed", payload={"missing": 4, "ntotal": 8}), "faiss fewer than k"),
        (Subject("faiss.search", "completed", payload={"ntotal": 8}), None),
        (
            Subject("faiss.write_index", "failed", ("RuntimeError",), "write error: No space left on device"),
            "disk full",
        ),
        (Subject("splade.load", "failed", ("OSError",)), "model missing"),
        (Subject(END, "interrupted", codes=(-9,)), "killed"),
        (Subject("duckdb.query", "failed", ("builtins.ValueError",)), None),
    ],
)
def test_the_first_rule_that_fits_is_taken(subject, name):
    """By kind, status, class of exception, code, words and payload; nothing that fits is no hint."""
    rule = first_rule(subject)
    assert (rule.name if rule else None) == name


# -- from a report -----------------------------------------------------------------------------------------------------


def test_a_hint_cites_what_it_met():
    """The evidence is the failed step's; equal hints are one, with the evidence of each."""
    steps = [
        reports.step(
            f"s{n}",
            None,
            "failed",
            kind="duckdb.connect",
            error=ReportError(type="_duckdb.IOException", message="Could not set lock", id=f"e{n}"),
            evidence=reports.cite(n),
        )
        for n in (4, 6)
    ]
    assert hinted(reports.report(steps=steps)).hints == [
        Told(message=hint("duckdb locked"), evidence=[*reports.cite(4), *reports.cite(6)])
    ]


def test_one_exception_gives_one_hint():
    """The steps around the one that first raised it tell of the same exception: they are not asked about again."""
    outer = reports.step("outer", None, "failed", kind="duckdb.query", error=lost(), evidence=reports.cite(2))
    inner = reports.step("inner", "outer", "failed", kind="duckdb.connect", error=lost(), evidence=reports.cite(3))
    assert [each.evidence for each in hinted(reports.report(steps=[outer, inner])).hints] == [reports.cite(3)]


def test_a_recovered_failure_needs_no_hint():
    """What worked the second time is no riddle."""
    from codeintel_obs.report_model import Recovery

    steps = [
        reports.step("a", None, "failed", kind="duckdb.connect", error=lost()),
        reports.step("b", kind="duckdb.connect"),
    ]
    recovered = [Recovery(kind="duckdb.connect", failed="a", completed="b", evidence=[])]
    assert messages(reports.report(steps=steps, recovered=recovered)) == []


def test_the_reason_of_the_stop_comes_first():
    """Before failures that were handled, however early these were."""
    steps = [
        reports.step(
            "early",
            None,
            "failed",
            kind="bm25.search",
            error=ReportError(type="FileNotFoundError", message="", id="e0"),
        ),
        reports.step("stop", None, "failed", kind="duckdb.connect", error=lost()),
    ]
    stop = StopReason(kind="duckdb.connect", status="failed", error_type="_duckdb.IOException", message="", step="stop",
                      while_handling=[], trail=[], evidence=[])  # fmt: skip
    assert messages(reports.report(steps=steps, stopped_because=stop)) == [hint("duckdb locked"), hint("bm25 index")]


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"outcome": "interrupted", "exit": Exit(pid=1, code=None, signal=11, evidence=["x"])}, "crashed"),
        ({"outcome": "failed", "exit": Exit(pid=1, code=3, signal=None, evidence=["x"])}, "exit code"),
        ({"outcome": "completed", "exit": Exit(pid=1, code=0, signal=None, evidence=["x"])}, None),
    ],
)
def test_the_end_of_the_run_has_rules_too(fields, name):
    """By signal and by exit code; a good end has no hint."""
    assert messages(reports.report(**fields)) == ([hint(name)] if name else [])


def test_a_ledger_that_lost_records_is_cited_where_it_says_so():
    """By the record of the drop; where none could be written, by the place where the file breaks off."""
    made = reports.report(warnings=[Told(message="3 records could not be written: ENOSPC", evidence=reports.cite(9))])
    made.integrity.dropped = 3
    made.integrity.torn_tail = reports.cite(8)
    assert hinted(made).hints == [Told(message=hint("records dropped"), evidence=reports.cite(9))]
    made.warnings = []
    assert hinted(made).hints == [Told(message=hint("records dropped"), evidence=reports.cite(8))]


def test_hints_have_a_heading_of_their_own_in_every_form():
    """Text, Markdown and JSON keep them apart from facts."""
    made = hinted(reports.report(steps=[reports.step("a", None, "failed", kind="duckdb.connect", error=lost())]))
    assert "Hints (not facts)" in render_text.render(made)
    assert "## Hints, not facts" in render_md.render(made)
    assert json.loads(render_json.render(made))["hints"][0]["message"] == hint("duckdb locked")


def test_the_same_report_has_the_same_hints():
    """Rules look at the report alone."""
    assert hinted(reports.failed()).hints == hinted(reports.failed()).hints


# -- a team's own ------------------------------------------------------------------------------------------------------

TEAM = """
from codeintel_obs import hookimpl

class Team:
    @hookimpl
    def obs_runbook(self, step):
        if step.kind == "shop.pay":
            return [f"ask the desk about {step.error.type}"]

    @hookimpl
    def obs_report_sections(self, report):
        return [{"title": "Desk", "text": f"{len(report.steps)} steps"}]

class Broken:
    @hookimpl
    def obs_runbook(self, step):
        raise KeyError("no such page")
"""
FAILING = "import codeintel_obs as obs\nobs.start()\nwith obs.step('shop.pay'):\n    raise ValueError('no money')\n"


@pytest.fixture
def team(tmp_path):
    """A distribution of a team's own, found as any that is installed, for the reader only."""
    site = tmp_path / "site"
    (site / "team-1.0.dist-info").mkdir(parents=True)
    (site / "team_hints.py").write_text(TEAM)
    (site / "team-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: team\nVersion: 1.0\n")
    points = "[codeintel_obs]\nteam = team_hints:Team\nbroken = team_hints:Broken\n"
    (site / "team-1.0.dist-info" / "entry_points.txt").write_text(points)
    return {"PYTHONPATH": str(site)}


def told(folder, **env):
    ended = processes.run(folder, processes.OBS, "report", "--last", "--format", "json", **env)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_a_team_adds_hints_and_sections_of_its_own(tmp_path, team):
    """`obs_runbook` is asked of each failed step by the command, and cites it; `obs_report_sections` of the report."""
    processes.run(tmp_path, processes.OBS, "run", "--", sys.executable, "-c", FAILING)
    with_team, without = told(tmp_path, **team), told(tmp_path)
    step = next(each for each in with_team["steps"] if each["kind"] == "shop.pay")
    assert {"message": "ask the desk about ValueError", "evidence": step["evidence"]} in with_team["hints"]
    assert with_team["sections"] == [{"title": "Desk", "text": f"{len(with_team['steps'])} steps"}]
    assert (without["hints"], without["sections"]) == ([], [])


def test_a_hook_that_raises_costs_nobody_the_report(tmp_path, team):
    """The report says which sink it was; the other's hints are there."""
    processes.run(tmp_path, processes.OBS, "run", "--", sys.executable, "-c", FAILING)
    made = told(tmp_path, **team)
    assert any("sink broken raised" in each["message"] for each in made["warnings"])
    assert len(made["hints"]) == 1


def test_a_denied_sink_is_not_asked(tmp_path, team):
    """What is switched off stays off for readers too."""
    processes.run(tmp_path, processes.OBS, "run", "--", sys.executable, "-c", FAILING)
    assert told(tmp_path, CODEINTEL_OBS_DISABLED_PLUGINS="team,broken", **team)["hints"] == []
