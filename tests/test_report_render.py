"""Rendering: a report as text that a terminal can trust, as JSON, and the schema that ships with the package."""

from __future__ import annotations

import json

import msgspec
import pytest

from codeintel_obs.report import render_json, render_text, tree, words
from codeintel_obs.report_model import (
    Exit,
    IntegrityFacts,
    ProcessFacts,
    Raised,
    ReportError,
    ReportLog,
    ReportStep,
    RunReport,
    StopReason,
    Told,
)

ESCAPE = "\x1b[2Jfake\nCOMPLETED"


def step(name, parent=None, status="completed", **fields):
    values = {
        "id": name,
        "parent": parent,
        "kind": "duckdb.query",
        "status": status,
        "detail": None,
        "payload": {},
        "started_at": "2026-11-22T10:00:00.000000Z",
        "duration_ns": None if status == "in_flight" else 1_500_000,
        "process": "h-1",
        "error": None,
        "evidence": ["d/r.jsonl:2"],
        **fields,
    }
    return ReportStep(**values)


def report(**fields):
    nothing = {name: None for name in RunReport.__struct_fields__ if name != "schema"}
    lists = {
        name: []
        for name in (
            "trace_ids", "outcome_evidence", "steps", "did_not_run", "in_flight", "handled_failures", "recovered",
            "spans", "logs", "disagreements", "processes", "plugins", "warnings", "hints", "sections",
        )
    }  # fmt: skip
    whole = IntegrityFacts(
        complete=True, files=1, records=9, gaps=[], bad_crc=[], torn_tail=[], duplicates=[], dropped=0
    )
    counts = {
        "attempt": 1,
        "attempts": 1,
        "steps_total": 0,
        "steps_omitted": 0,
        "logs_total": 0,
        "spans_total": 0,
        "ran": {},
    }
    said = {"run_id": "r1", "token": "a" * 16, "outcome": "completed", "name": "app.py", "ledger_path": "/d/r1.jsonl"}
    return RunReport(**{**nothing, **lists, **counts, **said, "integrity": whole, **fields})


def stop(**fields):
    values = {"kind": "duckdb.query", "status": "failed", "error_type": "ValueError", "message": "no table x"}
    rest = {"step": "s1", "while_handling": [], "trail": [], "evidence": ["d/r.jsonl:7"]}
    return StopReason(**{**values, **rest, **fields})


@pytest.mark.parametrize(
    ("fields", "first"),
    [
        ({"steps_total": 3}, "COMPLETED  3 steps, none failed"),
        (
            {"ran": {"k": {"failed": 1, "completed": 2}}, "steps_total": 3, "handled_failures": ["s1"]},
            "COMPLETED  3 steps, 1 failure handled",
        ),
        ({"outcome": "failed", "stopped_because": stop()}, "FAILED  ValueError: no table x  in duckdb.query"),
        (
            {
                "outcome": "failed",
                "stopped_because": stop(error_type=None, message="exit code 3", kind=None, step=None),
            },
            "FAILED  exit code 3",
        ),
        ({"outcome": "timed_out", "stopped_because": stop()}, "TIMED OUT  ValueError: no table x  in duckdb.query"),
        (
            {
                "outcome": "interrupted",
                "exit": Exit(pid=1, code=None, signal=9, evidence=[]),
                "steps": [step("a", status="in_flight"), step("b", "a", "in_flight", kind="faiss.search")],
                "in_flight": ["a", "b"],
            },
            "INTERRUPTED  by signal 9 (SIGKILL), in faiss.search",
        ),
        ({"outcome": "in_progress"}, "IN PROGRESS  no step in flight"),
        ({"outcome": "ended", "steps_total": 1}, "ENDED  1 step; nobody witnessed its exit code"),
        ({"outcome": "unknown", "steps_total": 0}, "UNKNOWN  0 steps; what is on record does not say how it ended"),
    ],
)
def test_the_first_line_is_the_verdict(fields, first):
    """How it went, what stopped it, and where: in one line, for every outcome."""
    assert render_text.render(report(**fields)).splitlines()[0] == first


def test_no_line_is_wider_than_the_terminal():
    """Long payloads, messages and names are cut; nothing wraps."""
    long = step("a", payload={"sql": "x" * 500}, error=ReportError(type="E" * 200, message="m"), status="failed")
    made = report(steps=[long], outcome="failed", stopped_because=stop(message="m" * 500), name="n" * 300)
    assert max(map(len, render_text.render(made, 80).splitlines())) <= 80


def test_hostile_texts_cannot_command_the_terminal_or_fake_a_line():
    """Whatever the ledger holds, escape sequences and newlines are shown and not obeyed."""
    log = ReportLog(at="", logger=ESCAPE, level="ERROR", text=ESCAPE, step=None, error=None, evidence=[])
    raised = Raised(error_id="e", error_type=ESCAPE, via="context", step=None, evidence=[])
    text = render_text.render(
        report(
            name=ESCAPE, outcome="failed", raw_run_id=ESCAPE, run_id=ESCAPE, ledger_path=ESCAPE,
            stopped_because=stop(message=ESCAPE, error_type=ESCAPE, kind=ESCAPE, while_handling=[raised]),
            steps=[step("a", kind=ESCAPE, payload={ESCAPE: ESCAPE}, detail=ESCAPE)], logs=[log], logs_total=1,
            warnings=[Told(message=ESCAPE, evidence=[ESCAPE])], ran={ESCAPE: {"completed": 1}},
        ),
        1_000,
    )  # fmt: skip
    assert "\x1b" not in text
    assert not any(line.startswith("COMPLETED") for line in text.splitlines())


def test_a_row_of_equal_leaves_is_folded_with_its_count_and_time():
    """Forty equal searches are three lines and one that counts the rest; a failure among them is never folded."""
    searches = [step(f"s{number}", "top", kind="faiss.search") for number in range(40)]
    searches[20] = step("bad", "top", "failed", kind="faiss.search")
    lines = [tree.line(row, 80) for row in tree.rows([step("top"), *searches])]
    folded = [line for line in lines if "more faiss.search" in line]
    assert [line.split()[1] for line in folded] == ["17", "16"]
    assert "together 25.5 ms" in folded[0]
    assert sum("FAILED" in line for line in lines) == 1


def test_a_step_whose_parent_was_omitted_stands_at_the_top():
    """The tree shows every step that is in the report, once, even with parents that point at each other."""
    made = [step("a", "gone"), step("b", "a"), step("c", "d"), step("d", "c")]
    shown = [each.id for row in tree.rows(made) for each in row.steps]
    assert shown[:2] == ["a", "b"]
    assert len(shown) == len(set(shown))


def test_steps_of_several_processes_stand_under_their_process():
    """With more than one process each is named once, by service and pid; with one, nobody needs its name."""
    facts = {"writer": None, "host": "h", "began": True, "closed": True, "alive": None, "evidence": []}
    processes = [ProcessFacts(process=f"h-{pid}", service="app", pid=pid, **facts) for pid in (1, 2)]
    steps = [step("a"), step("b"), step("c", process="h-2")]
    text = render_text.render(report(steps=steps, processes=processes))
    assert (text.count("app · pid 1"), text.count("app · pid 2")) == (1, 1)
    assert "pid" not in render_text.render(report(steps=steps[:2], processes=processes[:1]))


@pytest.mark.parametrize(
    ("ns", "shown"),
    [
        (None, "?"), (0, "0 ns"), (999, "999 ns"), (1_000, "1 µs"), (1_234_567, "1.23 ms"), (999_999_999, "1000 ms"),
        (1_500_000_000, "1.5 s"), (119_000_000_000, "119 s"), (125_000_000_000, "2 min 05 s"),
    ],
)  # fmt: skip
def test_durations_read_like_a_person_says_them(ns, shown):
    """Three digits that matter, in the unit that fits; minutes from two minutes on."""
    assert words.duration(ns) == shown


def test_the_json_holds_every_field_and_comes_back_as_it_was():
    """Unknown is null, nothing is left out, and the structs read it again."""
    made = report(steps=[step("a")], stopped_because=stop(), outcome="failed")
    text = render_json.render(made)
    assert list(json.loads(text)) == list(RunReport.__struct_fields__)
    assert msgspec.json.decode(text, type=RunReport) == made


def test_the_shipped_schema_is_the_one_of_the_structs():
    """When the model changes, run_report.schema.json is written anew from `render_json.schema_text()`."""
    assert render_json.shipped_schema() == render_json.schema_text()


def test_the_schema_names_every_field_that_a_report_prints():
    """What other programs rely on: names, the four statuses and `in_flight`, the seven outcomes."""
    made = render_json.schema()
    fields = made["$defs"]["RunReport"]["properties"]
    assert list(fields) == list(RunReport.__struct_fields__)
    assert fields["schema"]["enum"] == ["codeintel.run_report/2.1"]
    assert sorted(fields["outcome"]["enum"]) == sorted(
        ["completed", "failed", "timed_out", "interrupted", "in_progress", "ended", "unknown"]
    )
    assert "in_flight" in made["$defs"]["ReportStep"]["properties"]["status"]["enum"]
