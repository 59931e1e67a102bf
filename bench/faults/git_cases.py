# ruff: noqa: E501 - a line of an expectation is a line of a report
"""Git: what goes wrong with the program, a repository, and what somebody else does in it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

from .case import Case
from .frames import script


def repository(folder: Path) -> None:
    """Make a repository with one commit, unwatched."""
    env = {**os.environ, "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z"}
    root = folder / "shop"
    root.mkdir()
    (root / "pay.py").write_text("def charge():\n    return 1\n")
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], [*_ANN, "commit", "-qm", "Add the gateway"]):
        subprocess.run(["git", *words], cwd=root, env=env, check=True)


_ANN: Final = ("-c", "user.name=Ann", "-c", "user.email=ann@example.invalid")


def damaged(folder: Path) -> None:
    """Make a repository whose only blob is garbage."""
    repository(folder)
    root = folder / "shop"
    blob = subprocess.run(["git", "rev-parse", "HEAD:pay.py"], cwd=root, capture_output=True, text=True, check=True)
    path = root / ".git" / "objects" / blob.stdout[:2] / blob.stdout.strip()[2:]
    path.chmod(0o600)
    path.write_bytes(b"garbage")


def foreign(folder: Path) -> None:
    """Make a repository that belongs to somebody else."""
    repository(folder)
    for path in [folder / "shop", *(folder / "shop").rglob("*")]:
        os.chown(path, 12345, 12345)


def locked(folder: Path) -> None:
    """Make a repository whose index somebody holds."""
    repository(folder)
    (folder / "shop" / ".git" / "index.lock").touch()


def slow_git(folder: Path) -> None:
    """Make a repository in which one alias of git hangs."""
    repository(folder)
    subprocess.run(["git", "config", "alias.hang", "!exec sleep 60"], cwd=folder / "shop", check=True)


def dying_git(folder: Path) -> None:
    """Make a repository in which one alias of git dies of a signal."""
    repository(folder)
    subprocess.run(["git", "config", "alias.die", "!kill -TERM $PPID"], cwd=folder / "shop", check=True)


CASES: Final = (
    Case(
        name="git.binary_missing",
        says="There is no git program.",
        script="""
            import os

            import git

            git.Git.GIT_PYTHON_GIT_EXECUTABLE = "no-such-git"
            git.Git(os.getcwd()).status()
        """,
        expect=script(
            """
                s1 python.import completed {module: git, version: <version>}
                  s2 git.process completed {subcommand: version, arguments: 0, pid: <pid>, exit_code: 0, stdout_len: <stdout_len>}
                  s3 git.process completed {subcommand: version, arguments: 0, pid: <pid>, exit_code: 0, stdout_len: <stdout_len>}
                s4 git.process failed {subcommand: status, arguments: 0, cwd: $CASE} raised e1 git.exc.GitCommandNotFound: command: not started: FileNotFoundError <- cause e2 FileNotFoundError
            """,
            watched="git, logging",
            code=1,
            stop="""
                stopped by s4 git.process failed: git.exc.GitCommandNotFound: command: not started: FileNotFoundError
                  proof: run.end, process.exit, step.end s4
                  trail end: e1 git.exc.GitCommandNotFound in s4 [step.end s4]
                  trail cause: e2 FileNotFoundError in no step [none]
            """,
        ),
    ),
    Case(
        name="git.blame_missing_path",
        says="Blame of a path that is not there; the application handles it and goes on.",
        exits=0,
        prepare=repository,
        script="""
            import git

            with git.Repo("shop") as repo:
                try:
                    repo.blame("HEAD", "gone.py")
                except git.GitCommandError:
                    print("nobody knows this file")
                repo.git.rev_parse("HEAD")
        """,
        expect=script(
            """
                s1 python.import completed {module: git, version: <version>}
                  s2 git.process completed {subcommand: version, arguments: 0, pid: <pid>, exit_code: 0, stdout_len: <stdout_len>}
                  s3 git.process completed {subcommand: version, arguments: 0, pid: <pid>, exit_code: 0, stdout_len: <stdout_len>}
                s4 git.open completed {path: shop, repository: $CASE/shop, bare: False}
                s5 git.blame failed {repository: $CASE/shop, range: HEAD, path: gone.py, exit_code: 128} raised e1 git.exc.GitCommandError: git blame: exit code 128
                  s6 git.process failed {subcommand: blame, options: ['-p'], arguments: 4, cwd: $CASE/shop, pid: <pid>, exit_code: 128} raised e1 git.exc.GitCommandError: git blame: exit code 128
                s7 git.process completed {subcommand: rev-parse, arguments: 1, cwd: $CASE/shop, pid: <pid>, exit_code: 0, stdout_len: 40}
            """,
            watched="git, logging",
            more="""
                handled: s6, s5
            """,
        ),
    ),
    Case(
        name="git.hang",
        says="git hangs and is killed by GitPython's own time limit.",
        prepare=slow_git,
        script="""
            import git

            git.Repo("shop").git.execute(["git", "hang"], kill_after_timeout=0.5)
        """,
        expect=script(
            """
                s1 python.import completed {module: git, version: <version>}
                  s2 git.process completed {subcommand: version, arguments: 0, pid: <pid>, exit_code: 0, stdout_len: <stdout_len>}
                  s3 git.process completed {subcommand: version, arguments: 0, pid: <pid>, exit_code: 0, stdout_len: <stdout_len>}
                s4 git.open completed {path: shop, repository: $CASE/shop, bare: False}
                s5 git.process timed_out {subcommand: hang, arguments: 0, cwd: $CASE/shop, pid: <pid>, exit_code: -9} raised e1 git.exc.GitCommandError: git hang: killed because it timed out
            """,
            watched="git, logging",
            code=1,
            stop="s5",
        ),
    ),
    Case(
        name="git.killed",
        says="git dies of a signal that somebody else sent.",
        prepare=dying_git,
        script="""
            import git

            git.Repo("shop").git.execute(["git", "die"])
        """,
        expect=script(
            """
                s1 python.import completed {module: git, version: <version>}
                  s2 git.process completed {subcommand: version, arguments: 0, pid: <pid>, exit_code: 0, stdout_len: <stdout_len>}
                  s3 git.process completed {subcommand: version, arguments: 0, pid: <pid>, exit_code: 0, stdout_len: <stdout_len>}
                s4 git.open completed {path: shop, repository: $CASE/shop, bare: False}
                s5 git.process failed {subcommand: die, arguments: 0, cwd: $CASE/shop, pid: <pid>, exit_code: -15} raised e1 git.exc.GitCommandError: git die: exit code -15
            """,
            watched="git, logging",
            code=1,
            stop="s5",
        ),
    ),
    Case(
        name="git.dubious_ownership",
        says="The repository belongs to another user: git refuses it.",
        prepare=foreign,
        cannot=lambda: None if os.getuid() == 0 else "giving files to another user needs root",
        env={"HOME": "/nonexistent"},
        script="""
            import git

            git.Repo("shop").git.status()
        """,
        expect=script(
            """
                s1 python.import completed {module: git, version: <version>}
                  s2 git.process completed {subcommand: version, arguments: 0, pid: <pid>, exit_code: 0, stdout_len: <stdout_len>}
                  s3 git.process completed {subcommand: version, arguments: 0, pid: <pid>, exit_code: 0, stdout_len: <stdout_len>}
                s4 git.open completed {path: shop, repository: $CASE/shop, bare: False}
                s5 git.process failed {subcommand: status, arguments: 0, cwd: $CASE/shop, pid: <pid>, exit_code: 128} raised e1 git.exc.GitCommandError: git status: exit code 128
            """,
            watched="git, logging",
            code=1,
            stop="s5",
        ),
    ),
    Case(
        name="git.index_lock",
        says="Somebody holds index.lock: git add fails.",
        prepare=locked,
        script="""
            import git

            git.Repo("shop").git.add("-A")
        """,
        expect=script(
            """
                s1 python.import completed {module: git, version: <version>}
                  s2 git.process completed {subcommand: version, arguments: 0, pid: <pid>, exit_code: 0, stdout_len: <stdout_len>}
                  s3 git.process completed {subcommand: version, arguments: 0, pid: <pid>, exit_code: 0, stdout_len: <stdout_len>}
                s4 git.open completed {path: shop, repository: $CASE/shop, bare: False}
                s5 git.process failed {subcommand: add, options: ['-A'], arguments: 1, cwd: $CASE/shop, pid: <pid>, exit_code: 128} raised e1 git.exc.GitCommandError: git add: exit code 128
            """,
            watched="git, logging",
            code=1,
            stop="s5",
        ),
    ),
    Case(
        name="git.index_lock_recovered",
        says="Somebody holds index.lock, and has gone when git add is tried again.",
        exits=0,
        prepare=locked,
        script="""
            import os

            import git

            with git.Repo("shop") as repo:
                try:
                    repo.git.add("-A")
                except git.GitCommandError:
                    os.remove("shop/.git/index.lock")
                    repo.git.add("-A")
        """,
        expect=script(
            """
                s1 python.import completed {module: git, version: <version>}
                  s2 git.process completed {subcommand: version, arguments: 0, pid: <pid>, exit_code: 0, stdout_len: <stdout_len>}
                  s3 git.process completed {subcommand: version, arguments: 0, pid: <pid>, exit_code: 0, stdout_len: <stdout_len>}
                s4 git.open completed {path: shop, repository: $CASE/shop, bare: False}
                s5 git.process failed {subcommand: add, options: ['-A'], arguments: 1, cwd: $CASE/shop, pid: <pid>, exit_code: 128} raised e1 git.exc.GitCommandError: git add: exit code 128
                s6 git.process completed {subcommand: add, options: ['-A'], arguments: 1, cwd: $CASE/shop, pid: <pid>, exit_code: 0, stdout_len: 0}
            """,
            watched="git, logging",
            more="""
                handled: s5
                recovered: git.process s5 by s6 [step.begin s5, step.end s5, step.begin s6, step.end s6]
            """,
        ),
    ),
    Case(
        name="git.corrupt_object",
        says="An object of the repository is garbage.",
        prepare=damaged,
        script="""
            import git

            git.Repo("shop").git.show("HEAD:pay.py")
        """,
        expect=script(
            """
                s1 python.import completed {module: git, version: <version>}
                  s2 git.process completed {subcommand: version, arguments: 0, pid: <pid>, exit_code: 0, stdout_len: <stdout_len>}
                  s3 git.process completed {subcommand: version, arguments: 0, pid: <pid>, exit_code: 0, stdout_len: <stdout_len>}
                s4 git.open completed {path: shop, repository: $CASE/shop, bare: False}
                s5 git.process failed {subcommand: show, arguments: 1, cwd: $CASE/shop, pid: <pid>, exit_code: 128} raised e1 git.exc.GitCommandError: git show: exit code 128
            """,
            watched="git, logging",
            code=1,
            stop="s5",
        ),
    ),
)
