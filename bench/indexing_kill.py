"""Proof: SIGKILL at random moments of indexing loses no answer, no embedded vector, and changes no later result.

`python bench/indexing_kill.py --count 50 [--seed N]`; a sample runs as tests/test_rev_kill.py.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import faiss
import git

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1])]

from openai_server import serving  # noqa: E402

from codeintel_rev.config.settings import EmbeddingSettings, Settings  # noqa: E402 - the path comes first
from codeintel_rev.errors import NotFoundError  # noqa: E402
from codeintel_rev.indexing.build import BuildRequest, build_index  # noqa: E402
from codeintel_rev.indexing.earlier import known_chunks  # noqa: E402
from codeintel_rev.indexing.status import index_status  # noqa: E402
from codeintel_rev.io.bm25_manager import BM25Manager  # noqa: E402
from codeintel_rev.io.generations import IndexFolder  # noqa: E402
from codeintel_rev.io.manifest import Manifest  # noqa: E402

CHUNKS = 60
QUERIES = ("subtract tax 7", "net price of item 31", "gross_59")
VOLATILE = ("indexed_at", "seconds", "root", "embedded", "reused")
# Imports first, so that a random moment is one of indexing; what it then does is what the command does.
CHILD = """
import sys
from pathlib import Path
from codeintel_rev.config.settings import Settings
from codeintel_rev.indexing import build
from codeintel_rev.io import embedders, vllm_embedder, duckdb_catalog, bm25_manager, faiss_manager
class Told:
    def stage(self, label, total):
        print(label, flush=True)
    def advance(self, units=1): ...
print("starting", flush=True)
build.build_index(build.BuildRequest(Path(sys.argv[1]), Settings.load(None)), Told())
print("done", flush=True)
"""


@dataclass(frozen=True)
class Ground:
    """A repository that is indexed at its first commit and stands at its second; `stages` of a whole run, in seconds."""

    template: Path
    settings: Settings
    url: str
    behaviour: object
    stages: list[float]
    old: dict
    new: dict


@dataclass
class Verdict:
    """`wrong` is empty when everything held."""

    stage: str
    published: bool
    wrong: list[str]


@contextmanager
def ground(folder: Path):
    """The template, and what clean runs give for either commit."""
    with serving() as (url, behaviour):
        settings = Settings(folder / "cache", embedding=EmbeddingSettings("vllm", url=url, timeout=30.0))
        template = folder / "template"
        _commit(template, "net")
        build_index(BuildRequest(template, settings))
        old = result(template)
        _commit(template, "gross")
        clean = shutil.copytree(template, folder / "clean", ignore=shutil.ignore_patterns(".codeintel-rev"))
        build_index(BuildRequest(clean, settings))
        whole = shutil.copytree(template, folder / "whole")
        yield Ground(template, settings, url, behaviour, _stages(whole, url), old, result(clean))


def kill_once(seed: int, where: Ground, folder: Path) -> Verdict:
    """Index, kill at a moment that the seed says, look, and index again."""
    repo = shutil.copytree(where.template, folder / "repo")
    where.behaviour.requests.clear()
    _killed(repo, where, random.Random(seed))
    status = index_status(repo)
    sent = _texts(where)
    wrong = [] if status.underway is None else [f"a dead process is said to index: {status.underway}"]
    wrong += _compared("after the kill", _shown(repo), [_shown_of(where.old), _shown_of(where.new)])
    build_index(BuildRequest(repo, where.settings))
    wrong += _compared("after the next run", result(repo), [where.new])
    again = _texts(where) - sent
    wrong += _embedded_twice(repo, sent, again)
    stage = status.interrupted.stage if status.interrupted else "before or after"
    published = status.manifest is not None and status.manifest.commit == where.new["manifest"]["commit"]
    return Verdict(stage, published, wrong)


def result(repo: Path) -> dict:
    """Everything of an index that an answer can depend on."""
    folder = IndexFolder(repo / ".codeintel-rev")
    generation = folder.current()
    made = Manifest.read(generation)
    lexical = BM25Manager(generation, made.chunks)
    vectors = faiss.read_index(str(generation / "vectors.faiss")) if made.vectors else None
    return {
        "manifest": {name: getattr(made, name) for name in Manifest.__slots__ if name not in VOLATILE},
        "chunks": sorted(
            (c.path, c.start_line, c.name, c.text) for known in known_chunks(folder).values() for c in known
        ),
        "answers": {query: lexical.search(query, 5) for query in QUERIES},
        "keys": (generation / "keys").read_bytes(),
        "vectors": vectors.reconstruct_n(0, vectors.ntotal).tobytes() if vectors else b"",
    }


def _shown(repo: Path) -> dict:
    try:
        return _shown_of(result(repo))
    except NotFoundError as error:
        return {"missing": str(error)}


def _shown_of(whole: dict) -> dict:
    """What a reader sees of words: an interim generation has fewer vectors, and other document numbers."""
    return {"commit": whole["manifest"]["commit"], "chunks": whole["chunks"]}


def _compared(when: str, seen: dict, allowed: list[dict]) -> list[str]:
    if seen in allowed:
        return []
    differing = [name for name, value in allowed[-1].items() if seen.get(name) != value]
    return [f"{when} these differ from a clean run: {', '.join(differing)} ({seen.get('missing', '')})"]


def _embedded_twice(repo: Path, before: Counter, again: Counter) -> list[str]:
    """Only what was on its way when the process died may be asked for again; at most one batch is on its way."""
    asked = {
        chunk.embedded_text for known in known_chunks(IndexFolder(repo / ".codeintel-rev")).values() for chunk in known
    }
    twice = [text for text in asked if before[text] and again[text]]
    largest = 32  # the second batch of a corpus of this size
    return [f"{len(twice)} chunks were embedded twice"] if len(twice) > largest else []


def _texts(where: Ground) -> Counter:
    bodies = [body for path, body, _ in [*where.behaviour.requests] if path == "/v1/embeddings"]
    return Counter(text for body in bodies for text in body["input"])


@contextmanager
def _child(repo: Path, url: str):
    named = {"CODEINTEL_REV_EMBEDDING_KIND": "vllm", "CODEINTEL_REV_EMBEDDING_URL": url}
    environment = os.environ | named | {"PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen([sys.executable, "-c", CHILD, repo], stdout=subprocess.PIPE, env=environment) as child:
        yield child


def _stages(repo: Path, url: str) -> list[float]:
    """How long each stage of an undisturbed run takes, from line to line of what it says."""
    with _child(repo, url) as child:
        told = [time.monotonic() for _ in child.stdout]
    return [after - before for before, after in itertools.pairwise(told)]


def _killed(repo: Path, where: Ground, chance: random.Random) -> None:
    """Every stage is as likely as any other, and every moment of it."""
    stage = chance.randrange(len(where.stages))
    with _child(repo, where.url) as child:
        for _ in range(stage + 1):
            child.stdout.readline()
        time.sleep(chance.uniform(0, 1.2 * where.stages[stage]))
        child.kill()


def _commit(root: Path, word: str) -> None:
    root.mkdir(exist_ok=True)
    for module in range(CHUNKS // 10):
        functions = [_function(word, module * 10 + number) for number in range(10)]
        (root / f"prices_{module}.py").write_text("\n\n".join(functions), encoding="utf-8")
    with git.Repo.init(root) as repo:
        repo.git.add("-A")
        repo.git(c=["user.name=t", "user.email=t@example.invalid"]).commit("-qm", word)


def _function(word: str, number: int) -> str:
    return (
        f"def {word}_{number}(price):\n    # {word} price of item {number}: subtract tax\n    return price - {number}\n"
    )


def main() -> int:
    options = argparse.ArgumentParser()
    options.add_argument("--count", type=int, default=50)
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1, 1_000_000))
    chosen = options.parse_args()
    stages: Counter = Counter()
    failures = 0
    with tempfile.TemporaryDirectory() as folder, ground(Path(folder)) as where:
        print(f"a clean run takes {sum(where.stages):.2f} s; seeds {chosen.seed} to {chosen.seed + chosen.count - 1}")
        for seed in range(chosen.seed, chosen.seed + chosen.count):
            with tempfile.TemporaryDirectory(dir=folder) as own:
                verdict = kill_once(seed, where, Path(own))
            stages[f"{verdict.stage}{', new index published' if verdict.published else ''}"] += 1
            failures += bool(verdict.wrong)
            if verdict.wrong:
                print(f"seed {seed}, killed at {verdict.stage!r}: {verdict.wrong}")
    for stage, count in stages.most_common():
        print(f"{count:>4} killed at: {stage}")
    print(f"{chosen.count - failures} of {chosen.count} kills lost nothing")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
