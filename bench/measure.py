"""Honest ratios on a noisy machine: contenders take turns, and a low quantile of many short rounds is compared."""

from __future__ import annotations

import resource
import subprocess
import threading
import time
from collections.abc import Callable, Sequence

Contender = Callable[[int], None]
"""Does its work ``n`` times."""


def low_quantile(values: Sequence[float], share: float = 0.1) -> float:
    """Return the value below which ``share`` of ``values`` lie: noise only ever adds time."""
    return sorted(values)[int(len(values) * share)]


def interleaved(
    contenders: dict[str, Contender], rounds: int, times: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Return each contender's time by ``clock`` per piece of work in µs: p10 over ``rounds``, taken in turns."""
    seen: dict[str, list[float]] = {name: [] for name in contenders}
    for contender in contenders.values():
        contender(times)
    for _ in range(rounds):
        for name, contender in contenders.items():
            begun = clock()
            contender(times)
            seen[name].append((clock() - begun) / times * 1e6)
    return {name: low_quantile(values) for name, values in seen.items()}


def in_threads(work: Contender, threads: int) -> Contender:
    """Return ``work`` spread over ``threads`` threads."""

    def run(times: int) -> None:
        workers = [threading.Thread(target=work, args=(times // threads,)) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    return run


def cpu_of(command: Sequence[str], env: dict[str, str] | None = None, cwd: str | None = None) -> float:
    """Return user and system CPU of ``command`` and its descendants, in ms."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, env=env, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e3


def table(title: str, rows: Sequence[Sequence[str]]) -> str:
    """Return ``rows`` as a Markdown table; the first row is its head."""
    head, *body = rows
    lines = [f"## {title}", "", f"| {' | '.join(head)} |", f"| {' | '.join('---' for _ in head)} |"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in body), ""])
