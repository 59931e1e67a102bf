"""GitPython under PyDriller: it walks a repository's commits, their modified files, their lines and their last changes."""

from __future__ import annotations

import sys
from pathlib import Path

import answers
import repository
from pydriller import Git, Repository


def main(folder: Path) -> None:
    path = repository.made(folder / "repository")
    commits = [told(commit) for commit in Repository(str(path), include_refs=True).traverse_commits()]
    backwards = [
        commit.hash for commit in Repository(str(path), order="reverse", only_no_merge=True).traverse_commits()
    ]
    git = Git(str(path))
    blamed = {commit["hash"]: git.get_commits_last_modified_lines(git.get_commit(commit["hash"])) for commit in commits}
    last = {hash_: {path: sorted(hashes) for path, hashes in found.items()} for hash_, found in blamed.items()}
    answers.keep(
        folder, commits=commits, backwards=backwards, last=last, files=sorted(git.files()), total=git.total_commits()
    )


def told(commit):
    files = [
        (f.filename, str(f.change_type), f.added_lines, f.deleted_lines, f.complexity, f.nloc, f.diff)
        for f in commit.modified_files
    ]
    words = (commit.hash, commit.msg, str(commit.committer_date), commit.parents, commit.merge, commit.insertions)
    return dict(
        zip(("hash", "message", "date", "parents", "merge", "insertions", "files"), (*words, files), strict=True)
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
