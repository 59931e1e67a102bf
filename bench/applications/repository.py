"""A git repository whose every commit has one hash: authors, dates and contents are fixed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

FIXED = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


def made(path: Path, commits: int = 40) -> Path:
    """Make a repository of that many commits on two branches, one merge and a tag."""
    git(path.parent, "init", "-q", "-b", "main", str(path))
    for number in range(commits):
        if number == commits // 2:
            git(path, "checkout", "-q", "-b", "side")
        (path / f"module_{number % 7}.py").write_text(
            "".join(f"def f{n}():\n    return {n}\n" for n in range(number + 1))
        )
        commit(path, number)
    git(path, "checkout", "-q", "main")
    git(path, "merge", "-q", "--no-ff", "-m", "Merge side", "side", number=commits)
    git(path, "tag", "v1")
    return path


def commit(path: Path, number: int) -> None:
    git(path, "add", "-A")
    git(path, "commit", "-q", "-m", f"Change {number}", number=number)


def git(path: Path, *words: str, number: int = 0) -> None:
    dates = dict.fromkeys(("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"), f"{1_790_000_000 + number * 3600} +0000")
    subprocess.run(("git", *words), cwd=path, env={**os.environ, **FIXED, **dates}, check=True)
