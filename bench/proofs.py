"""The long proofs, in full: resumable and sharded; results with their commit under ``bench/results/``."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import kill_oracle
import ledger_damage
import ledger_kill
import ledger_power
import ledger_sweep
from faults import cases, mutations

RESULTS = Path(__file__).resolve().parent / "results"
Once = Callable[[int, Path], list[str]]


def kill(seed: int, folder: Path) -> list[str]:
    """SIGKILL at a random moment of four threads; see `kill_oracle`."""
    repo = folder / "repository"
    if not repo.exists():
        kill_oracle.repository(repo)
    return kill_oracle.kill_once(seed, repo, folder / f"data-{seed}")


def fault_mutations(seed: int, _folder: Path) -> list[str]:
    """One record of a ledger of the fault benchmark deleted, altered or moved; see `faults.mutations`."""
    every = cases.every()
    return mutations.lies(every[seed % len(every)], seed)


PROOFS: dict[str, tuple[Once, int]] = {
    "kill": (kill, 2000),
    "fault-mutations": (fault_mutations, len(cases.every())),
    "ledger-sweep": (ledger_sweep.sweep, 3 * ledger_sweep.WRITES),
    "ledger-kill": (ledger_kill.kills, 10_000 // ledger_kill.KILLS),
    "ledger-flips": (ledger_damage.flips, 20_000 // ledger_damage.FLIPS),
    "ledger-edits": (ledger_damage.edits, 1000 // ledger_damage.EDITS),
    "ledger-forgeries": (ledger_damage.forgeries, 1000 // ledger_damage.FORGED),
    "ledger-fuzz": (ledger_damage.fuzz, 2000),
    "ledger-power": (ledger_power.power, 1000),
}


def main() -> int:
    """Run what is left of each proof; exit 1 when any has ever failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("proofs", nargs="*", help=f"of {', '.join(PROOFS)}; all by default")
    parser.add_argument("--shard", default="1/1", help="K/N: this machine's share of the seeds")
    parser.add_argument("--count", type=int, help="how many in all, instead of the proof's own number")
    parser.add_argument("--minutes", type=float, help="stop after so long; the next call goes on from there")
    options = parser.parse_args()
    failed = 0
    for name in options.proofs or PROOFS:
        failed += _prove(name, options)
    return 1 if failed else 0


def _prove(name: str, options: argparse.Namespace) -> int:
    once, count = PROOFS[name]
    shard, shards = (int(part) for part in options.shard.split("/"))
    path = RESULTS / f"{name}{f'-{shard}of{shards}' if shards > 1 else ''}.json"
    state = json.loads(path.read_text()) if path.exists() else {"proof": name, "done": [], "failures": {}}
    todo = [seed for seed in range(1, (options.count or count) + 1) if seed % shards == shard % shards]
    todo = [seed for seed in todo if seed not in set(state["done"])]
    deadline = time.monotonic() + options.minutes * 60 if options.minutes else float("inf")
    with tempfile.TemporaryDirectory() as folder:
        for position, seed in enumerate(todo, 1):
            if time.monotonic() > deadline:
                break
            wrong = once(seed, Path(folder))
            state["done"].append(seed)
            if wrong:
                state["failures"][str(seed)] = wrong
            print(
                f"\r{name}: {position}/{len(todo)}, {len(state['failures'])} failed",
                end="",
                flush=True,
                file=sys.stderr,
            )
            if position % 20 == 0 or wrong:
                _save(path, state)
    _save(path, state)
    print(f"\n{name}: {len(state['done'])} done, {len(state['failures'])} failed")
    return len(state["failures"])


def _save(path: Path, state: dict[str, object]) -> None:
    path.parent.mkdir(exist_ok=True)
    git = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False, cwd=RESULTS)
    state["commit"], state["python"] = git.stdout.strip(), sys.version.split()[0]
    path.write_text(json.dumps(state, indent=1) + "\n")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\nstopped; call it again to go on", file=sys.stderr)
        sys.exit(130)
