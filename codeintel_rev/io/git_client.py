"""What the application asks git: the tree of HEAD, what differs from it, and how far it has moved on."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from codeintel_rev.errors import NotFoundError, RevError, UsageError

try:
    import git
except ImportError as error:  # GitPython looks for the git program while it is imported
    raise RevError(f"git cannot be used: {str(error).splitlines()[0]}", "Mend: install git") from error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

_SYMLINK_MODE = 0o120000
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_COUNTED_COMMITS = 1000

EntryKind = Literal["file", "symlink", "submodule"]


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
    """Paths that differ from HEAD (edited, staged, deleted), and how many entries git does not know."""

    dirty: frozenset[str]
    untracked: int


class GitClient:
    """One open repository; GitPython keeps `cat-file` processes until it is closed."""

    def __init__(self, repo: git.Repo, root: Path) -> None:
        self._repo = repo
        self.root = root

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[GitClient]:
        """The repository that contains `path`; git's own failures below come out as RevError."""
        repo = _repository(path)
        try:
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
        tree = self._repo.commit(commit).tree
        found = [_entry(item) for item in tree.traverse() if item.type != "tree"]
        return sorted(found, key=lambda entry: entry.path)

    def working_tree(self) -> WorkingTree:
        listing = self._repo.git.status("--porcelain=v1", "-z", "--no-renames", "--untracked-files=normal")
        lines = [line for line in listing.split("\0") if line]
        dirty = frozenset(line[3:] for line in lines if not line.startswith("??"))
        return WorkingTree(dirty, len(lines) - sum(not line.startswith("??") for line in lines))

    def blob(self, hexsha: str) -> bytes:
        """The content as committed."""
        content = self._repo.odb.stream(bytes.fromhex(hexsha)).read()
        return bytes(content)

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


def _entry(item: git.objects.base.IndexObject) -> Entry:
    if item.type != "blob":
        return Entry(item.path, item.hexsha, "submodule", 0)
    return Entry(item.path, item.hexsha, "symlink" if item.mode == _SYMLINK_MODE else "file", item.size)


def _failed(error: git.GitCommandError, path: Path) -> RevError:
    said = str(error.stderr).strip().strip("'").strip().splitlines() or [str(error.status)]
    told = next((line.strip() for line in said if "fatal:" in line or "error:" in line), said[-1].strip())
    mend = f"Mend: git config --global --add safe.directory {path}" if "dubious ownership" in told else ""
    return RevError(f"git failed in {path}: {told}", mend)
