"""`verify --report`: every statement of a report is proved again against the ledger, and what is refuted is named."""

from __future__ import annotations

import json
import subprocess
import sys

import msgspec
import pytest
from processes import OBS, environ, report, run

from codeintel_obs.ledger.checks import sums
from codeintel_obs.report_model import ReportProof

PROGRAM = """
from codeintel_obs import StepEvent, emit_step, step
with step("a.outer"):
    try:
        with step("a.inner"):
            raise ValueError("x")
    except ValueError:
        pass
    emit_step(StepEvent("splade.search", "skipped", "no index"))
raise KeyError("k")
"""


@pytest.fixture
def folder(tmp_path):
    """A real run, and its report in a file."""
    (tmp_path / "program.py").write_text(PROGRAM)
    run(tmp_path, OBS, "run", "--quiet", "--run-id", "nightly", "--", sys.executable, "program.py")
    (tmp_path / "r.json").write_text(json.dumps(report(tmp_path, "nightly")))
    return tmp_path


def verify(folder, *options):
    """Return the exit code and the proof."""
    ended = run(folder, OBS, "verify", "--report", "r.json", "--json", *options)
    assert ended.returncode in (0, 1, 4), ended.stderr
    return ended.returncode, json.loads(ended.stdout)


def changed(folder, change):
    """Change the report by ``change`` and return what `verify` refutes."""
    told = json.loads((folder / "r.json").read_text())
    change(told)
    (folder / "r.json").write_text(json.dumps(told))
    code, proof = verify(folder)
    assert (code, proof["proved"]) == (1, False)
    return [each["statement"] for each in proof["refuted"]], proof["unresolved"]


def rewritten(folder, old, new):
    """Change a record of the ledger and give its line the right checksum again."""
    path = next(each for each in folder.glob(".codeintel/telemetry/runs/*/*.jsonl") if "~" not in each.name)
    path.chmod(0o640)
    lines = path.read_bytes().splitlines()
    for number, line in enumerate(lines):
        if old in line:
            body = line[:-18].replace(old, new)
            lines[number] = body + b',"crc":"%s"}' % sums([body + b" " * 18]).encode()
    path.write_bytes(b"\n".join(lines) + b"\n")


def test_a_report_that_was_not_touched_is_proved(folder):
    """All of it is borne out, every evidence leads to a record, and a hint is no statement."""
    told = json.loads((folder / "r.json").read_text())
    told["hints"].append({"message": "look into the disk", "evidence": []})
    (folder / "r.json").write_text(json.dumps(told))
    code, proof = verify(folder)
    assert (code, proof["proved"], proof["refuted"], proof["unresolved"]) == (0, True, [], [])
    assert proof["statements"] > 100
    assert proof["evidence"] > 5


@pytest.mark.parametrize(
    ("change", "refuted"),
    [
        (lambda told: told.update(outcome="completed"), ["outcome"]),
        (lambda told: told["stopped_because"].update(message="y"), ["stopped_because.message"]),
        (lambda told: told.update(stopped_because=None), ["stopped_because"]),
        (lambda told: told["steps"][1].update(status="completed"), ["steps.{inner}.status"]),
        (lambda told: told["steps"].reverse(), ["steps (order)"]),
        (lambda told: told["did_not_run"].clear(), ["did_not_run"]),
        (lambda told: told["integrity"].update(dropped=7), ["integrity.dropped"]),
        (lambda told: told.update(handled_failures=[]), ["handled_failures"]),
    ],
)
def test_a_changed_statement_is_refuted_by_its_name(folder, change, refuted):
    """Whatever a report is made to say, what the ledger says stands against it."""
    inner = json.loads((folder / "r.json").read_text())["steps"][1]["id"]
    assert changed(folder, change)[0] == [each.format(inner=inner) for each in refuted]


def test_an_evidence_that_leads_to_nothing_is_named(folder):
    """A line that the ledger does not have, and a fact that no manifest has."""
    nowhere = ["2026-11-22/nightly.jsonl:99", "host-1.json#faiss.search", "/etc/passwd"]
    _, unresolved = changed(folder, lambda told: told["did_not_run"][0].update(evidence=nowhere))
    assert unresolved == sorted(nowhere)


def test_a_record_that_was_rewritten_with_a_right_checksum_is_found(folder):
    """The checksum proves nothing against one who computes it anew: the report does."""
    rewritten(folder, b'"kind":"a.inner"', b'"kind":"a.ruled"')
    code, proof = verify(folder)
    assert code == 1
    assert {each["statement"].rpartition(".")[2] for each in proof["refuted"]} == {"kind", "inner", "ruled"}


def test_a_damaged_ledger_is_told_before_what_it_refutes(folder):
    """Exit code 4, with the places and with the statements that stand no more."""
    path = next(each for each in folder.glob(".codeintel/telemetry/runs/*/*.jsonl") if "~" not in each.name)
    path.chmod(0o640)
    path.write_bytes(path.read_bytes().replace(b"a.inner", b"a.innar", 1))
    code, proof = verify(folder)
    assert (code, proof["damaged"], proof["proved"]) == (4, True, False)
    assert [each["kind"] for each in proof["problems"]] == ["bad crc"]


def test_a_report_of_a_run_that_went_on_is_proved_as_far_as_it_went(tmp_path):
    """What came later refutes nothing, and is counted."""
    code = (
        "import codeintel_obs, sys\ncodeintel_obs.start()\nwith codeintel_obs.step('a.b'):\n"
        "    print(flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, env=environ(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    process.stdout.readline()
    (tmp_path / "r.json").write_text(json.dumps(report(tmp_path)))
    process.communicate(timeout=60)
    assert json.loads((tmp_path / "r.json").read_text())["outcome"] == "in_progress"
    code, proof = verify(tmp_path)
    assert (code, proof["proved"], proof["records_since"]) == (0, True, 2)


def test_the_proof_follows_its_declared_form(folder):
    """What `--json` prints holds every field of `ReportProof`, and the integrity of the ledger beside it."""
    _, proof = verify(folder)
    assert set(proof) == {*ReportProof.__struct_fields__, "damaged", "problems"}
    assert msgspec.convert(proof, ReportProof).schema == "codeintel.report_proof/1"


@pytest.mark.parametrize(("text", "code"), [("{}", 2), ("[", 2), (None, 2)])
def test_what_is_no_report_is_wrong_use(folder, text, code):
    """The message says which file, and how to make a report."""
    if text is None:
        (folder / "r.json").unlink()
    else:
        (folder / "r.json").write_text(text)
    ended = run(folder, OBS, "verify", "--report", "r.json")
    assert (ended.returncode, "r.json" in ended.stderr) == (code, True)


def test_a_report_of_a_run_that_is_not_here_is_not_found(folder):
    """Exit code 3: nothing to prove it with."""
    told = json.loads((folder / "r.json").read_text())
    (folder / "r.json").write_text(json.dumps({**told, "token": "0" * 16}))
    assert run(folder, OBS, "verify", "--report", "r.json").returncode == 3
