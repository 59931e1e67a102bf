"""What the hash chain costs: writing, bytes and verifying, as ratios to the same run without it, in turns."""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

from measure import table

from codeintel_obs.recorder import Listeners

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "libraries"))
from ledger_workload import Workload, integrity

NOBODY = SimpleNamespace(listeners=Listeners())
BEGIN = {"k": 10, "nq": 1, "index_type": "IndexFlatL2", "d": 384, "ntotal": 50_000}


def measured(records: int, *, chain: bool) -> tuple[float, float, float]:
    """Return CPU µs for a record to be written, its bytes, and CPU µs to verify it."""
    with tempfile.TemporaryDirectory() as folder:
        work = Workload(folder, "none", chain=chain, active=NOBODY)
        work.sink._home.tidy = None
        run = work.run("job")
        written = time.process_time()
        for _ in range(records // 2):
            work.end(work.begin(run, payload=BEGIN), {"missing": 0})
        written = time.process_time() - written
        work.finish(run)
        work.close()
        size = Path(run.ledger_path).stat().st_size
        verified = time.process_time()
        found = integrity(folder, "job")
        verified = time.process_time() - verified
    assert found.complete
    assert bool(found.roots) == chain
    return written / records * 1e6, size / found.records, verified / found.records * 1e6


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    rounds = [[measured(options.records, chain=chain) for chain in (False, True)] for _ in range(options.rounds)]
    rows = [["of one record", "without", "chained", "ratio (median)"]]
    for at, (name, unit) in enumerate((("written, CPU", "µs"), ("on the disk", "bytes"), ("verified, CPU", "µs"))):
        plain, chained = (min(each[which][at] for each in rounds) for which in (0, 1))
        ratio = statistics.median(chained[at] / plain[at] for plain, chained in rounds)
        rows.append([name, f"{plain:.2f} {unit}", f"{chained:.2f} {unit}", f"{ratio:.2f}"])
    print(table(f"The hash chain, {options.records:,} records, {options.rounds} rounds in turns", rows))


if __name__ == "__main__":
    main()
