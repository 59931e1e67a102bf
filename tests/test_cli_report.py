"""The reading commands on ledgers of real processes: every way to end, to fail, to be damaged and to be asked for."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from codeintel_obs.cli import main

COMMAND = [sys.executable, "-m", "codeintel_obs.cli"]
PREPARE = """
import os, signal, sys
import codeintel_obs
from codeintel_obs import StepEvent, emit_step, step
with step("retrieval.fuse", {"n": 3}):
    try:
        with step("duckdb.query"):
            raise ValueError("no table")
    except ValueError:
        pass
    with step("duckdb.query"):
        pass
    emit_step(StepEvent("splade.search", "skipped", "no index"))
"""
FAIL = PREPARE + 'with step("git.blame"):\n    raise RuntimeError("boom")\n'


@pytest.fixture(autouse=True)
def _clean(tmp_path, monkeypatch):
    """Each test has its own working directory, and no settings but its own."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("CODEINTEL_OBS", "OTEL_"))]:
        monkeypatch.delenv(name)


def record(code, *options):
    """Run ``code`` under our launcher and return the finished process."""
    words = [*COMMAND, "run", *options, "--", sys.executable, "-c", code]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=100)


def told(capsys, *words):
    """Return the exit code and the JSON of a command."""
    code = main([*words, "--json"])
    return code, json.loads(capsys.readouterr().out)


def ledger():
    (path,) = [each for each in Path().glob(".codeintel/telemetry/runs/*/*.jsonl") if "~" not in each.name]
    path.chmod(0o640)
    return path


@pytest.mark.parametrize(
    ("end", "code", "outcome", "reason"),
    [
        ("", 0, "completed", None),
        ("sys.exit(3)", 3, "failed", (None, "exit code 3", None)),
        ("raise SystemExit(3)", 3, "failed", (None, "exit code 3", None)),
        ("os._exit(3)", 3, "failed", (None, "exit code 3", None)),
        ("os._exit(0)", 0, "interrupted", None),
        ("raise KeyError('k')", 1, "failed", ("KeyError", "'k'", None)),
        ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM, "interrupted", None),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, "interrupted", None),
        ("os.kill(os.getpid(), signal.SIGSEGV)", -signal.SIGSEGV, "interrupted", None),
    ],
)
def test_every_way_to_end_has_its_outcome_and_passes_through(end, code, outcome, reason, capsys):
    """The child's exit code or signal is ours, the report has the outcome, and a handled failure is never blamed."""
    assert record(PREPARE + end).returncode == code
    _, report = told(capsys, "report", "--last")
    stop = report["stopped_because"]
    assert report["outcome"] == outcome
    assert (stop and (stop["error_type"], stop["message"], stop["step"])) == reason
    assert (report["exit"]["code"], report["exit"]["signal"]) == ((code, None) if code >= 0 else (None, -code))
    if outcome != "interrupted":
        assert [step["error"]["message"] for step in failed(report)] == ["no table"]


def failed(report):
    by_id = {step["id"]: step for step in report["steps"]}
    return [by_id[step] for step in report["handled_failures"]]


def test_a_killed_process_leaves_its_open_step_in_flight(capsys):
    """With no end there is no stop reason; what was going on is in flight, innermost last."""
    record(PREPARE + 'with step("a.outer"):\n    with step("b.inner"):\n        os.kill(os.getpid(), signal.SIGKILL)\n')
    _, report = told(capsys, "report", "--last")
    by_id = {step["id"]: step for step in report["steps"]}
    assert [by_id[step]["kind"] for step in report["in_flight"]] == ["a.outer", "b.inner"]
    assert main(["report", "--last"]) == 0
    assert capsys.readouterr().out.startswith("INTERRUPTED  by signal 9 (SIGKILL), in b.inner\n")


def test_a_living_process_is_in_progress_and_a_killed_one_interrupted(capsys):
    """Without a witness, the lock on its manifest tells whether a process lives."""
    code = (
        "import codeintel_obs, sys\ncodeintel_obs.start()\n"
        "with codeintel_obs.step('a.b'):\n    print(flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdout.readline()
    _, during = told(capsys, "report", "--last")
    process.kill()
    process.communicate(timeout=60)
    _, after = told(capsys, "report", "--last")
    assert (during["outcome"], after["outcome"]) == ("in_progress", "interrupted")
    assert during["in_flight"] == after["in_flight"] != []


def test_an_exit_code_that_nobody_witnessed_is_not_told(capsys):
    """Started by itself, a script that ended says `ended`, whatever its exit code was."""
    subprocess.run(
        [sys.executable, "-c", "import codeintel_obs; codeintel_obs.start()" + PREPARE], check=True, timeout=60
    )
    assert told(capsys, "report", "--last")[1]["outcome"] == "ended"


def test_every_evidence_leads_to_the_record_that_it_names(capsys):
    """Each `day/file:n` of a report is a line with that number, each `a-b` a range of such lines."""
    record(FAIL)
    _, report = told(capsys, "report", "--last")
    cited = set(re.findall(r'"(\d{4}-\d\d-\d\d/[^"]+?\.jsonl):(\d+)(?:-(\d+))?"', json.dumps(report)))
    assert len(cited) > 10
    for place, low, high in cited:
        lines = Path(".codeintel/telemetry/runs", place).read_text().splitlines()
        numbers = {json.loads(line)["n"] for line in lines}
        assert set(range(int(low), int(high or low) + 1)) <= numbers


def test_the_stop_reason_is_the_step_that_raised(capsys):
    """What ran, what did not, what was handled and recovered, what stopped it: in one report."""
    assert record(FAIL).returncode == 1
    _, report = told(capsys, "report", "--last")
    stop = report["stopped_because"]
    assert (stop["kind"], stop["error_type"], stop["message"]) == ("git.blame", "RuntimeError", "boom")
    assert report["ran"]["duckdb.query"] == {"failed": 1, "completed": 1}
    assert [(each["kind"], each["why"], each["detail"]) for each in report["did_not_run"]] == [
        ("splade.search", "skipped", "no index")
    ]
    assert [each["kind"] for each in report["recovered"]] == ["duckdb.query"]
    assert report["integrity"]["complete"] is True


REASONS = {
    "raise from": (
        """
try:
    with step("duckdb.connect"):
        raise OSError("no file")
except OSError as exc:
    raise RuntimeError("wrapped") from exc
""",
        ("duckdb.connect", "OSError", "failed"),
    ),
    "only while handling": (
        """
try:
    with step("duckdb.connect"):
        raise OSError("no file")
except OSError:
    with step("faiss.search"):
        raise AssertionError("wrong d")
""",
        ("faiss.search", "AssertionError", "failed"),
    ),
    "group": (
        """
import asyncio
async def fail(kind, seconds):
    await asyncio.sleep(seconds)
    with step(kind):
        raise ValueError(kind)
async def both():
    async with asyncio.TaskGroup() as group:
        group.create_task(fail("late.one", 30))
        group.create_task(fail("first.one", 0))
with step("all.of_it"):
    asyncio.run(both())
""",
        ("first.one", "ValueError", "failed"),
    ),
    "time-out": (
        """
import asyncio
async def slow():
    with step("vllm.embed_batch"):
        await asyncio.sleep(60)
async def hurried():
    with step("retrieval.gather_channels"):
        await asyncio.wait_for(slow(), 0.05)
asyncio.run(hurried())
""",
        ("retrieval.gather_channels", "TimeoutError", "timed_out"),
    ),
    "same object again": (
        """
error = ValueError("cached")
def attempt(kind):
    with step(kind):
        raise error
with step("the.stage"):
    try:
        attempt("first.try")
    except ValueError:
        attempt("second.try")
""",
        ("second.try", "ValueError", "failed"),
    ),
}


@pytest.mark.parametrize("case", REASONS)
def test_real_exceptions_lead_to_the_step_that_first_raised_them(case, capsys):
    """By identity, then cause and group; never by context; a cancellation is a consequence of the time-out."""
    code, expected = REASONS[case]
    assert record(PREPARE + code).returncode == 1
    _, report = told(capsys, "report", "--last")
    stop = report["stopped_because"]
    kinds = {step["id"]: step["kind"] for step in report["steps"]}
    assert (stop["kind"], stop["error_type"], stop["status"]) == expected
    assert kinds[stop["step"]] == stop["kind"]
    assert stop["step"] not in report["handled_failures"]
    assert [kinds[each["step"]] for each in stop["while_handling"]] == (
        ["duckdb.connect"] if case == "only while handling" else []
    )


def test_after_a_failure_one_line_says_what_stopped_it_and_where_to_read(capsys):
    """The line's own command prints the report; `--quiet` says nothing."""
    line = record(FAIL, "--quiet").stderr.splitlines()[-1]
    assert "codeintel-obs" not in line
    line = record(FAIL).stderr.splitlines()[-1]
    assert "RuntimeError: boom" in line
    words = line.rpartition("codeintel-obs ")[2].split()
    assert main(words) == 0
    assert capsys.readouterr().out.startswith("FAILED  RuntimeError: boom  in git.blame\n")


def test_attempts_of_one_run_are_counted_from_1_and_the_newest_is_the_default(capsys):
    """The same run id twice is two attempts of one run; one that is not there is not found."""
    record(PREPARE, "--run-id", "nightly")
    record(FAIL, "--run-id", "nightly")
    outcomes = [told(capsys, "report", "nightly", "--attempt", n)[1]["outcome"] for n in ("1", "2")]
    newest = told(capsys, "report", "nightly")[1]
    assert (outcomes, newest["attempt"], newest["attempts"]) == (["completed", "failed"], 2, 2)
    assert main(["report", "nightly", "--attempt", "3"]) == 3
    assert "attempts 1 to 2" in capsys.readouterr().err


@pytest.mark.parametrize("raw", ["../../x", "a\nb", "n" * 300, "läuf", "x-" + "0" * 32])
def test_a_hostile_run_id_is_recorded_inside_and_found_by_its_raw_name(raw, tmp_path, capsys):
    """It is stored under a hash, told as it was given, and found by either name; nothing is written elsewhere."""
    assert record(PREPARE, "--run-id", raw).returncode == 0
    _, report = told(capsys, "report", raw)
    assert re.fullmatch(r"x-[0-9a-f]{32}", report["run_id"])
    assert report["raw_run_id"] == raw
    assert told(capsys, "report", report["run_id"])[1]["token"] == report["token"]
    assert [path.name for path in tmp_path.iterdir()] == [".codeintel"]


@pytest.mark.parametrize("raw", ["../../../../etc/passwd", "", "*", "nothing", "\x1b[2J"])
def test_a_run_that_is_not_there_is_not_found(raw, capsys):
    """Exit code 3 with what to do about it; an empty name is wrong use."""
    record(PREPARE)
    if not raw:
        with pytest.raises(SystemExit) as exit_:
            main(["report", raw])
        assert exit_.value.code == 2
        return
    assert main(["report", raw]) == main(["verify", raw]) == main(["plugins", "--run", raw]) == 3
    assert "\x1b" not in capsys.readouterr().err


def test_exit_code_makes_a_check_of_a_report(tmp_path, capsys):
    """`--exit-code` is 1 for a run that did not do well; without it, telling is success. `-o` writes a file."""
    record(FAIL, "--run-id", "bad")
    record(PREPARE, "--run-id", "good")
    assert (main(["report", "bad"]), main(["report", "bad", "--exit-code"])) == (0, 1)
    assert main(["report", "good", "--exit-code", "--format", "json", "-o", "r.json"]) == 0
    assert json.loads((tmp_path / "r.json").read_text())["run_id"] == "good"
    assert main(["report", "good", "-o", "no/such/folder/r"]) == 2
    assert "no/such/folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [["--format", "pdf", "--last"], [], ["x", "--last"], ["--attempt", "one", "x"]],
)
def test_wrong_use_of_report_exits_2(words, capsys):
    """A form that there is; a RUN or `--last`, and not both."""
    with pytest.raises(SystemExit) as exit_:
        main(["report", *words])
    assert exit_.value.code == 2
    assert "pdf" not in words or "html" in capsys.readouterr().err


def flip(path):
    data = bytearray(path.read_bytes())
    data[data.index(b"retrieval.fuse")] ^= 1
    path.write_bytes(data)


def drop_a_line(path):
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2] + lines[3:]))


def cut_the_end(path):
    path.write_bytes(path.read_bytes()[:-400])
    path.chmod(0o440)  # as its writer left it when it closed the file


@pytest.mark.parametrize(("damage", "key"), [(flip, "bad_crc"), (drop_a_line, "gaps"), (cut_the_end, "gaps")])
def test_a_damaged_ledger_is_flagged_and_still_told(damage, key, capsys):
    """`verify` exits 4 and cites the place; the report goes on with what is left and says that it is not complete."""
    record(PREPARE)
    assert main(["verify", "--all"]) == 0
    assert capsys.readouterr().out.startswith("whole")
    damage(ledger())
    code, verified = told(capsys, "verify", "--all")
    assert (code, verified["attempts"][0]["damaged"]) == (4, True)
    facts = told(capsys, "report", "--last")[1]["integrity"]
    assert (facts["complete"], bool(facts[key])) == (False, True)
    assert main(["verify", "--all"]) == 4
    assert capsys.readouterr().out.startswith("DAMAGED")


def test_runs_lists_the_newest_first_and_filters(capsys):
    """Every filter keeps what matches it, and nothing else; no match is an empty list and no error."""
    record(PREPARE, "--run-id", "good")
    record(FAIL, "--run-id", "bad")

    def ids(*words):
        code, found = told(capsys, "runs", *words)
        assert code == 0
        return [run["run_id"] for run in found["runs"]]

    trace = told(capsys, "report", "good")[1]["trace_ids"][0]
    assert ids() == ["bad", "good"]
    assert ids("--limit", "1") == ids("--failed") == ids("--kind", "git.blame") == ["bad"]
    assert ids("--trace-id", trace) == ["good"]
    assert ids("--since", "1h") == ids("--kind", "splade.search") == ["bad", "good"]
    assert ids("--since", "2999-01-01") == ids("--session", "s") == ids("--data-dir", "elsewhere") == []
    assert main(["runs"]) == 0
    told_of = [line for line in capsys.readouterr().out.splitlines()[1:] if not line.startswith(" ")]
    assert [line.split()[3] for line in told_of] == ["bad", "good"]


def test_a_session_is_found_as_it_was_given(monkeypatch, capsys):
    """A hostile session id is mapped like a run's; the raw one finds it."""
    monkeypatch.setenv("CODEINTEL_OBS_SESSION_ID", "../s")
    record(PREPARE)
    assert len(told(capsys, "runs", "--session", "../s")[1]["runs"]) == 1


@pytest.mark.parametrize("since", ["yesterday", "5x", "99999999999999w"])
def test_a_moment_that_is_none_is_wrong_use(since, capsys):
    """The message says what would be one."""
    with pytest.raises(SystemExit) as exit_:
        main(["runs", "--since", since])
    assert exit_.value.code == 2
    assert "2h or 7d" in capsys.readouterr().err


def test_plugins_are_listed_with_what_disables_them(monkeypatch, capsys):
    """Ours, by what they are switched off, and what each watches here."""
    monkeypatch.setenv("CODEINTEL_OBS_DISABLED_PLUGINS", "git,spans")
    code, found = told(capsys, "plugins")
    by_name = {(each["sort"], each["name"]): each for each in found["plugins"]}
    assert code == 0
    assert by_name["instrumentor", "git"]["state"] == "disabled by environment"
    assert by_name["sink", "spans"]["state"] == "disabled by environment"
    faiss = by_name["instrumentor", "faiss"]
    assert (faiss["state"], faiss["library"], faiss["points"] > 0) == ("enabled", "faiss", True)


def test_the_plugins_of_a_run_are_what_its_processes_told(capsys):
    """Facts of activation come from the run's own ledger, not from what is installed now."""
    record(PREPARE + "import faiss\n", "--run-id", "r", "--plugins", "faiss")
    code, found = told(capsys, "plugins", "--run", "r")
    facts = {each["name"]: each for each in found["plugins"]}
    assert code == 0
    assert facts["faiss"]["facts"]["wrapped"] > 0
    assert facts["git"]["disabled"].startswith("disabled by")
    assert all(each["evidence"] for each in found["plugins"])
