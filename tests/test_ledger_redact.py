"""`codeintel-obs redact`: closed files lose their secrets and nothing else, stay provably whole, and say so."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from codeintel_obs import guard
from codeintel_obs.cli import main
from codeintel_obs.redact import MASK

LIBRARIES = Path(__file__).parent / "libraries"
SECRET = "Xk7hunter2"


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A sink in this process that writes to ``tmp_path/data``: nothing redacts before it."""
    monkeypatch.syspath_prepend(str(LIBRARIES))
    monkeypatch.setattr(guard, "strict", True)
    from ledger_workload import Workload

    made = Workload(tmp_path / "data", "none")
    made.sink._home.tidy = None
    yield made
    made.close()


def leaking(work, run_id="leak", *, finished=True):
    run = work.run(run_id)
    work.steps(run, 2, k=10)
    step = work.begin(run, payload={"url": f"https://h/p?access_token={SECRET}", "api_key": SECRET, "k": 10, "x": 0.1})
    work.end(step, {"note": f"password={SECRET}", "max_tokens": 5})
    if finished:
        work.finish(run)
    return run


def redact(work, capsys, *words):
    code = main(["redact", "--json", "--data-dir", work.data_dir, *words])
    return code, json.loads(capsys.readouterr().out)


def content(work):
    return b"".join(path.read_bytes() for path in Path(work.data_dir, "telemetry/runs").rglob("*.jsonl"))


def test_a_secret_goes_and_the_ledger_stays_whole(work, capsys):
    """Only the lines with a secret change; the run verifies as before, and a record says which file was made anew."""
    from ledger_workload import integrity, read

    run = leaking(work)
    path = Path(run.ledger_path)
    before, about = path.read_bytes().splitlines(), path.stat()
    assert SECRET.encode() in content(work)
    code, told = redact(work, capsys, "leak")
    after = path.read_bytes().splitlines()
    assert (code, told["attempts"][0]["files"]) == (0, [{"file": f"{run.day}/leak.jsonl", "lines": 2}])
    assert SECRET.encode() not in content(work)
    assert [n for n, (old, new) in enumerate(zip(before, after, strict=True), 1) if old != new] == [6, 7]
    assert (path.stat().st_mode, path.stat().st_mtime_ns) == (about.st_mode, about.st_mtime_ns)
    begin, end = (json.loads(line)["payload"] for line in after[5:7])
    assert begin == {"url": f"https://h/p?access_token={MASK}", "api_key": MASK, "k": 10, "x": 0.1}
    assert end == {"note": f"password={MASK}", "max_tokens": 5}
    found = integrity(work.data_dir, "leak")
    assert (found.complete, found.problems) == (True, [])
    said = [record.payload for record in read(work.data_dir, "leak") if record.event == "redact"]
    assert [each["phase"] for each in said] == ["begun", "done"]
    assert (said[0]["files"][0]["file"], said[0]["files"][0]["lines"]) == ("leak.jsonl", 2)
    assert main(["report", "leak", "--data-dir", work.data_dir]) == 0


def test_a_second_time_there_is_nothing_to_do(work, capsys):
    """Redacting is idempotent: no file is replaced and no further record written."""
    leaking(work)
    redact(work, capsys, "--all")
    before = content(work)
    assert redact(work, capsys, "--all") == (0, {"dry_run": False, "attempts": []})
    assert content(work) == before


def test_a_dry_run_changes_nothing(work, capsys):
    """``--dry-run`` counts the same lines and leaves every byte, and no hidden file."""
    leaking(work)
    before = content(work)
    code, told = redact(work, capsys, "--all", "--dry-run")
    assert (code, told["attempts"][0]["files"][0]["lines"], content(work)) == (0, 2, before)
    assert [name for _, _, names in os.walk(work.data_dir) for name in names if name.endswith(".tmp")] == []


def test_an_open_run_is_left_alone(work, capsys):
    """A file that is still written to is not replaced under its writer, and the exit code says so."""
    leaking(work, finished=False)
    before = content(work)
    code, told = redact(work, capsys, "leak")
    assert (code, told["attempts"][0]["open"], content(work)) == (1, True, before)


def test_a_text_that_only_the_user_knows(work, capsys, tmp_path):
    """A literal secret is taken out wherever it stands, and does not pass through our arguments."""
    run = work.run("plain")
    work.steps(run, 1, note="the word is abracadabra, said he")
    work.finish(run)
    (tmp_path / "leaked").write_text("abracadabra\n")
    redact(work, capsys, "--all", "--literal-from", str(tmp_path / "leaked"))
    assert b"abracadabra" not in content(work)
    assert f"the word is {MASK}, said he".encode() in content(work)
    (tmp_path / "leaked").write_text("a\n")
    assert main(["redact", "--all", "--literal-from", str(tmp_path / "leaked")]) == 2


def test_a_damaged_line_is_redacted_and_stays_damaged(work, capsys):
    """What was damaged before is told as damaged afterwards, at the same place."""
    from ledger_workload import integrity

    run = leaking(work)
    path = Path(run.ledger_path)
    path.chmod(0o640)
    lines = path.read_bytes().split(b"\n")
    lines[5] = lines[5].replace(b'"v":1', b'"v":2')
    path.write_bytes(b"\n".join(lines))
    path.chmod(0o440)
    before = integrity(work.data_dir, "leak").bad_crc
    redact(work, capsys, "--all")
    assert SECRET.encode() not in content(work)
    assert integrity(work.data_dir, "leak").bad_crc == before == [f"{run.day}/leak.jsonl:6"]


def test_redacting_and_pruning_keep_out_of_each_others_way(work, capsys):
    """While another process prunes nothing is redacted: a file that it removes must not come back."""
    from codeintel_obs.ledger.removal import only_one

    leaking(work)
    with only_one(work.data_dir) as alone:
        assert alone
        assert main(["redact", "--all", "--data-dir", work.data_dir]) == 2
    assert "try again" in capsys.readouterr().err
    assert SECRET.encode() in content(work)
