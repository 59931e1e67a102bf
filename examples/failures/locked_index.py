"""Somebody else holds the repository's index.lock. The first `git add` fails, is handled, and the second completes."""

import tempfile
from pathlib import Path

import git

with tempfile.TemporaryDirectory() as folder, git.Repo.init(folder) as repo:
    lock = Path(folder) / ".git" / "index.lock"
    lock.touch()
    try:
        repo.git.add("-A")
    except git.GitCommandError:
        lock.unlink()
    repo.git.add("-A")
