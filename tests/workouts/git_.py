"""Uses GitPython as a code-intelligence service would."""

from __future__ import annotations

import os

from codeintel_obs import FieldClass
from codeintel_obs.testing import workout

WHO = {"name": "A", "email": "a@example.invalid"}


def error(call, *types):
    try:
        call()
    except types as exc:
        return type(exc)


def repository(folder):
    import git

    repo = git.Repo.init(folder / "repo", initial_branch="main")
    with repo.config_writer() as config:
        config.set_value("user", "name", WHO["name"])
        config.set_value("user", "email", WHO["email"])
        config.set_value("commit", "gpgsign", "false")
    for number in range(3):
        path = os.path.join(repo.working_dir, f"file{number}.py")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"line {number}\nmore\n")
        repo.index.add([path])
        date = f"{1763596800 + number} +0000"
        repo.index.commit(f"commit {number}", author_date=date, commit_date=date)
    return repo


def streamed(repo):
    process = repo.git.status(as_process=True)
    with process.proc.stdout, process.proc.stderr:
        return process.wait(), process.proc.stdout.read()


@workout("git", canaries={"canary-in-argv": FieldClass.TEXT})
def history(folder):
    import git

    with repository(folder) as repo:
        blamed = [(str(commit), lines) for commit, lines in repo.blame("HEAD", "file1.py")]
        return [
            [commit.hexsha for commit in repo.iter_commits("main")],
            blamed,
            [(each.change_type, each.a_path) for each in repo.head.commit.diff("HEAD~1")],
            repo.git.log("--oneline", "--grep=canary-in-argv"),
            repo.is_dirty(),
            repo.untracked_files,
            repo.head.commit.tree["file0.py"].data_stream.read(),
            error(lambda: repo.git.show("nothing"), git.GitCommandError),
            error(lambda: git.Repo(folder / "nowhere"), git.NoSuchPathError, git.InvalidGitRepositoryError),
            streamed(repo),
        ]


@workout("git")
def clones(folder):
    with repository(folder) as repo, repo.clone(folder / "clone") as clone:
        return [
            clone.head.commit.hexsha == repo.head.commit.hexsha,
            [info.name for info in clone.remotes.origin.fetch()],
            clone.create_head("topic").name,
        ]
