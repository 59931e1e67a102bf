"""What an answer about files asks git: which there are, who wrote a line, and which commits changed a file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import git

from codeintel_rev.errors import DeadlineError, NotFoundError, UsageError
from codeintel_rev.io.git_client import GitClient
from codeintel_rev.io.repository_files import checked_path, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_LINES = 1000
MOST_COMMITS = 500
_SHAPE = "%H%x00%an%x00%aI%x00%s%x00"  # NUL is the one byte that none of these can hold
_FIELDS = 4
_NOT_COMMITTED = frozenset("0")
# a file whose name looks like a pattern (`:(glob)*`) is that file and no pattern
_ENVIRONMENT = {"GIT_LITERAL_PATHSPECS": "1"}


@dataclass(frozen=True, slots=True)
class Blamed:
    """Lines `start_line` to `end_line` come from one commit; None for lines that are not committed."""

    start_line: int
    end_line: int
    commit: str | None
    author: str
    date: str
    summary: str


@dataclass(frozen=True, slots=True)
class Change:
    """One commit that changed the file; `date` is the author's, ISO 8601."""

    commit: str
    author: str
    date: str
    summary: str


class GitHistory(GitClient):
    """`seconds` bound every call; a path can never be read as an option or a pattern of git."""

    seconds: float = 10.0

    def version(self) -> str:
        return ".".join(map(str, self._repo.git.version_info))

    def paths(self) -> list[str]:
        """Tracked files, and untracked ones that no .gitignore names; symbolic links among them, submodules too."""
        listing = self._asked("ls_files", "-z", "--cached", "--others", "--exclude-standard")
        return sorted({path for path in listing.split("\0") if path})

    def blame(self, path: str, start: int, end: int) -> list[Blamed]:
        """Of the working tree's lines, up to the last one; NotFoundError for lines that are not there."""
        if not 1 <= start <= end or end - start >= MOST_LINES:
            what = f"lines {start} to {end} cannot be blamed"
            raise UsageError(what, f"Mend: 1 <= start <= end, and at most {MOST_LINES} lines at once")
        listing = self._of_file("blame", path, "--line-porcelain", "--no-textconv", f"-L{start},{end}")
        return _hunks(_blamed_lines(listing))

    def history(self, path: str, most: int) -> list[Change]:
        """The newest first, renames followed."""
        if not 1 <= most <= MOST_COMMITS:
            raise UsageError(f"limit is {most}", f"Mend: give 1 to {MOST_COMMITS}")
        options = ("--follow", "--no-show-signature", "--no-textconv", "--no-ext-diff", "--no-patch")
        listing = self._of_file("log", path, *options, f"--max-count={most}", f"--format={_SHAPE}", "HEAD")
        fields = [printable(field.lstrip("\n")) for field in listing.split("\0")[:-1]]
        return [Change(*fields[at : at + _FIELDS]) for at in range(0, len(fields), _FIELDS)]

    def _of_file(self, command: str, path: str, *arguments: str) -> str:
        spelled = checked_path(path)
        try:
            return self._asked(command, *arguments, "--", spelled)
        except git.GitCommandError as error:
            raise _explained(error, printable(spelled)) from error

    def _asked(self, command: str, *arguments: str) -> str:
        call: Any = getattr(self._repo.git, command)
        try:
            return str(call(*arguments, env=_ENVIRONMENT, kill_after_timeout=self.seconds))
        except git.GitCommandError as error:
            if "Timeout: the command" in str(error.stderr):
                raise DeadlineError(f"git {command} took more than {self.seconds:g} s") from error
            raise


def _explained(error: git.GitCommandError, path: str) -> Exception:
    said = str(error.stderr)
    if "no such path" in said or "does not have any commits" in said or "bad revision 'HEAD'" in said:
        return NotFoundError(f"{path} is in no commit", "Mend: list_paths shows what there is; commit it first")
    if "has only" in said:
        return NotFoundError(f"{path} has fewer lines than that")
    return cast("Exception", error)


def _blamed_lines(listing: str) -> Iterator[Blamed]:
    """One per line, each with its whole header: `--line-porcelain` repeats it."""
    told: dict[str, str] = {}
    number = 0
    for line in listing.split("\n"):
        if line.startswith("\t"):
            yield _described(number, told)
            told = {}
        elif not told:
            told["commit"], _, rest = line.partition(" ")
            number = int(rest.split()[1]) if rest else 0
        else:
            name, _, value = line.partition(" ")
            told[name] = value


def _described(number: int, told: dict[str, str]) -> Blamed:
    committed = not _NOT_COMMITTED.issuperset(told["commit"])
    seconds = int(told.get("author-time", "0"))
    return Blamed(
        number,
        number,
        told["commit"] if committed else None,
        printable(told.get("author", "")) if committed else "",
        datetime.fromtimestamp(seconds, UTC).isoformat() if committed else "",
        printable(told.get("summary", "")) if committed else "",
    )


def _hunks(lines: Iterator[Blamed]) -> list[Blamed]:
    found: list[Blamed] = []
    for line in lines:
        last = found[-1] if found else None
        if last is not None and (last.commit, last.end_line) == (line.commit, line.start_line - 1):
            found[-1] = replace(last, end_line=line.end_line)
        else:
            found.append(line)
    return found
