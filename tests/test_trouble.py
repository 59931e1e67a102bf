"""A launched application on a disk that fails under its ledger: its results stay, and the report says what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from processes import OBS, launched, report, run

ROUNDS = 2000
WORK = f"""
import faiss, numpy as np, os, sys
rng = np.random.default_rng(7)
index = faiss.IndexFlatL2(8)
index.add(rng.random((50, 8), dtype="f4"))
total = 0
for number in range({ROUNDS}):
    if number == 100 and len(sys.argv) > 1:
        os.closerange(3, 65536)
        mine = [open(name, "w") for name in "abcdef"]
    total += int(index.search(rng.random((1, 8), dtype="f4"), 3)[1].sum())
print(total)
"""


def test_an_exporter_that_is_cut_off_leaves_nothing_of_a_library(tmp_path):
    """An endpoint that refuses keeps its threads busy to the end; DuckDB's bindings would name what is still held."""
    code = "import duckdb, urllib3; duckdb.connect().execute('select 1').fetchall()"
    words = [OBS, "run", "--data-dir", str(tmp_path), "--", sys.executable, "-c", code]
    env = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=env, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own of 256 KiB, mounted for the test; root is needed to mount one."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip(
            "no root to mount a small file system: the ledger's tests of RLIMIT_FSIZE cover a disk that refuses"
        )
    mounted = tmp_path / "disk"
    mounted.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=700", "tmpfs", str(mounted)], check=True)
    yield mounted
    subprocess.run(["umount", "-l", str(mounted)], check=True)


def bare(folder, *arguments):
    """Return what the work prints without us."""
    return run(folder, sys.executable, "-c", WORK, *arguments).stdout


def test_a_full_disk_under_the_ledger(tmp_path, small_disk):
    """The same output and exit code; `complete` is false, and what was dropped and what is there add up."""
    ended = launched(tmp_path, WORK, "--data-dir", str(small_disk))
    assert (ended.returncode, ended.stdout) == (0, bare(tmp_path))
    told = report(tmp_path, "--last", "--data-dir", str(small_disk))
    integrity = told["integrity"]
    assert integrity["complete"] is False
    on_disk = sum(path.read_text().count('"event":"step.') for path in small_disk.rglob("*.jsonl"))
    # an import, an add and the searches have two records each
    assert integrity["dropped"] + on_disk >= 2 * (ROUNDS + 2)
    assert integrity["dropped"] > 0


def test_a_read_only_directory_under_the_ledger(tmp_path, small_disk):
    """The same output and exit code, and nothing is written."""
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    ended = launched(tmp_path, WORK, "--data-dir", str(small_disk))
    assert (ended.returncode, ended.stdout) == (0, bare(tmp_path))
    assert list(small_disk.iterdir()) == []


def test_a_closed_descriptor_under_the_ledger(tmp_path):
    """An application that closes everything and opens its own files finds no record of ours in them."""
    ended = run(tmp_path, OBS, "run", "--", sys.executable, "-c", WORK, "close")
    assert (ended.returncode, ended.stdout) == (0, bare(tmp_path, "close"))
    assert [(tmp_path / name).read_text() for name in "abcdef"] == [""] * 6
    told = report(tmp_path)
    assert told["ran"]["faiss.search"] == {"completed": ROUNDS}
    assert told["integrity"]["complete"] is True
