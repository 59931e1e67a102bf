"""`codeintel-obs prune`: what is named or beyond a limit goes, an open run never does, and a tombstone says what was."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from codeintel_obs import guard
from codeintel_obs.cli import main
from codeintel_obs.ledger import removal, tombstones
from codeintel_obs.ledger.attempts import list_runs
from codeintel_obs.ledger.retention import DAY_S, Limits, prune
from codeintel_obs.ledger.tombstones import KEPT_S, pruned

LIBRARIES = Path(__file__).parent / "libraries"


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A sink in this process that writes to ``tmp_path/data``, and no settings but the defaults."""
    monkeypatch.syspath_prepend(str(LIBRARIES))
    monkeypatch.setattr(guard, "strict", True)
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("CODEINTEL_OBS", "OTEL_"))]:
        monkeypatch.delenv(name)
    from ledger_workload import Workload

    made = Workload(tmp_path / "data", "none")
    made.sink._home.tidy = None
    yield made
    made.close()


def aged(work, run_id, days=0, outcome="completed", **fields):
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - days * DAY_S))
    run = work.run(run_id, day=day, **fields)
    work.steps(run, 3)
    if outcome:
        work.finish(run, outcome)
    os.utime(run.ledger_path, (time.time() - days * DAY_S,) * 2)
    return run


def left(work):
    return {attempt.run_id for attempt in list_runs([work.data_dir])}


def told(capsys, work, *words):
    code = main(["prune", "--json", "--data-dir", work.data_dir, "--min-free", "0", *words])
    (row,) = json.loads(capsys.readouterr().out)["data_dirs"]
    return code, {(each["run_id"], each["reason"]) for each in row["pruned"]}, {each["run_id"] for each in row["open"]}


def test_a_dry_run_says_what_would_go_and_removes_nothing(work, capsys):
    """``--dry-run`` names the same runs, for the same reasons, that the real pass then removes."""
    for run_id, days, outcome in (("old", 9, "completed"), ("bad", 9, "failed"), ("open", 9, None), ("new", 0, "x")):
        aged(work, run_id, days, outcome)
    expected = (0, {("old", "age")}, set())
    limits = ("--max-days", "7", "--failed-days", "30")
    assert told(capsys, work, *limits, "--dry-run") == expected
    assert (left(work), pruned(work.data_dir, "old")) == ({"old", "bad", "open", "new"}, [])
    assert told(capsys, work, *limits) == expected
    assert left(work) == {"bad", "open", "new"}


def test_a_count_keeps_the_newest_and_the_failed(work, capsys):
    """Beyond ``--max-runs`` the oldest go first that did not fail."""
    for number in range(4):
        aged(work, f"good{number}", 4 - number)
        aged(work, f"bad{number}", 4 - number, "failed")
    code, gone, _ = told(capsys, work, "--max-runs", "3")
    assert (code, {reason for _, reason in gone}) == (0, {"count"})
    assert left(work) == {"bad1", "bad2", "bad3"}


def test_a_run_is_removed_with_its_manifest_and_told_as_pruned(work, capsys):
    """Of a run that is named nothing is left but its tombstone, and ``report`` and ``runs`` say that it was pruned."""
    run = aged(work, "secret/plan", session_id="alice")
    assert run.run_id.startswith("x-")
    for path in Path(work.data_dir, "telemetry/processes").glob("*/*.json"):
        path.write_text("{}")  # the process is gone
    assert main(["prune", "--data-dir", work.data_dir, "--run", "secret/plan"]) == 0
    capsys.readouterr()
    assert list(Path(work.data_dir, "telemetry/processes").glob("*/*")) == []
    (stone,) = pruned(work.data_dir, "secret/plan")
    assert (stone.run_id, stone.attempt, stone.day, stone.reason) == (run.run_id, run.attempt, run.day, "asked")
    (path,) = Path(work.data_dir, "telemetry/pruned").iterdir()
    assert "alice" not in path.read_text() and "secret/plan" not in path.read_text()
    assert main(["report", "secret/plan", "--data-dir", work.data_dir]) == 3
    assert "was pruned at" in capsys.readouterr().err
    assert main(["runs", "--pruned", "--json", "--data-dir", work.data_dir]) == 0
    assert [each["run_id"] for each in json.loads(capsys.readouterr().out)["pruned"]] == [run.run_id]


def test_a_session_is_removed_and_others_stay(work, capsys):
    """All runs of a session go, whatever limits there are, and those of others stay."""
    for run_id, session in (("a1", "alice"), ("a2", "alice"), ("b1", "bob"), ("none", None)):
        aged(work, run_id, session_id=session)
    assert main(["prune", "--data-dir", work.data_dir, "--session", "alice"]) == 0
    assert left(work) == {"b1", "none"}
    assert {each.reason for each in tombstones.tombstones(work.data_dir)} == {"asked"}


def test_an_open_run_stays_even_when_it_is_named(work, capsys):
    """A run that is still being written is kept, and the exit code says that the wish was not granted."""
    aged(work, "busy", outcome=None)
    assert main(["prune", "--data-dir", work.data_dir, "--run", "busy"]) == 1
    assert ("still being written" in capsys.readouterr().out, left(work)) == (True, {"busy"})


def test_a_run_that_is_not_there_is_not_found(work, capsys):
    """Naming what was never recorded is exit code 3; a limit beside a name is wrong use."""
    aged(work, "other")
    assert main(["prune", "--data-dir", work.data_dir, "--run", "nobody"]) == 3
    with pytest.raises(SystemExit, match="2"):
        main(["prune", "--run", "other", "--max-days", "1"])


def test_where_no_tombstone_can_be_written_nothing_is_removed(work):
    """A run goes only when the disk holds what says that it was there."""
    aged(work, "old", 20)
    Path(work.data_dir, "telemetry/pruned").write_text("in the way")
    assert (prune(work.data_dir, Limits(1 << 60, 14, 0.0)).attempts, left(work)) == (0, {"old"})


def test_one_pass_writes_one_file_of_tombstones(work, monkeypatch):
    """However many runs go: the tombstones of a pass are one file's numbered lines, checksums and all."""
    monkeypatch.setattr(removal, "_BATCH", 8)
    for number in range(21):
        aged(work, f"r{number}", 20)
    assert prune(work.data_dir, Limits(1 << 60, 14, 0.0)).attempts == 21
    (path,) = Path(work.data_dir, "telemetry/pruned").iterdir()
    from ledger_workload import lines

    assert [record.n for record in lines(path)] == list(range(1, 22))
    assert len(pruned(work.data_dir, "r7")) == 1


def test_old_tombstones_go_too(work):
    """A tombstone is kept for 400 days."""
    aged(work, "old", 20)
    prune(work.data_dir, Limits(1 << 60, 14, 0.0))
    (path,) = Path(work.data_dir, "telemetry/pruned").iterdir()
    os.utime(path, (time.time() - KEPT_S - 60,) * 2)
    aged(work, "next")
    prune(work.data_dir, Limits(1 << 60, 14, 0.0))
    assert list(tombstones.tombstones(work.data_dir)) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="a full disk of its own needs root to mount one")
def test_a_full_disk_is_made_room_on(tmp_path, monkeypatch):
    """Where not even a tombstone fits, the first run goes before its tombstone, and pruning goes on as ever."""
    monkeypatch.syspath_prepend(str(LIBRARIES))
    from ledger_workload import Workload

    mounted = tmp_path / "disk"
    mounted.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(mounted)], check=True)
    try:
        work = Workload(mounted / "data", "none")
        work.sink._home.tidy = None
        for number in range(5):
            aged(work, f"r{number}", 20)
        work.close()
        with (mounted / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(b"x" * 4096):
                pass
        assert prune(work.data_dir, Limits(1 << 60, 14, 0.0)).attempts == 5
        assert {stone.run_id for stone in tombstones.tombstones(work.data_dir)} == {f"r{n}" for n in range(5)}
        assert left(work) == set()
    finally:
        subprocess.run(["umount", "-l", str(mounted)], check=True)
