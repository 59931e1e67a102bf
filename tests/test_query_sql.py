"""`codeintel-obs query` and `export`: files and Parquet are one ledger, which SQL can read and in no way change."""

from __future__ import annotations

import gc
import json
import os
import tempfile
import zipfile
from pathlib import Path

import packing
import pytest

from codeintel_obs import guard
from codeintel_obs.cli import main
from codeintel_obs.cli.compacted import readable
from codeintel_obs.ledger import opening
from codeintel_obs.query import library
from codeintel_obs.query.compaction import Wanted, compact

EVERYTHING = (
    "SELECT * FROM records ORDER BY file, n",
    "SELECT * FROM steps ORDER BY run_id, attempt, started_at, id",
    "SELECT * EXCLUDE (compacted) FROM runs ORDER BY run_id, attempt",
)


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A sink that writes to ``tmp_path/data``, with some runs of the past and one that is open."""
    monkeypatch.setattr(guard, "strict", True)
    monkeypatch.setattr(opening, "unpack", opening.unpack)
    monkeypatch.chdir(tmp_path)
    readable()
    made = packing.workload(tmp_path / "data")
    packing.past(made, "plain", session_id="alice", name="GET /search")
    packing.joined(made, packing.past(made, "together", 5))
    packing.past(made, "bad", 4, outcome="failed")
    packing.past(made, "nul\x00 'quoted'", 4)
    packing.past(made, "open", 2, outcome=None)
    yield made
    made.close()


def asked(capsys, work, sql, *words):
    """Return the rows of a question."""
    assert main(["query", sql, "--json", "--data-dir", work.data_dir, *words]) == 0
    told = capsys.readouterr()
    return json.loads(told.out)["rows"]


def without(rows, *names):
    return [{key: value for key, value in row.items() if key not in names} for row in rows]


def test_files_and_parquet_are_one_ledger(work, capsys):
    """Every row of every view is the same, whether its run lies in a file, in a pack, or in both."""
    before = [without(asked(capsys, work, sql), "compacted") for sql in EVERYTHING]
    assert all(before)
    for keep in (True, False):
        compact(work.data_dir, Wanted(keep=keep))
        assert [without(asked(capsys, work, sql), "compacted") for sql in EVERYTHING] == before
    packed = asked(capsys, work, "SELECT run_id, compacted FROM runs ORDER BY 1")
    assert {row["run_id"]: row["compacted"] for row in packed}["plain"] is True
    assert {row["run_id"]: row["compacted"] for row in packed}["open"] is False


def test_the_views_say_what_the_records_say(work, capsys):
    """A step is its begin and end together, one without an end is in flight; a run's outcome is its run.end's."""
    step = work.begin(work.run("other", day=packing.day_of(2)), kind="git.blame", payload={"path": "a"})
    (row,) = asked(capsys, work, "SELECT kind, status, payload, duration_ns FROM steps WHERE kind = 'git.blame'")
    assert row == {"kind": "git.blame", "status": "in_flight", "payload": {"path": "a"}, "duration_ns": None}
    work.end(step, payload={"items": 3})
    (row,) = asked(capsys, work, "SELECT status, payload, evidence FROM steps WHERE kind = 'git.blame'")
    assert (row["status"], row["payload"]) == ("completed", {"path": "a", "items": 3})
    assert row["evidence"] == [f"{packing.day_of(2)}/other.jsonl:{n}" for n in (2, 3)]
    runs = asked(capsys, work, "SELECT run_id, name, session_id, outcome, steps, records FROM runs ORDER BY run_id")
    by_id = {row.pop("run_id"): row for row in runs}
    expected = {"name": "GET /search", "session_id": "alice", "outcome": "completed", "steps": 3, "records": 8}
    assert by_id["plain"] == expected
    assert (by_id["open"]["outcome"], by_id["together"]["steps"], by_id["bad"]["outcome"]) == (None, 5, "failed")


def test_damaged_lines_are_left_out_and_told(work, capsys):
    """A flipped bit that leaves valid JSON is no row; how many lines were left out is said."""
    path = Path(work.data_dir, f"telemetry/runs/{packing.day_of(3)}/plain.jsonl")
    data = path.read_bytes()
    path.chmod(0o640)
    path.write_bytes(data.replace(b'"k":10', b'"k":11', 1))
    assert main(["query", "SELECT count(*) AS c FROM records WHERE run_id = 'plain'", "--data-dir", work.data_dir]) == 0
    told = capsys.readouterr()
    assert told.out.split() == ["c", "7"]
    assert "1 damaged line(s) were left out" in told.err


@pytest.mark.parametrize(
    "sql",
    [
        "COPY (SELECT 1) TO 'x.csv'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO 'x.csv'",
        "CREATE TABLE t AS SELECT 1",
        "DELETE FROM loose",
        "SET memory_limit = '9GB'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "ATTACH 'x.db'",
        "CALL enable_logging()",
        "EXPORT DATABASE 'x'",
        "SELECT 1; SELECT 2",
        "",
        "SELECT * FROM read_text('secret.txt')",
        "SELECT * FROM 'secret.csv'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM glob('*')",
        "SELECT * FROM read_text('data/telemetry/.prune')",
        "SELECT * FROM read_parquet('https://127.0.0.1:1/x.parquet')",
        "SELECT * FROM sniff_csv('secret.csv')",
        "SELECT * FROM unrelated",
        "SELEC 1",
    ],
)
def test_sql_reads_the_ledger_and_nothing_else(work, capsys, tmp_path, sql):
    """What is no single SELECT, and whatever would touch another file, the network or a setting, ends with 2."""
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "secret.csv").write_text("secret\n1\n")
    compact(work.data_dir, Wanted())
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    unrelated = [1, 2]
    assert main(["query", sql, "--data-dir", work.data_dir]) == 2
    told = capsys.readouterr()
    assert (told.out, "views: records" in told.err or "expected one SELECT" in told.err) == ("", True)
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before
    assert unrelated


def test_a_log_of_queries_is_written_nowhere(work, capsys, tmp_path):
    """DuckDB's own logging is a SELECT in some versions: the file that it would write to cannot be made."""
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    main(["query", "SELECT * FROM enable_logging('QueryLog', storage = 'file')", "--data-dir", work.data_dir])
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before


def test_more_lines_than_memory_takes_go_to_the_disk(work, capsys, monkeypatch):
    """A ledger that is larger than what DuckDB may hold is asked all the same, and nothing of it stays behind."""
    packing.past(work, "large", steps=40_000)
    monkeypatch.setattr(library, "MEMORY", "24MB")
    monkeypatch.setenv("TMPDIR", work.data_dir)
    monkeypatch.setattr(tempfile, "tempdir", None)
    (row,) = asked(capsys, work, "SELECT count(*) AS c, max(length(thread)) AS m FROM records WHERE run_id = 'large'")
    assert row == {"c": 80_002, "m": 10}
    gc.collect()
    assert list(Path(work.data_dir).glob("codeintel-obs-*")) == []


def test_since_reads_later_days_alone(work, capsys):
    """``--since`` leaves earlier days out, packed or not."""
    compact(work.data_dir, Wanted())
    rows = asked(capsys, work, "SELECT run_id FROM runs ORDER BY 1", "--since", packing.day_of(3))
    assert [row["run_id"] for row in rows] == ["open", "plain"]


def test_a_planted_link_is_not_followed(work, capsys, tmp_path):
    """A ledger file that is a link to somebody's file is no part of the ledger."""
    target = tmp_path / "target.jsonl"
    target.write_bytes(Path(work.data_dir, f"telemetry/runs/{packing.day_of(3)}/plain.jsonl").read_bytes())
    os.symlink(target, Path(work.data_dir, f"telemetry/runs/{packing.day_of(3)}/planted.jsonl"))
    rows = asked(capsys, work, "SELECT count(*) AS c FROM records WHERE file LIKE '%planted%'")
    assert rows == [{"c": 0}]


def test_an_exported_table_has_every_record(work, capsys, tmp_path):
    """``export --to parquet`` writes the rows of the view ``records``, of a run or of all."""
    import duckdb

    compact(work.data_dir, Wanted())
    for words, where in ((["--all"], ""), (["together"], " WHERE run_id = 'together'")):
        assert main(["export", "--to", "parquet", *words, "-o", "x.parquet", "--data-dir", work.data_dir]) == 0
        expected = asked_count(capsys, work, f"SELECT count(*) AS c, sum(n) AS s FROM records{where}")
        assert duckdb.execute("SELECT count(*), sum(n)::BIGINT FROM 'x.parquet'").fetchall() == [expected]
        kinds = duckdb.execute("SELECT DISTINCT typeof(ts), typeof(payload) FROM 'x.parquet'").fetchall()
        assert kinds == [("TIMESTAMP", "JSON")]
    assert main(["export", "--to", "parquet", "--all", "-o", "no/such/x", "--data-dir", work.data_dir]) == 2
    assert [path.name for path in tmp_path.iterdir() if "tmp" in path.name] == []


def asked_count(capsys, work, sql):
    capsys.readouterr()
    (row,) = asked(capsys, work, sql)
    return (row["c"], int(row["s"]))


def test_an_unpacked_zip_is_a_data_directory(work, capsys, tmp_path):
    """``export --to zip`` holds a run's very files, packed or not: reports of them are the same elsewhere."""
    for _ in range(2):
        before = packing.reports(work.data_dir)
        assert main(["export", "--to", "zip", "--all", "-o", "x.zip", "--data-dir", work.data_dir]) == 0
        into = tmp_path / f"moved{len(list(tmp_path.iterdir()))}"
        with zipfile.ZipFile("x.zip") as archive:
            for each in archive.infolist():
                path = Path(archive.extract(each, into))
                if each.external_attr >> 16:  # as unzip does
                    path.chmod(each.external_attr >> 16 & 0o777)
        after = packing.reports(into)
        closed = {key for key in before if key[0] != "open"}  # whether its process lives is known at home alone
        assert {key: after[key] for key in closed} == {key: before[key] for key in closed}
        assert after.keys() == before.keys()
        compact(work.data_dir, Wanted())


def test_an_unknown_target_says_what_there_is(work, capsys):
    """A form that is not there ends with 2 and the ones that are."""
    with pytest.raises(SystemExit) as ended:
        main(["export", "--to", "nothing", "--all", "-o", "x", "--data-dir", work.data_dir])
    assert ended.value.code == 2
    assert "'parquet', 'zip'" in capsys.readouterr().err
