"""What each kind of vector index costs by size, on synthetic vectors: the measurement behind `EXACT_UP_TO`.

`python bench/retrieval_vectors.py [--sizes 10000 50000 200000] [--queries 200] [--qdrant URL]`. Each row is a process
of its own; a Qdrant server is measured too when one is named. The vectors lie as a model's do, near a surface of few
dimensions in the model's space, because evenly spread ones have no neighbours worth finding. Times are processor time:
of one thread for a search, of all threads for the build; of Qdrant wall time, for its work is elsewhere.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DIM, INNER, CLOUDS, K = 384, 48, 500, 10
KINDS = ("flat", "hnsw", "ivfpq")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 50_000, 200_000])
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--qdrant", metavar="URL", default="")
    parser.add_argument("--row", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.row:
        print(json.dumps(row(arguments.row[0], int(arguments.row[1]), arguments.queries, arguments.qdrant)))
        return
    print("| vectors | kind | build s | p50 ms | p95 ms | recall@10 | index MiB |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for size in arguments.sizes:
        for kind in (*KINDS, *(["qdrant"] if arguments.qdrant else [])):
            print(measured(kind, size, arguments.queries, arguments.qdrant), flush=True)


def measured(kind: str, size: int, queries: int, url: str) -> str:
    command = [sys.executable, __file__, "--row", kind, str(size), "--queries", str(queries), "--qdrant", url]
    # threads that wait must not count as work
    environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    made = json.loads(done.stdout)
    times = f"{made['build']:.1f} | {made['p50']:.2f} | {made['p95']:.2f}"
    return f"| {size:,} | {kind} | {times} | {made['recall']:.3f} | {made['mib']:.0f} |"


def vectors(count: int, queries: int):
    import numpy as np

    draw = np.random.default_rng(0)
    surface = draw.standard_normal((INNER, DIM))
    centres = draw.standard_normal((CLOUDS, INNER))
    inner = centres[draw.integers(0, CLOUDS, count + queries)] + 0.7 * draw.standard_normal((count + queries, INNER))
    made = (inner @ surface + 0.5 * draw.standard_normal((count + queries, DIM))).astype(np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return made[:count], made[count:]


def row(kind: str, size: int, queries: int, url: str) -> dict[str, float]:
    import faiss
    import numpy as np

    from codeintel_rev.config.settings import Settings, VectorSettings
    from codeintel_rev.io import vector_index

    documents, asked = vectors(size, queries)
    own = {"store": "qdrant", "url": url} if kind == "qdrant" else {"kind": kind}
    clock = time.perf_counter if kind == "qdrant" else time.thread_time
    settings = Settings(cache_dir=Path(), vectors=VectorSettings(gpu="off", **own))
    with tempfile.TemporaryDirectory() as made:
        draft = Path(made) / "index" / "generations" / "one"
        draft.mkdir(parents=True)
        begun = time.process_time()
        vector_index.build(draft, documents, settings)
        build = time.process_time() - begun
        size_on_disk = sum(file.stat().st_size for file in draft.rglob("*") if file.is_file())
        faiss.omp_set_num_threads(1)
        index = vector_index.open_index(draft, size, settings)
        found, times = [], []
        for query in asked:
            begun = clock()
            found.append({item.doc for item in index.search(query[None, :], K)})
            times.append(1000 * (clock() - begun))
        index.close()
    exact = [set(np.argpartition(-(documents @ query), K)[:K].tolist()) for query in asked]
    recall = float(np.mean([len(one & other) / K for one, other in zip(found, exact, strict=True)]))
    p50, p95 = np.percentile(times, (50, 95))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"build": build, "p50": p50, "p95": p95, "recall": recall, "mib": size_on_disk / 2**20, "peak": peak}


if __name__ == "__main__":
    main()
