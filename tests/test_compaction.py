"""`codeintel-obs compact`: closed and verified runs of past days become Parquet, and every reader says the same as before."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import packing
import pytest

from codeintel_obs import guard
from codeintel_obs.cli import listing, main
from codeintel_obs.cli.compacted import readable
from codeintel_obs.ledger import opening
from codeintel_obs.ledger.index import facts_of
from codeintel_obs.ledger.packs import packed_days, packs_of
from codeintel_obs.ledger.removal import only_one
from codeintel_obs.query import compaction
from codeintel_obs.query.compaction import Wanted, compact
from codeintel_obs.query.writing import PackError

ROOT = Path(__file__).resolve().parent.parent
WHOLE = Wanted(failed=True)


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A sink that writes to ``tmp_path/data``, no settings but the defaults, and a process that may read packs."""
    monkeypatch.setattr(guard, "strict", True)
    monkeypatch.setattr(opening, "unpack", opening.unpack)
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("CODEINTEL_OBS", "OTEL_"))]:
        monkeypatch.delenv(name)
    readable()
    made = packing.workload(tmp_path / "data")
    yield made
    made.close()


def command(capsys, work, *words):
    """Run a command with ``--json``; return its exit code and what it printed."""
    code = main([*words, "--json", "--data-dir", work.data_dir])
    return code, json.loads(capsys.readouterr().out)


def varied(work):
    """Runs of several days and shapes, all closed."""
    packing.past(work, "plain")
    packing.past(work, "again", 5, outcome="failed")
    packing.past(work, "again", 4)
    packing.joined(work, packing.past(work, "together", 3))
    packing.past(work, "long", 3, steps=400, session_id="alice")
    packing.past(work, "größe ?", 4)


def test_every_report_is_the_same_before_and_after(work):
    """The whole report of every attempt, byte for byte, when its lines come out of Parquet."""
    varied(work)
    before = packing.reports(work.data_dir)
    done = compact(work.data_dir, WHOLE)
    assert (done.attempts, done.files, done.left) == (6, 7, [])
    assert packing.loose(work.data_dir) == []
    assert packing.reports(work.data_dir) == before
    assert len(before) == 6


def test_what_is_open_failed_recent_or_damaged_stays(work):
    """Neither a run in progress, nor one that did not do well, nor a young one, nor one that is not whole is packed."""
    packing.past(work, "good")
    packing.past(work, "bad", outcome="failed")
    packing.past(work, "open", outcome=None)
    packing.past(work, "young", 0.5)
    flipped = Path(packing.past(work, "flipped").ledger_path)
    data = bytearray(flipped.read_bytes())
    data[len(data) // 2] ^= 1
    flipped.chmod(0o640)
    flipped.write_bytes(data)
    flipped.chmod(0o440)
    packing.age(flipped, 3)
    done = compact(work.data_dir, Wanted())
    assert done.attempts == 1
    stayed = {each.run_id: each.why for each in done.left}
    assert {"bad": "failed", "open": "open", "flipped": "damaged"}.items() <= stayed.items()
    assert stayed.get("young", "recent") == "recent"
    assert packing.loose(work.data_dir) == sorted(f"{run}.jsonl" for run in ("bad", "open", "young", "flipped"))


def test_a_run_of_today_is_never_packed(work):
    """A run that begins today may still want a name in today's folder."""
    packing.past(work, "today", 0)
    assert compact(work.data_dir, Wanted(older_than_s=-60)).attempts == 0


def test_nothing_to_compact_says_why(work, capsys):
    """Who asks for a compaction of what happened today reads why nothing of it is packed."""
    packing.past(work, "today", 0)
    assert main(["compact", "--older-than", "0s", "--data-dir", work.data_dir]) == 0
    assert "nothing to compact; only closed runs of days that are over (UTC) are" in capsys.readouterr().out


def test_a_run_that_only_its_processes_end_closed_is_damaged_to_compaction(work):
    """A file without its closing record stays as it is, whoever is gone."""
    path = Path(packing.past(work, "cut").ledger_path)
    path.chmod(0o640)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    path.chmod(0o440)
    packing.age(path, 3)
    assert [each.why for each in compact(work.data_dir, WHOLE).left] == ["damaged"]


def test_a_dry_run_says_what_would_be_packed_and_writes_nothing(work, capsys):
    """``--dry-run`` counts the same attempts that the real pass then packs."""
    varied(work)
    code, told = command(capsys, work, "compact", "--failed", "--dry-run")
    assert (code, told["data_dirs"][0]["attempts"], packing.packs(work.data_dir)) == (0, 6, [])
    code, told = command(capsys, work, "compact", "--failed")
    assert (code, told["data_dirs"][0]["attempts"], packing.loose(work.data_dir)) == (0, 6, [])


def test_kept_files_are_removed_by_the_next_compaction(work):
    """With ``--keep`` both are there, and readers find each run once; a later compaction ends it."""
    varied(work)
    before = packing.reports(work.data_dir)
    for _ in range(2):
        compact(work.data_dir, Wanted(failed=True, keep=True))
        assert (len(packing.loose(work.data_dir)), packing.reports(work.data_dir)) == (7, before)
    done = compact(work.data_dir, WHOLE)
    assert (done.finished, packing.loose(work.data_dir), packing.reports(work.data_dir)) == (7, [], before)


def test_every_line_and_file_comes_back_byte_for_byte(work):
    """What a pack gives back has the bytes, permissions and time that the file had; ``--restore`` puts it there."""
    varied(work)
    files = sorted(Path(work.data_dir).glob("telemetry/runs/*/*"))
    was = [(path.read_bytes(), path.stat().st_mode, path.stat().st_mtime_ns) for path in files]
    compact(work.data_dir, WHOLE)
    for path, (data, mode, mtime_ns) in zip(files, was, strict=True):
        with open(opening.opened(str(path)), "rb") as file:
            about = os.fstat(file.fileno())
            assert (file.read(), about.st_mode, about.st_mtime_ns) == (data, mode, mtime_ns)
    for run in packing.runs(work.data_dir):
        assert main(["compact", "--restore", run, "--data-dir", work.data_dir]) == 0
    assert [(path.read_bytes(), path.stat().st_mode, path.stat().st_mtime_ns) for path in files] == was
    assert packed_days(work.data_dir) == []


def test_a_run_that_is_joined_after_it_was_packed_is_whole(work):
    """What a late process writes lies in a file; readers put both together, and the next compaction packs it too."""
    run = packing.past(work, "late")
    compact(work.data_dir, WHOLE)
    packing.joined(work, run)
    ((told, report),) = packing.reports(work.data_dir).items()
    assert json.loads(report)["steps_total"] == 5
    compact(work.data_dir, WHOLE)
    assert (packing.loose(work.data_dir), packing.reports(work.data_dir)) == ([], {told: report})


def test_a_name_that_was_taken_again_hides_nothing(work):
    """A second attempt may get the name of one that is packed, when a clock was set back: both are found."""
    packing.past(work, "twice")
    compact(work.data_dir, WHOLE)
    packing.past(work, "twice")
    before = packing.reports(work.data_dir)
    assert len(before) == 2
    compact(work.data_dir, WHOLE)
    assert packing.reports(work.data_dir) == before
    assert [json.loads(report)["integrity"]["complete"] for report in before.values()] == [True, True]


def test_many_packs_of_a_day_become_one(work):
    """A day that is compacted again and again does not end in as many Parquet files."""
    for number in range(6):
        packing.past(work, f"run{number}")
        compact(work.data_dir, WHOLE)
    assert len(packs_of(work.data_dir, packing.day_of(3))) < 4
    assert packing.runs(work.data_dir) == [f"run{number}" for number in range(6)]
    assert all(not name.split("/")[1].startswith(".") for name in packing.packs(work.data_dir))


def test_a_second_compaction_and_a_prune_wait_for_the_first(work, capsys):
    """One lock for whatever rewrites or removes: the other process says so, and does nothing."""
    varied(work)
    with only_one(work.data_dir) as alone:
        assert alone
        for words in (["compact"], ["prune"], ["redact", "--all"]):
            assert main([*words, "--data-dir", work.data_dir]) == 2
            assert "another process is" in capsys.readouterr().err
    assert len(packing.loose(work.data_dir)) == 7


def test_a_pack_that_gives_back_something_else_is_not_published(work, monkeypatch):
    """One bit other in what comes back from the disk: the pack is refused, and every file stays."""
    varied(work)
    real = compaction.Draft._write

    def write(draft, path):
        name = next(iter(draft.files))
        draft._hand_over()
        draft._con.execute("UPDATE staged SET raw = replace(raw, 'searched', 'searchee') WHERE file = $1", [name])
        real(draft, path)

    monkeypatch.setattr(compaction.Draft, "_write", write)
    with pytest.raises(PackError, match="no ledger file was removed"):
        compact(work.data_dir, WHOLE)
    assert (len(packing.loose(work.data_dir)), packing.packs(work.data_dir)) == (7, [])


def test_a_lost_or_damaged_pack_is_told_as_damage(work, capsys):
    """A Parquet file that is gone or cut is a damaged ledger, and a list that cannot be read is named."""
    packing.past(work, "gone")
    packing.past(work, "other", 5)
    compact(work.data_dir, WHOLE)
    parquet = Path(packs_of(work.data_dir, packing.day_of(3))[0].parquet)
    data = parquet.read_bytes()
    parquet.unlink()
    code, told = command(capsys, work, "verify", "gone")
    assert (code, told["attempts"][0]["problems"][0]["kind"]) == (4, "unreadable")
    parquet.write_bytes(data[: len(data) // 2])
    readable()
    assert command(capsys, work, "verify", "gone")[0] == 4
    list_path = Path(packs_of(work.data_dir, packing.day_of(5))[0].list_path)
    list_path.chmod(0o640)
    list_path.write_bytes(list_path.read_bytes()[:-9])
    code, told = command(capsys, work, "verify", "--all")
    assert (code, [each["path"] for each in told["packs"]]) == (4, [str(list_path)])


def test_a_bit_flipped_in_parquet_is_found_by_verify(work, capsys):
    """Each line keeps its checksum: what a Parquet file gives back is judged like what a file does."""
    import duckdb

    packing.past(work, "flipped")
    compact(work.data_dir, WHOLE)
    parquet = packs_of(work.data_dir, packing.day_of(3))[0].parquet
    os.rename(parquet, parquet + ".was")
    duckdb.execute(
        f"COPY (SELECT * REPLACE (replace(raw, 'searched', 'searchee') AS raw) FROM read_parquet('{parquet}.was'))"
        f" TO '{parquet}' (FORMAT parquet)"
    )
    code, told = command(capsys, work, "verify", "flipped")
    assert (code, {each["kind"] for each in told["attempts"][0]["problems"]}) == (4, {"bad crc"})


def test_runs_find_by_filter_what_is_packed(work, capsys, monkeypatch):
    """Session, kind and outcome: the index of runs holds for packs, and what it knew of a run holds for its pack."""
    monkeypatch.setattr(listing, "_WORTH_SAVING", 1)
    varied(work)
    packing.past(work, "bad", outcome="failed")
    filters = (["--session", "alice"], ["--failed"], ["--kind", "faiss.search"])
    before = [command(capsys, work, "runs", "--limit", "0", *each) for each in filters]
    days = [packing.day_of(number) for number in (3, 4, 5)]
    known = [facts_of(work.data_dir, day) for day in days]
    compact(work.data_dir, WHOLE)
    assert [facts_of(work.data_dir, day) for day in days] == known
    assert sum(map(len, known)) == 6
    assert [command(capsys, work, "runs", "--limit", "0", *each) for each in filters] == before
    shutil.rmtree(Path(work.data_dir, "telemetry/index"))
    assert [command(capsys, work, "runs", "--limit", "0", *each) for each in filters] == before


def test_verify_report_and_diff_lead_to_packed_lines(work, capsys, tmp_path):
    """A report that was made before proves again after, evidence by evidence; `diff` compares packed runs."""
    varied(work)
    assert main(["report", "long", "--format", "json", "-o", "r.json", "--data-dir", work.data_dir]) == 0
    assert main(["report", "long", "--format", "html", "-o", "a.html", "--data-dir", work.data_dir]) == 0
    before = command(capsys, work, "diff", "plain", "long")
    compact(work.data_dir, WHOLE)
    code, told = command(capsys, work, "verify", "--report", "r.json")
    assert (code, told["proved"], told["unresolved"]) == (0, True, [])
    assert command(capsys, work, "diff", "plain", "long") == before
    assert main(["report", "long", "--format", "html", "-o", "b.html", "--data-dir", work.data_dir]) == 0
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_a_named_run_is_pruned_out_of_its_pack(work, capsys):
    """``prune --run`` and ``--session`` take out just that, leave a tombstone, and the rest is as it was."""
    varied(work)
    compact(work.data_dir, WHOLE)
    before = packing.reports(work.data_dir)
    code, told = command(capsys, work, "prune", "--run", "plain", "--session", "alice")
    assert (code, sorted(each["run_id"] for each in told["data_dirs"][0]["pruned"])) == (0, ["long", "plain"])
    after = packing.reports(work.data_dir)
    assert after == {key: report for key, report in before.items() if key[0] not in {"plain", "long"}}
    assert main(["report", "plain", "--data-dir", work.data_dir]) == 3
    assert "was pruned" in capsys.readouterr().err
    assert not list(Path(work.data_dir).rglob(".*.tmp"))


def test_limits_remove_packed_runs_as_they_do_files(work, capsys):
    """By age, count and bytes: the same attempts go that went when they were files."""
    for number in range(8):
        packing.past(work, f"run{number}", 9 - number)
    expected = [command(capsys, work, "prune", "--dry-run", "--min-free", "0", *limit)[1]["data_dirs"][0]["pruned"]
                for limit in (["--max-days", "5"], ["--max-runs", "3"])]  # fmt: skip
    compact(work.data_dir, WHOLE)
    for limit, gone in zip((["--max-days", "5"], ["--max-runs", "3"]), expected, strict=True):
        code, told = command(capsys, work, "prune", "--min-free", "0", *limit)
        names = [each["run_id"] for each in told["data_dirs"][0]["pruned"]]
        assert code == 0
        assert set(names) <= {each["run_id"] for each in gone}
    assert packing.runs(work.data_dir) == ["run5", "run6", "run7"]


def test_kept_files_do_not_come_back_out_of_their_pack(work, capsys):
    """A run that lies in a file and in a pack is pruned from both."""
    varied(work)
    compact(work.data_dir, Wanted(failed=True, keep=True))
    assert command(capsys, work, "prune", "--run", "plain")[0] == 0
    assert "plain" not in packing.runs(work.data_dir)
    assert main(["prune", "--max-runs", "0", "--min-free", "0", "--data-dir", work.data_dir]) == 0
    assert (packing.runs(work.data_dir), packing.packs(work.data_dir)) == ([], [])


def test_redact_takes_a_secret_out_of_parquet(work, capsys, tmp_path):
    """The files that change are made again and leave their Parquet file; the next compaction packs them once more."""
    run = packing.past(work, "leaky")
    packing.past(work, "clean")
    leaked = "correct-horse-battery"
    extra = packing.past(work, "open", outcome=None)
    work.steps(extra, 1, text=leaked)
    work.finish(extra, "completed")
    packing.age(Path(extra.ledger_path), 3)
    compact(work.data_dir, WHOLE)
    assert packing.loose(work.data_dir) == []
    (tmp_path / "leaked.txt").write_text(leaked + "\n")
    words = ["redact", "--all", "--literal-from", "leaked.txt"]
    code, told = command(capsys, work, *words, "--dry-run")
    assert (code, [each["run_id"] for each in told["attempts"]]) == (0, ["open"])
    assert packing.loose(work.data_dir) == []
    code, told = command(capsys, work, *words)
    assert (code, [each["run_id"] for each in told["attempts"]]) == (0, ["open"])
    assert leaked not in lines_in(work.data_dir)
    for _ in range(2):
        assert command(capsys, work, "verify", "--all")[0] == 0
        compact(work.data_dir, Wanted(older_than_s=-60, failed=True))
        assert (packing.loose(work.data_dir), packing.runs(work.data_dir)) == ([], ["clean", "leaky", "open"])
    assert leaked not in lines_in(work.data_dir)
    assert run.run_id == "leaky"


def lines_in(data_dir):
    """Return every line of every file and of every Parquet file, and what lists say."""
    import duckdb

    told = [path.read_text() for path in Path(data_dir).glob("telemetry/runs/*/*")]
    for parquet in Path(data_dir).glob("telemetry/compacted/*/*.parquet"):
        told += [raw for (raw,) in duckdb.execute(f"SELECT raw FROM read_parquet('{parquet}')").fetchall()]
    for day in packed_days(data_dir):
        told += [repr(pack.files()) for pack in packs_of(data_dir, day)]
    return "\n".join(told)


def test_a_linked_folder_of_packs_is_refused(work, tmp_path):
    """A link planted where packs go leads nothing astray."""
    varied(work)
    (tmp_path / "elsewhere").mkdir()
    os.symlink(tmp_path / "elsewhere", Path(work.data_dir, "telemetry/compacted"))
    with pytest.raises(OSError, match="compacted"):
        compact(work.data_dir, WHOLE)
    assert (list((tmp_path / "elsewhere").iterdir()), len(packing.loose(work.data_dir))) == ([], 7)


def test_a_data_directory_may_be_named_from_here(work, monkeypatch, capsys, tmp_path):
    """``--data-dir`` relative to the working directory: compaction, reports and SQL find the same."""
    varied(work)
    before = packing.reports(work.data_dir)
    monkeypatch.chdir(tmp_path)
    assert main(["compact", "--failed", "--data-dir", "data"]) == 0
    assert packing.reports(work.data_dir) == before
    assert main(["report", "plain", "--data-dir", "data"]) == 0
    capsys.readouterr()
    assert main(["query", "SELECT count(*) AS c FROM runs", "--data-dir", "data"]) == 0
    assert capsys.readouterr().out.split() == ["c", "6"]


def test_no_room_for_a_pack_removes_nothing(work):
    """A file system that takes no file so large: the command says so in a line, and every file stays."""
    varied(work)
    code = (
        "import resource, signal, sys; from codeintel_obs.cli import main; import duckdb\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "sys.exit(main(['compact', '--failed', '--data-dir', sys.argv[1]]))"
    )
    command = [sys.executable, "-c", code, work.data_dir]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert (ended.returncode, "no ledger file was removed" in ended.stderr) == (4, True), ended.stderr
    assert (len(packing.loose(work.data_dir)), packing.packs(work.data_dir)) == (7, [])


def test_readers_see_every_run_while_it_is_compacted(work):
    """Another process compacts, restores and prunes beside: every look finds the same whole reports."""
    for number in range(12):
        packing.past(work, f"run{number}", 3 + number % 3)
    before = packing.reports(work.data_dir)
    code = (
        "import sys; from codeintel_obs.cli import main\n"
        "words = ['--data-dir', sys.argv[1]]\n"
        "for number in range(6):\n"
        "    assert main(['compact', *words]) == 0\n"
        "    assert main(['compact', '--restore', f'run{number}', *words]) == 0\n"
    )
    command = [sys.executable, "-c", code, work.data_dir]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL) as process:
        looks = 0
        while process.poll() is None:
            assert packing.reports(work.data_dir) == before
            looks += 1
    assert (process.returncode, looks > 1) == (0, True)


def test_a_large_run_is_read_in_bounded_pieces(work):
    """A run of several MiB, among small ones in one Parquet file, comes back as it was."""
    packing.past(work, "a")
    run = packing.past(work, "large", steps=6000)
    packing.past(work, "z")
    digest = hashlib.sha256(Path(run.ledger_path).read_bytes()).hexdigest()
    before = packing.reports(work.data_dir)
    compact(work.data_dir, WHOLE)
    with open(opening.opened(run.ledger_path), "rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == digest
    assert packing.reports(work.data_dir) == before


def test_compaction_does_not_put_off_pruning(work):
    """The lock's time says when somebody pruned: compaction leaves it as it was."""
    varied(work)
    lock = Path(work.data_dir, "telemetry/.prune")
    lock.touch()
    packing.age(lock, 2)
    compact(work.data_dir, WHOLE)
    assert time.time() - lock.stat().st_mtime > packing.DAY_S
