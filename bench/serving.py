"""100 clients at once against a served index of 50,000 chunks: errors, latency, throughput; bare and watched.

The texts and vectors are made up (the vectors random, of the embedded model's shape, stored as if it had made them),
the index, the server, the model that embeds the queries, the sockets and the clients are real.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import git
import httpx2
import numpy as np
from measure import table

from codeintel_rev.config.model import MINILM
from codeintel_rev.indexing.chunks import chunk_file
from codeintel_rev.io.vector_store import VectorStore

BIN = Path(sys.executable).parent
PER_FILE = 50
_VOCABULARY = """account archive balance batch branch buffer cache card channel charge chunk client cluster commit config
connection count cursor daemon decode delta digest encode entry error event export fetch field file filter flag flush
frame gateway graph handler hash header hook index input invoice journal key label latency ledger limit line link load
lock log manifest map mark match memory merge message meter model module node note number object offset option order
owner packet page parse patch path payload peer plan point policy pool port prefix process profile proxy query queue
quota range rank record region reply report request reserve result retry route rule sample scan schema scope score
segment server session shard signal size slot snapshot socket source span stage state status step store stream table
tag target task tenant thread ticket token topic trace tree trigger unit update user value vector version view watch
weight window worker write zone"""
WORDS = _VOCABULARY.split()


def functions(count, chance):
    """Like code: names of two or three words, a docstring, calls; word frequencies fall as in texts."""
    weights = [1 / (rank + 3) for rank in range(len(WORDS))]
    for number in range(count):
        some = chance.choices(WORDS, weights, k=14)
        yield (
            f"def {some[0]}_{some[1]}_{number}({some[2]}, {some[3]}):\n"
            f'    """Return the {some[4]} of a {some[5]} after its {some[6]} has been {some[7]}ed."""\n'
            f"    {some[8]} = {some[9]}_{some[10]}({some[2]})\n"
            f"    for {some[11]} in {some[8]}.{some[12]}s:\n"
            f"        {some[13]}.append({some[3]} + {some[11]})\n"
            f"    return {some[13]}\n"
        )


def make_repository(root, count, chance):
    root.mkdir()
    bodies = list(functions(count, chance))
    for number in range(0, count, PER_FILE):
        folder = root / f"part{number // PER_FILE % 40:02}"
        folder.mkdir(exist_ok=True)
        text = "\n\n".join(bodies[number : number + PER_FILE])
        (folder / f"m{number // PER_FILE:04}.py").write_text(text)
    with git.Repo.init(root) as repo:
        repo.git.add("-A")
        repo.git(c=["user.name=bench", "user.email=bench@example.invalid"]).commit("-qm", "all")


def make_vectors(root, seed):
    """Stored under the keys that indexing looks them up by, so that nothing has to be embedded."""
    keys = []
    for path in sorted(root.rglob("*.py")):
        chunks, _ = chunk_file(str(path.relative_to(root)), "0" * 40, path.read_text())
        keys += [chunk.key(MINILM.identity) for chunk in chunks]
    keys = list(dict.fromkeys(keys))
    vectors = np.random.default_rng(seed).standard_normal((len(keys), MINILM.dim), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    VectorStore(root / ".codeintel-rev" / "vectors", MINILM.identity, MINILM.dim).add(keys, vectors)
    return len(keys)


@contextmanager
def served(root, launcher):
    command = [*launcher, str(BIN / "codeintel-rev"), "serve", str(root), "--port", "0", "--json"]
    with subprocess.Popen(command, cwd=root.parent, stdout=subprocess.PIPE, text=True) as process:
        told = json.loads("".join(process.stdout.readline() for _ in range(6)))
        try:
            yield told["url"], told["pid"]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


async def crowd(url, clients, requests, make):
    """Latencies in seconds and the number of answers that were not 200."""
    limits = httpx2.Limits(max_connections=clients, max_keepalive_connections=clients)
    latencies, failed, waiting = [], 0, iter(range(requests))
    async with httpx2.AsyncClient(base_url=url, limits=limits, timeout=120, trust_env=False) as client:

        async def one():
            nonlocal failed
            for number in waiting:
                begun = time.perf_counter()
                path, body = make(number)
                answer = await client.post(path, json=body)
                latencies.append(time.perf_counter() - begun)
                failed += answer.status_code != 200 or bool(wrong(answer.json()))

        begun = time.perf_counter()
        await asyncio.gather(*(one() for _ in range(clients)))
        return latencies, failed, time.perf_counter() - begun


def wrong(answer):
    """A channel that was asked and did not answer is a failure here: the figures are those of whole answers."""
    return [stage for stage, status in answer["stages"].items() if status in ("failed", "timed_out")]


def scenarios(chance):
    queries = [" ".join(chance.choices(WORDS, k=chance.randint(3, 7))) for _ in range(500)]

    def hybrid(number):
        return "/v1/search", {"query": queries[number % 500]}

    def lexical(number):
        return "/v1/search", {"query": queries[number % 500], "weights": {"semantic": 0}}

    def text(number):
        return "/v1/text", {"pattern": rf"def \w+_{number * 7 % 50_000}\(", "limit": 20}

    return {"search, hybrid": hybrid, "search, lexical": lexical, "text, 1,000 files": text}


def cpu_seconds(pid):
    """Of the server and of the git processes that it waited for, not of the clients."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def peak_mib(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024


def measured(root, launcher, arguments):
    rows = []
    with served(root, launcher) as (url, pid):
        for name, make in scenarios(random.Random(arguments.seed)).items():
            asyncio.run(crowd(url, 2, 20, make))  # what is opened lazily is open
            for clients, requests in ((1, arguments.requests // 5), (100, arguments.requests)):
                print(f"{time.strftime('%X')} {name}, {clients} clients", file=sys.stderr, flush=True)
                worked = cpu_seconds(pid)
                latencies, failed, seconds = asyncio.run(crowd(url, clients, requests, make))
                worked = cpu_seconds(pid) - worked
                ordered = sorted(latencies)
                quantiles = (ordered[int(len(ordered) * share)] * 1e3 for share in (0.5, 0.95, 0.99))
                rows.append([name, str(clients), str(requests), str(failed), *(f"{q:.0f}" for q in quantiles)])
                rows[-1] += [f"{requests / seconds:.0f}", f"{worked / requests * 1e3:.1f}"]
        memory = peak_mib(pid)
    return rows, memory


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=50_000)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--watched", action="store_true", help="with codeintel-obs run in front as well")
    arguments = parser.parse_args()
    head = ["what", "clients", "requests", "failed", "p50 ms", "p95 ms", "p99 ms", "per second", "cpu ms each"]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "repo"
        make_repository(root, arguments.chunks, random.Random(arguments.seed))
        vectors = make_vectors(root, arguments.seed)
        begun = time.perf_counter()
        subprocess.run([BIN / "codeintel-rev", "index", root], check=True, stdout=subprocess.DEVNULL)
        print(f"{vectors} vectors; indexed in {time.perf_counter() - begun:.0f} s, {os.cpu_count()} cores", flush=True)
        launchers = {"bare": (), "watched": (str(BIN / "codeintel-obs"), "run", "--")}
        for name in launchers if arguments.watched else ["bare"]:
            rows, memory = measured(root, launchers[name], arguments)
            print(table(f"{name}, peak memory of the server {memory:.0f} MiB", [head, *rows]), flush=True)


if __name__ == "__main__":
    main()
