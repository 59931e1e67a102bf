"""A sample of the ledger's long proofs, with a seed that rotates and is printed; `make proofs` runs them in full."""

from __future__ import annotations

import os
import random
import shutil

import ledger_damage
import ledger_kill
import ledger_power
import ledger_sweep
import pytest

pytestmark = [pytest.mark.proof, pytest.mark.timeout(600)]

SEED = int(os.environ.get("LEDGER_PROOF_SEED") or random.SystemRandom().randrange(10**6))
TURNS = int(os.environ.get("LEDGER_PROOF_TURNS") or 3)
KILLS = int(os.environ.get("LEDGER_PROOF_KILLS") or 40)
CUTS = int(os.environ.get("LEDGER_POWER_CUTS") or 20)


@pytest.fixture(autouse=True)
def _told():
    print(f"LEDGER_PROOF_SEED={SEED} LEDGER_PROOF_TURNS={TURNS} LEDGER_PROOF_KILLS={KILLS} LEDGER_POWER_CUTS={CUTS}")


def seeds(count, most=10**9):
    return random.Random(SEED).sample(range(1, most + 1), count)


def test_a_kill_before_any_write_loses_nothing_acknowledged(tmp_path):
    """SIGKILL as the process enters its Nth write: all that was acknowledged is there, and what is in flight is told."""
    if shutil.which("strace") is None:
        pytest.skip("no strace to kill a process at its Nth write with")
    chosen = seeds(4 * TURNS, 3 * ledger_sweep.WRITES)
    assert [ledger_sweep.sweep(seed, tmp_path) for seed in chosen] == [[]] * len(chosen)


def test_a_kill_at_any_moment_of_four_threads_loses_nothing_acknowledged(tmp_path):
    """SIGKILL at random moments: per thread, what was acknowledged and at most one record more; in flight told exactly."""
    chosen = seeds(-(-KILLS // ledger_kill.KILLS))
    assert [ledger_kill.kills(seed, tmp_path) for seed in chosen] == [[]] * len(chosen)


def test_the_oracle_of_kills_notices_what_is_gone(tmp_path):
    """A comparison that cannot fail proves nothing: of a file without its last lines it says that they are missing."""
    while len(said := ledger_kill.killed(tmp_path / "data", "none", chain=True, after_s=0.02, begun=True)) < 10:
        shutil.rmtree(tmp_path / "data")
    assert ledger_kill.compared(said, tmp_path / "data") == []
    (path,) = (tmp_path / "data").rglob("*.jsonl")
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-10]))
    assert ledger_kill.compared(said, tmp_path / "data") != []


@pytest.mark.parametrize(
    "damage", [ledger_damage.flips, ledger_damage.edits, ledger_damage.forgeries, ledger_damage.fuzz]
)
def test_damage_is_told(tmp_path, damage):
    """Every flipped bit, every line removed, doubled, swapped or forged, and whatever else, is told; nothing is made up."""
    assert [damage(seed, tmp_path) for seed in seeds(TURNS)] == [[]] * TURNS


def test_a_power_cut_takes_only_what_was_not_promised(tmp_path):
    """After the file system was shut down in mid-run everything is there that the fsync policy promised."""
    if why := ledger_power.why_not():
        pytest.skip(why)
    assert [ledger_power.power(seed, tmp_path) for seed in seeds(CUTS)] == [[]] * CUTS
