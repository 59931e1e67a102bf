"""What a person at night reads first: the verdict whole, failures with their messages, every line with its proof."""

from __future__ import annotations

import pytest
from test_report_render import report, step, stop

from codeintel_obs.cli import main
from codeintel_obs.report import render_text, words
from codeintel_obs.report_model import Elsewhere, Exit, Raised, ReportError, ReportLog, Told

LONG = "Catalog Error: Table with name " + "x" * 200


def text_of(**fields):
    return render_text.render(report(**fields))


def lines_under(text, head):
    """Return the lines of the section that begins with ``head``."""
    (section,) = [each for each in text.split("\n\n") if each.startswith(head)]
    return section.splitlines()[1:]


def test_a_long_message_does_not_push_the_place_out_of_the_verdict():
    """The first line cuts the message, never the kind of the step that raised it."""
    first = text_of(outcome="failed", stopped_because=stop(message=LONG)).splitlines()[0]
    assert len(first) <= 100
    assert first.startswith("FAILED  ValueError: Catalog Error")
    assert first.endswith("…  in duckdb.query")


def test_the_message_of_the_stop_reason_is_told_to_its_end():
    """What stopped the run is wrapped and not cut: its end is often what matters."""
    message = f"Error in {'x' * 300} could not open ./index.faiss: No such file or directory"
    text = text_of(outcome="failed", stopped_because=stop(message=message))
    told = lines_under(text, "Stopped because")
    assert max(map(len, told)) <= 100
    assert any(line.endswith("No such file or directory") for line in told)


def test_lines_of_other_files_are_cited_by_a_short_name_that_the_end_explains():
    """A run of several processes has long file names; cut at the width of a line they would prove nothing."""
    own, other = "2026-11-22/asked.jsonl", "2026-11-22/asked~0123456789abcdef~01234567.jsonl"
    elsewhere = Elsewhere(step="0123456789abcdef", kind="tool.call", status="failed", error_type="LookupError",
                          message="no book " + "x" * 200, process="h-2", evidence=[f"{other}:14", f"{other}:15"])  # fmt: skip
    made = report(outcome="failed", stopped_because=stop(evidence=[f"{own}:9", f"{other}:2"], elsewhere=[elsewhere]))
    made.ledger_path = f"/d/telemetry/runs/{own}"
    made.integrity.read = [f"{own}:1-9", f"{other}:1-20"]
    text = render_text.render(made)
    assert "in another process under it: tool.call [01234567] f2#14, f2#15\n    LookupError: no book x" in text
    assert "evidence: #9, f2#2" in text
    assert f"  #n is record n of /d/telemetry/runs/{own}\n  f2#n is record n of /d/telemetry/runs/{other}\n" in text


def test_hints_and_warnings_are_told_to_their_end():
    """Half a hint is none."""
    made = report(hints=[Told(message="look " * 30 + "here", evidence=["x"])],
                  warnings=[Told(message="lost " * 30 + "there", evidence=["x"])])  # fmt: skip
    text = render_text.render(made)
    assert text.count("here\n") == text.count("there\n") + 1 == 2
    assert max(map(len, text.splitlines()[:-2])) <= 100


def test_steps_in_flight_of_one_kind_are_counted():
    """Three processes in flight are not told as one kind said three times."""
    steps = [step(name, status="in_flight", kind="git.process") for name in "abc"]
    killed = Exit(pid=1, code=None, signal=9, evidence=[])
    first = text_of(outcome="interrupted", exit=killed, steps=steps, in_flight=list("abc")).splitlines()[0]
    assert first == "INTERRUPTED  by signal 9 (SIGKILL), in 3 git.process"


@pytest.mark.parametrize(("outcome", "above"), [("interrupted", True), ("in_progress", True), ("completed", False)])
def test_what_was_in_flight_stands_first_only_where_it_is_the_answer(outcome, above):
    """Of an interrupted run it says where it was; of one that ended, it is a remark below the steps."""
    text = text_of(outcome=outcome, steps=[step("a", status="in_flight")], in_flight=["a"])
    head = "In flight" if above else "Still open when the run ended"
    assert (text.index(head) < text.index("Steps (")) is above


def test_failures_stand_with_their_messages_and_what_became_of_them():
    """A handled failure and one whose fate is not known are both told, with message and proof; the stop is not again."""
    failed = {
        name: step(name, status="failed", error=ReportError(type="ValueError", message=f"no {name}", id=f"e-{name}"))
        for name in ("handled", "unknown", "stopper")
    }
    raised = Raised(error_id="e-stopper", error_type="ValueError", via="end", step="stopper", evidence=[])
    text = text_of(
        outcome="failed", stopped_because=stop(step="stopper", trail=[raised]), steps=list(failed.values()),
        handled_failures=["handled"],
    )  # fmt: skip
    assert lines_under(text, "Handled failures (1)") == [
        "  duckdb.query [handled] d/r.jsonl:2",
        "    ValueError: no handled",
    ]
    assert lines_under(text, "Failures of which it is not known whether they were handled (1)") == [
        "  duckdb.query [unknown] d/r.jsonl:2",
        "    ValueError: no unknown",
    ]


def test_a_log_line_cites_its_record():
    """What the application logged stands with the place of its record."""
    log = ReportLog(at="", logger="app", level="ERROR", text="gone", step=None, error=None, evidence=["d/r1.jsonl:7"])
    text = text_of(logs=[log], logs_total=1, ledger_path="/x/d/r1.jsonl")
    assert lines_under(text, "Logs: 1 record") == ["  #7  ERROR app: gone"]


def test_hashes_do_not_fill_a_line():
    """A hash says nothing to a reader; the JSON has it."""
    assert words.few_of({"sql_sha256": "f" * 64, "op": "SELECT"}, 80) == "op=SELECT"


@pytest.mark.parametrize(("folder", "said"), [(".codeintel", ""), (".demo", " --data-dir .demo")])
def test_the_command_for_the_rest_finds_the_run_from_here(tmp_path, monkeypatch, folder, said):
    """What is meant to be copied names the folder that the run was found in, unless it is looked in anyway."""
    monkeypatch.chdir(tmp_path)
    made = report(ledger_path=f"{tmp_path}/{folder}/telemetry/runs/d/r1.jsonl", attempts=2, attempt=1)
    last = render_text.render(made).splitlines()[-1]
    assert last == f"  all of it: codeintel-obs report r1 --attempt 1{said} --format json"


# -- the commands -----------------------------------------------------------------------------------------------------


@pytest.fixture
def empty(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return str(tmp_path / "nowhere")


def test_runs_says_where_it_looked(empty, capsys):
    """Nothing recorded there is told with the folder; no match is told as no match."""
    assert main(["runs", "--data-dir", empty]) == 0
    assert capsys.readouterr().out == f"no run in {empty}; record one: codeintel-obs run -- CMD\n"
    assert main(["runs", "--failed", "--data-dir", empty]) == 0
    assert capsys.readouterr().out == f"no run in {empty} matches; leave a filter out, or raise --limit\n"


def test_runs_tells_why_under_each_run_that_did_not_do_well(capsys):
    """The reason stands under its run, cut to the terminal; a run that did well has none."""
    from codeintel_obs.cli.runs import _table

    row = {"started_at": None, "name": "app.py", "steps": 3, "duration_ns": 5, "complete": True}
    bad = {**row, "run_id": "bad", "outcome": "failed", "verdict": "FAILED  ValueError: no table x  in duckdb.query"}
    good = {**row, "run_id": "good", "outcome": "completed", "verdict": "COMPLETED  3 steps, none failed"}
    _, first, why, second = _table([bad, good]).splitlines()
    assert ("bad" in first, why, "good" in second) == (True, "  ValueError: no table x  in duckdb.query", True)


def test_verify_says_where_it_looked(empty, capsys):
    """No ledger is told with the folder."""
    assert main(["verify", "--all", "--data-dir", empty]) == 0
    assert capsys.readouterr().out == f"no ledger in {empty}; record one: codeintel-obs run -- CMD\n"


def test_a_sink_that_a_setting_leaves_off_is_not_called_enabled(empty, capsys, monkeypatch):
    """`stdlog` is off until its setting says otherwise, and the list says which."""
    states = []
    for value in ("0", "1"):
        monkeypatch.setenv("CODEINTEL_OBS_STDLOG", value)
        assert main(["plugins"]) == 0
        states += [line for line in capsys.readouterr().out.splitlines() if " stdlog " in line]
    assert [" off: stdlog is not set " in states[0], " enabled " in states[1]] == [True, True]


def test_sizes_are_told_for_people_too(empty, capsys):
    """A number of bytes is followed by what a person would say."""
    assert main(["config"]) == 0
    assert "2147483648 (2 GiB)" in capsys.readouterr().out
