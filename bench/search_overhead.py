"""What the recorder adds to a search of `codeintel_rev`: processor time with it over processor time without, in pairs.

`python bench/search_overhead.py [--chunks 50000] [--rounds 40]`. Two processes hold the same index open, one of them behind
`codeintel-obs run` with every plugin and the ledger; they search in turns, and each says how much processor time of all
its threads that took. The bound is the upper end of the 95 % bootstrap interval of the ratio of their sums, by rounds.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from serving import BIN, WORDS, make_repository, make_vectors

SEARCHES = 20
WORKER = """
import json, sys, time
from pathlib import Path
from codeintel_rev.config.settings import Settings
from codeintel_rev.io.generations import IndexFolder
from codeintel_rev.io.hybrid_search import HybridSearch
index = HybridSearch(IndexFolder(Path(sys.argv[1]) / ".codeintel-rev").current(), Settings.load(None))
for line in sys.stdin:
    begun = time.process_time()
    lacking = [outcome for query in json.loads(line) for outcome in index.search(query, 10).degraded]
    print(json.dumps([time.process_time() - begun, len(lacking)]), flush=True)
index.close()
"""


class Searcher:
    """A process that searches when it is told to."""

    def __init__(self, root: Path, launcher: tuple[str, ...]) -> None:
        command = [*launcher, sys.executable, "-c", WORKER, str(root)]
        self._process = subprocess.Popen(command, cwd=root.parent, text=True, stdin=-1, stdout=-1)

    def seconds(self, queries: list[str]) -> float:
        """Return the processor time of these searches; each has to be whole."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(queries), file=self._process.stdin, flush=True)
        seconds, lacking = json.loads(self._process.stdout.readline())
        assert not lacking
        return float(seconds)

    def close(self) -> None:
        self._process.communicate()


def pairs(root: Path, rounds: int, draw: random.Random) -> list[tuple[float, float]]:
    """Return the seconds of each round, bare and watched; who begins changes from round to round."""
    searchers = [Searcher(root, ()), Searcher(root, (str(BIN / "codeintel-obs"), "run", "--quiet", "--"))]
    made = []
    for number in range(-3, rounds):  # the first open what is opened lazily
        queries = [" ".join(draw.choices(WORDS, k=draw.randint(3, 7))) for _ in range(SEARCHES)]
        order = searchers if number % 2 else searchers[::-1]
        took = {searcher: searcher.seconds(queries) for searcher in order}
        made.append((took[searchers[0]], took[searchers[1]]))
    for searcher in searchers:
        searcher.close()
    return made[3:]


def ratio(rounds: list[tuple[float, float]]) -> float:
    return sum(watched for _, watched in rounds) / sum(bare for bare, _ in rounds)


def upper_bound(rounds: list[tuple[float, float]], draw: random.Random) -> float:
    return statistics.quantiles((ratio(draw.choices(rounds, k=len(rounds))) for _ in range(4000)), n=40)[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--root", type=Path, help="an index that is there already")
    chosen = parser.parse_args()
    draw = random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        root = chosen.root or Path(folder) / "repo"
        if chosen.root is None:
            make_repository(root, chosen.chunks, draw)
            make_vectors(root, 1)
            subprocess.run([BIN / "codeintel-rev", "index", root], check=True, stdout=subprocess.DEVNULL)
        made = pairs(root, chosen.rounds, draw)
    bare = statistics.median(bare for bare, _ in made) / SEARCHES * 1e3
    print(f"{len(made)} rounds of {SEARCHES} searches: bare {bare:.1f} ms of processor time each,")
    print(f"watched {ratio(made):.3f} of that, upper bound {upper_bound(made, draw):.3f} (budget 1.03)")


if __name__ == "__main__":
    main()
