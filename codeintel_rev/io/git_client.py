"""What indexing asks git: the tree of HEAD, what differs from it, and how far it has moved on."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from codeintel_rev.errors import NotFoundError, RevError, UsageError

try:
    import git
except ImportError as error:  # GitPython looks for the git program while it is imported
    raise RevError(f"git cannot be used: {str(error).splitlines()[0]}", "Mend: install git") from error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

EntryKind = Literal["file", "symlink", "submodule"]

_KINDS: dict[str, EntryKind] = {"120000": "symlink", "160000": "submodule"}
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_COUNTED_COMMITS = 1000
_DATED_COMMITS = 5000


@dataclass(frozen=True, slots=True)
class Entry:
    """One path of the tree of HEAD; `size` is the blob's, in bytes."""

    path: str
    blob: str
    kind: EntryKind
    size: int


@dataclass(frozen=True, slots=True)
class Head:
    """`branch` is None when HEAD is detached."""

    commit: str
    committed_at: datetime
    branch: str | None


@dataclass(frozen=True, slots=True)
class WorkingTree:
    """Paths that differ from HEAD (edited, staged, deleted), and what git neither knows nor ignores.

    An untracked folder is one entry with a slash at its end, unless every file of it was asked for;
    another repository always is.
    """

    dirty: frozenset[str]
    untracked: frozenset[str]


class GitClient:
    """One open repository; GitPython keeps `cat-file` processes until it is closed."""

    def __init__(self, repo: git.Repo, root: Path) -> None:
        self._repo = repo
        self.root = root

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Self]:
        """The repository that contains `path`; git's own failures below come out as RevError."""
        repo = _repository(path)
        try:
            _check_environment(repo)
            if repo.working_tree_dir is None:
                raise UsageError(f"{path} is a bare repository", "Mend: clone it and index the clone")
            # status must not lock the index that somebody works with, nor start a program of the repository
            repo.git.update_environment(GIT_OPTIONAL_LOCKS="0")
            repo.git.set_persistent_git_options(c="core.fsmonitor=false")
            yield cls(repo, Path(repo.working_tree_dir).resolve())
        except git.GitCommandError as error:
            raise _failed(error, path) from error
        except git.ODBError as error:
            raise RevError(f"git's objects in {path} cannot be read: {error}", "Mend: git fsck") from error
        finally:
            repo.close()

    def head(self) -> Head:
        """Raises NotFoundError in a repository without a commit."""
        self._check_head()
        newest = next(self._repo.iter_commits(max_count=1))
        branch = None if self._repo.head.is_detached else self._repo.active_branch.name
        return Head(newest.hexsha, newest.committed_datetime, branch)

    def head_commit(self) -> str:
        """The hash alone, cheaply. Raises NotFoundError in a repository without a commit."""
        self._check_head()
        return str(self._repo.head.commit.hexsha)

    def _check_head(self) -> None:
        try:
            self._repo.head.commit  # noqa: B018 - resolving it is the check
        except ValueError as error:
            if "does not exist" not in str(error):
                raise RevError(f"HEAD of {self.root} cannot be read: {error}", "Mend: git fsck") from error
            what = f"{self.root} has no commit yet"
            raise NotFoundError(what, "Mend: commit first; what is indexed is a commit") from error

    def entries(self, commit: str) -> list[Entry]:
        """All files, symbolic links and submodules of a commit, by path."""
        listing = self._repo.git.ls_tree("-r", "-l", "-z", "--full-tree", _checked(commit))
        return sorted(map(_entry, listing.split("\0")[:-1]), key=lambda entry: entry.path)

    def working_tree(self, *, every_file: bool = False) -> WorkingTree:
        untracked = f"--untracked-files={'all' if every_file else 'normal'}"
        listing = self._repo.git.status("--porcelain=v1", "-z", "--no-renames", "--ignore-submodules=dirty", untracked)
        lines = [line for line in listing.split("\0") if line]
        dirty = frozenset(line[3:] for line in lines if not line.startswith("??"))
        return WorkingTree(dirty, frozenset(line[3:] for line in lines if line.startswith("??")))

    def worktrees(self) -> list[Path]:
        """The roots of the other working trees of this repository."""
        listing = self._repo.git.worktree("list", "--porcelain")
        named = (field.removeprefix("worktree ") for field in listing.splitlines() if field.startswith("worktree "))
        return [path for path in map(Path, named) if path.resolve() != self.root]

    def commit_dates(self, commit: str) -> dict[str, int]:
        """When each path was last changed, in seconds of the epoch, as far as the newest commits tell."""
        options = ("--name-only", "-z", "--no-renames", "--no-ext-diff", "--no-show-signature", "--format=/%ct")
        listing = self._repo.git.log(*options, f"--max-count={_DATED_COMMITS}", _checked(commit))
        dates: dict[str, int] = {}
        date = 0
        for field in filter(None, listing.split("\0")):
            if field.startswith("/"):  # no path does
                date = int(field[1:])
            else:
                dates.setdefault(field.removeprefix("\n"), date)
        return dates

    def blob(self, hexsha: str) -> bytes:
        """The content as committed."""
        return bytes(self._repo.odb.stream(bytes.fromhex(hexsha)).read())

    def commits_since(self, commit: str) -> int | None:
        """How many commits HEAD has that `commit` has not (at most 1,000); None for one that is gone."""
        if not self._knows(commit):
            return None
        return sum(1 for _ in self._repo.iter_commits(f"{commit}..HEAD", max_count=_COUNTED_COMMITS))

    def changed_since(self, commit: str) -> frozenset[str]:
        """Paths whose working-tree content differs from that commit; empty for a commit that is gone."""
        if not self._knows(commit):
            return frozenset()
        options = ("--name-only", "-z", "--no-renames", "--no-ext-diff", "--no-textconv")
        listing = self._repo.git.diff(*options, commit, "--")
        return frozenset(path for path in listing.split("\0") if path)

    def _knows(self, commit: str) -> bool:
        if not _COMMIT.fullmatch(commit):
            return False  # it came from a file, and must not become an option of git
        try:
            self._repo.commit(commit)
        except (ValueError, git.BadName):
            return False
        return True


def _repository(path: Path) -> git.Repo:
    try:
        return git.Repo(path, search_parent_directories=True)
    except git.NoSuchPathError as error:
        raise NotFoundError(f"{path} does not exist", "Mend: give the folder of a git repository") from error
    except git.InvalidGitRepositoryError as error:
        raise NotFoundError(f"{path} is in no git repository", "Mend: give one, or run git init there") from error


def _check_environment(repo: git.Repo) -> None:
    """A git hook runs with GIT_DIR set, and git believes it rather than the folder that was named."""
    told = os.environ.get("GIT_DIR")
    if told and Path(repo.working_dir, told).resolve() != Path(repo.git_dir).resolve():
        what = f"GIT_DIR in the environment is {told}, another repository than {repo.working_dir}"
        raise UsageError(what, "Mend: unset GIT_DIR, as a git hook must before it works elsewhere")


def _entry(line: str) -> Entry:
    described, _, path = line.partition("\t")
    mode, _, blob, size = described.split()
    return Entry(path, blob, _KINDS.get(mode, "file"), 0 if size == "-" else int(size))


def _checked(commit: str) -> str:
    if not _COMMIT.fullmatch(commit):
        raise UsageError(f"{commit!r} is no hash of a commit")
    return commit


def _failed(error: git.GitCommandError, path: Path) -> RevError:
    said = str(error.stderr).strip().strip("'").strip().splitlines() or [str(error.status)]
    told = next((line.strip() for line in said if "fatal:" in line or "error:" in line), said[-1].strip())
    mend = f"Mend: git config --global --add safe.directory {path}" if "dubious ownership" in told else ""
    return RevError(f"git failed in {path}: {told}", mend)
