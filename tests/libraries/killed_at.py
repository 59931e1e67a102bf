"""Runs one command again and again on copies of a data directory, and kills it before its Nth step on the disk.

Prints one line for each copy: ``killed`` or ``ended``, and the folder. It forks, so that DuckDB is imported once.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time

CHANGES = ("fsync", "rename", "replace", "unlink", "rmdir", "mkdir", "link", "chmod", "utime")


def count_down(left):
    """Have the process kill itself before the ``left``-th change of the disk from now on."""
    remaining = [left]

    def counted(function):
        def call(*args, **more):
            remaining[0] -= 1
            if not remaining[0]:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **more)

        return call

    for name in CHANGES:
        setattr(os, name, counted(getattr(os, name)))


def attempt(template, folder, words, steps, seconds):
    """Run the command on a copy of ``template``; return whether it was killed."""
    shutil.copytree(template, folder, symlinks=True)
    pid = os.fork()
    if not pid:
        if steps:
            count_down(steps)
        from codeintel_obs.cli import main

        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = main([*words, "--data-dir", folder])
        os._exit(code)
    if seconds:
        time.sleep(seconds)
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if not os.WIFSIGNALED(status) and os.WEXITSTATUS(status):
        raise SystemExit(f"{words} ended with {os.WEXITSTATUS(status)} in {folder}")
    return os.WIFSIGNALED(status)


def main(template, into, times, *words):
    import duckdb  # noqa: F401 - once, before the forks

    steps = 0
    while True:
        steps += 1
        folder = f"{into}/{steps}"
        killed = attempt(template, folder, words, steps, 0)
        print("killed" if killed else "ended", folder, flush=True)
        if not killed:
            break
    chance = random.Random(os.environ["SEED"])
    for number in range(int(times)):
        folder = f"{into}/t{number}"
        killed = attempt(template, folder, words, 0, chance.uniform(0.001, 0.25))
        print("killed" if killed else "ended", folder, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
