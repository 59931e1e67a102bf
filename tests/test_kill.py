"""A sample of the kill proof, with a seed that changes and is printed; in full by `make proofs`."""

from __future__ import annotations

import os
import random

import kill_oracle
import pytest

SEED = int(os.environ.get("CODEINTEL_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 1_000_000)


@pytest.fixture(scope="module")
def repo(tmp_path_factory):
    return kill_oracle.repository(tmp_path_factory.mktemp("repository"))


@pytest.mark.proof
@pytest.mark.parametrize("number", range(40))
def test_a_killed_process_has_lost_nothing_it_had_finished(number, repo, tmp_path):
    """Acknowledged calls are ended steps, the others in flight, ended or not begun; the outcome is interrupted."""
    seed = SEED + number
    assert kill_oracle.kill_once(seed, repo, tmp_path) == [], f"CODEINTEL_TEST_SEED={SEED}, number {number}"


def test_the_oracle_notices_a_lost_record(repo, tmp_path):
    """A comparison that cannot fail proves nothing: without one acknowledged step's end it says so."""
    seen = kill_oracle.Seen()
    for line in ("ready", "c 0 0 faiss.search", "a 0 0 faiss.search", "c 0 1 duckdb.query"):
        seen.take(line)
    step = {"span_id": "a", "thread": "worker-0", "kind": "faiss.search", "mono_ns": 1, "status": "in_flight"}
    told = {"outcome": "interrupted", "in_flight": ["a"]}
    assert kill_oracle.compare(seen, told, {"a": step}) == ["worker-0: 1 calls acknowledged, 0 steps ended"]
    assert kill_oracle.compare(seen, told, {"a": {**step, "status": "completed"}}) == []
