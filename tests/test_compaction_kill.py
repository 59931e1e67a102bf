"""A compaction, a prune and a redaction of compacted runs are killed at every step, and lose nothing that they were not to."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import packing
import pytest
from test_compaction import lines_in

from codeintel_obs import guard
from codeintel_obs.cli import main
from codeintel_obs.cli.compacted import readable
from codeintel_obs.ledger import opening
from codeintel_obs.query.compaction import Wanted, compact

LIBRARIES = Path(__file__).parent / "libraries"
ROOT = Path(__file__).resolve().parent.parent
TIMED = 5  # kills at a random moment, besides those before every change of the disk
WHOLE = Wanted(older_than_s=-60, failed=True)
LEAKED = "correct-horse-battery"


@pytest.fixture
def template(tmp_path, monkeypatch):
    """A ledger of two past days, the runs of one of them packed already."""
    monkeypatch.setattr(guard, "strict", True)
    monkeypatch.setattr(opening, "unpack", opening.unpack)
    monkeypatch.chdir(tmp_path)
    readable()
    work = packing.workload(tmp_path / "template")
    packing.past(work, "packed", 5)
    leaky = packing.past(work, "leaky", 5, outcome=None)
    work.steps(leaky, 1, text=LEAKED)
    work.finish(leaky, "completed")
    packing.age(Path(leaky.ledger_path), 5)
    compact(work.data_dir, WHOLE)
    packing.past(work, "plain", 5)
    packing.joined(work, packing.past(work, "together", 3))
    packing.past(work, "again", 3, outcome="failed")
    work.close()
    (tmp_path / "leaked.txt").write_text(LEAKED + "\n")
    return work.data_dir


def killed(template, tmp_path, *words):
    """Yield copies of ``template`` on which the command was killed, one for each step that it takes on the disk."""
    seed = str(random.SystemRandom().randrange(10**6))
    print(f"SEED={seed}")
    environ = {**os.environ, "SEED": seed, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(LIBRARIES / "killed_at.py"), template, str(tmp_path / "copies"), str(TIMED), *words]
    ended = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert ended.returncode == 0, ended.stderr
    lines = [line.split() for line in ended.stdout.splitlines()]
    assert sum(word == "killed" for word, _ in lines) > 10
    return [folder for _, folder in lines]


def tidy(data_dir):
    """Whether nothing lies among the packs but pairs of lines and list."""
    names = packing.packs(data_dir)
    stems = {name.rpartition(".")[0] for name in names}
    return names == sorted(f"{stem}.{suffix}" for stem in stems for suffix in ("list", "parquet"))


@pytest.mark.slow
@pytest.mark.timeout(600)  # a hundred copies, each read twice
def test_a_killed_compaction_loses_nothing(template, tmp_path):
    """Killed before each change of the disk and at random moments: all reports are the same, and the next one ends it."""
    before = packing.reports(template)
    for data_dir in killed(template, tmp_path, "compact", "--failed"):
        assert packing.reports(data_dir) == before, data_dir
        compact(data_dir, WHOLE)
        assert (packing.loose(data_dir), tidy(data_dir)) == ([], True), data_dir
        assert packing.reports(data_dir) == before, data_dir


@pytest.mark.slow
@pytest.mark.timeout(600)  # as above
def test_a_killed_prune_removes_the_named_run_or_nothing(template, tmp_path):
    """Of a pack with two runs one is taken out: the other is the same at every moment, the one whole or gone."""
    before = packing.reports(template)
    rest = {key: report for key, report in before.items() if key[0] != "leaky"}
    for data_dir in killed(template, tmp_path, "prune", "--run", "leaky"):
        assert packing.reports(data_dir) in (before, rest), data_dir
        assert main(["prune", "--run", "leaky", "--data-dir", data_dir]) in {0, 3}
        compact(data_dir, WHOLE)
        assert (packing.reports(data_dir), tidy(data_dir), LEAKED in lines_in(data_dir)) == (rest, True, False), (
            data_dir
        )


@pytest.mark.slow
@pytest.mark.timeout(600)  # as above
def test_a_killed_redaction_is_finished_by_the_next(template, tmp_path):
    """Whenever it is killed every run is there and whole; done again, the secret is in no file and no Parquet file."""
    before = packing.reports(template)
    words = ["redact", "--all", "--literal-from", "leaked.txt"]
    for data_dir in killed(template, tmp_path, *words):
        assert packing.reports(data_dir).keys() == before.keys(), data_dir
        assert main([*words, "--data-dir", data_dir]) == 0
        assert LEAKED not in lines_in(data_dir), data_dir
        compact(data_dir, WHOLE)
        # the file in which the killed redaction told of itself has no end: that run stays as it is
        assert ({name[:5] for name in packing.loose(data_dir)} <= {"leaky"}, tidy(data_dir)) == (True, True), data_dir
        after = packing.reports(data_dir)
        assert {key: report for key, report in after.items() if key[0] != "leaky"} == {
            key: report for key, report in before.items() if key[0] != "leaky"
        }, data_dir
        assert main(["verify", "--all", "--data-dir", data_dir]) == 0
