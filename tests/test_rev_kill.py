"""A sample of the proof that SIGKILL while indexing loses nothing, with a seed that changes and is printed.

All of it: `python bench/indexing_kill.py --count 50`.
"""

from __future__ import annotations

import os
import random

import indexing_kill
import pytest

COUNT = int(os.environ.get("CODEINTEL_TEST_KILLS", "8"))
SEED = int(os.environ.get("CODEINTEL_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 1_000_000)


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    with indexing_kill.ground(tmp_path_factory.mktemp("ground")) as made:
        yield made


@pytest.mark.slow
@pytest.mark.parametrize("number", range(COUNT))
def test_a_killed_run_loses_no_answer_and_no_vector(number, ground, tmp_path):
    """The old index answers, nobody is said to index, and the next run ends as a clean one without embedding twice."""
    verdict = indexing_kill.kill_once(SEED + number, ground, tmp_path)
    assert verdict.wrong == [], f"CODEINTEL_TEST_SEED={SEED}, number {number}, killed at {verdict.stage!r}"


@pytest.mark.slow
def test_the_proof_notices_a_lost_index(ground, tmp_path, monkeypatch):
    """A comparison that cannot fail proves nothing: without the pointer that a kill must leave, it says so."""
    killed = indexing_kill._killed

    def without_pointer(repo, *rest):
        killed(repo, *rest)
        (repo / ".codeintel-rev" / "current").unlink()

    monkeypatch.setattr(indexing_kill, "_killed", without_pointer)
    verdict = indexing_kill.kill_once(SEED, ground, tmp_path)
    assert verdict.wrong[0].startswith("after the kill these differ from a clean run: commit, chunks")
