"""The index of runs: made from the ledger, never trusted over it, and noticed when it lies."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import msgspec
import pytest

from codeintel_obs import guard
from codeintel_obs.cli import listing, main
from codeintel_obs.cli.listing import Filters, Listing
from codeintel_obs.ledger.checks import is_whole
from codeintel_obs.ledger.index import DayIndex
from codeintel_obs.ledger.retention import delete
from codeintel_obs.steps import Status

LIBRARIES = Path(__file__).parent / "libraries"


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A sink in this process that writes to ``tmp_path/data``; every page is worth saving."""
    monkeypatch.syspath_prepend(str(LIBRARIES))
    monkeypatch.setattr(guard, "strict", True)
    monkeypatch.setattr(listing, "_WORTH_SAVING", 1)
    from ledger_workload import Workload

    made = Workload(tmp_path / "data", "none")
    made.sink._home.tidy = None
    yield made
    made.close()


def finished(work, run_id, outcome="completed", days=0, **fields):
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - days * 86_400))
    run = work.run(run_id, day=day, parent_run_id="process", **fields)
    root = work.begin(run, "http.request")
    work.steps(run, 2)
    work.end(root, status=Status(outcome))
    work.finish(run, outcome)
    return run


def some(work):
    for number in range(20):
        finished(work, f"r{number}", "failed" if number % 5 == 0 else "completed", number % 3)


def listed(work, *, use_index=True, **filters):
    asked = Listing([work.data_dir], Filters(**filters), use_index=use_index)
    return [report.run_id for report in asked.reports()], asked


def page(work, run):
    return Path(work.data_dir, "telemetry/index", f"{run.day}.json")


def forged(path, change):
    """Rewrite a page of the index, with a checksum that is right."""
    import zlib

    content = msgspec.json.decode(path.read_bytes())
    change(content)
    del content["crc"]
    data = msgspec.json.encode(content)[:-1]
    path.write_bytes(data + b',"crc":"%08x"}' % zlib.crc32(data))
    assert is_whole(path.read_bytes())


def test_with_and_without_the_index_the_same_runs_are_listed(work):
    """First without an index, then with one: the same runs in the same order, and far fewer are read."""
    some(work)
    for filters in ({"failed": True}, {}, {"kind": "faiss.search"}, {"session": "nobody"}):
        plain, without = listed(work, use_index=False, **filters)
        assert listed(work, **filters)[0] == plain
        again, with_index = listed(work, **filters)
        assert (again, with_index.lies) == (plain, 0)
        assert with_index.read <= min(without.read, len(plain) + listing.SAMPLED)


def test_the_index_is_rebuilt_from_nothing_and_from_rubbish(work):
    """A page that is gone, torn, of another version, or with one bit flipped is not there, and is made again."""
    run = finished(work, "one")
    path = page(work, run)
    assert listed(work)[0] == ["one"]
    whole = path.read_bytes()
    for rubbish in (None, b"", whole[:40], whole[:20] + bytes([whole[20] ^ 1]) + whole[21:], b"[]" * 30):
        path.unlink()
        if rubbish is not None:
            path.write_bytes(rubbish)
        assert listed(work)[0] == ["one"]
        assert path.read_bytes() == whole
    forged(path, lambda content: content.update(v=2))
    assert (listed(work)[0], path.read_bytes()) == (["one"], whole)


def test_an_index_that_lies_is_noticed_and_put_right(work, capsys):
    """A page with a right checksum and a wrong outcome is refuted by the ledger: told, and made anew."""
    run = finished(work, "one", "failed")
    listed(work)

    def lie(content):
        content["entries"][0][4][0] = "completed"

    forged(page(work, run), lie)
    runs, asked = listed(work, failed=True)
    assert (runs, asked.lies, "made anew" in capsys.readouterr().err) == ([], 1, True)
    runs, asked = listed(work, failed=True)
    assert (runs, asked.lies, capsys.readouterr().err) == (["one"], 0, "")


def test_a_lie_the_other_way_lists_nothing_false(work):
    """What the index wrongly takes for failed is read before it is listed."""
    run = finished(work, "one")
    listed(work)

    def lie(content):
        content["entries"][0][4][0] = "failed"

    forged(page(work, run), lie)
    assert listed(work, failed=True)[0] == []


def test_a_file_that_changed_or_joined_is_read_again(work):
    """A ledger file that was written to, replaced or joined since is read, whatever the index says."""
    run = finished(work, "one")
    listed(work, failed=True)
    path = Path(run.ledger_path)
    path.chmod(0o640)
    path.write_bytes(path.read_bytes().partition(b"\n")[0] + b"\n")
    (entry,) = DayIndex(work.data_dir, run.day).entries
    assert entry.facts is None
    joiner = work.run(carrier={"run": "one", "attempt": run.attempt, "day": run.day})
    work.steps(joiner)
    work.finish(joiner)
    (entry,) = DayIndex(work.data_dir, run.day).entries
    assert len(entry.files) == 2


def test_an_open_run_is_never_settled(work):
    """While a run's outcome may change the index holds none, and says nothing of it."""
    run = work.run("open")
    work.steps(run)
    assert listed(work, kind="faiss.search")[0] == ["open"]
    (entry,) = DayIndex(work.data_dir, run.day).entries
    assert entry.facts is None
    work.finish(run)
    listed(work)
    (entry,) = DayIndex(work.data_dir, run.day).entries
    assert entry.facts.outcome == "ended"


def test_attempts_on_two_days_are_one_run(work):
    """A run is listed once, by its newest attempt, with its number of attempts."""
    finished(work, "again", "failed", days=1)
    time.sleep(0.01)
    finished(work, "again")
    for _ in range(2):
        (report,) = Listing([work.data_dir]).reports()
        assert (report.attempts, report.attempt, report.outcome) == (2, 2, "completed")
        assert listed(work, failed=True)[0] == []


def test_a_deleted_run_is_not_in_the_index_either(work):
    """Deletion on purpose takes the page of that day with it."""
    run = finished(work, "private", session_id="alice")
    finished(work, "other")
    listed(work)
    assert b"alice" in page(work, run).read_bytes()
    delete(work.data_dir, lambda each: each.attempt.run_id == "private")
    assert not page(work, run).exists()
    assert listed(work)[0] == ["other"]


def test_a_folder_that_cannot_be_written_is_read_all_the_same(work, capsys):
    """Where the index cannot be saved the runs are listed without it."""
    finished(work, "one")
    Path(work.data_dir, "telemetry/index").write_text("in the way")
    assert listed(work)[0] == ["one"]
    assert main(["runs", "--json", "--no-index", "--data-dir", work.data_dir]) == 0
    assert [row["run_id"] for row in json.loads(capsys.readouterr().out)["runs"]] == ["one"]


def test_a_planted_link_is_not_followed(work, tmp_path):
    """A page that is a link to elsewhere is replaced, and what it led to is left alone."""
    run = finished(work, "one")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    page(work, run).parent.mkdir()
    os.symlink(elsewhere, page(work, run))
    assert listed(work)[0] == ["one"]
    assert (elsewhere.read_text(), page(work, run).is_symlink()) == ("mine", False)
