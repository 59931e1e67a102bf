"""Searches the text of the working tree as ripgrep does: line by line, what .gitignore names left out."""

from __future__ import annotations

import os
import stat
import time
from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Literal

from codeintel_rev.errors import UsageError
from codeintel_rev.io.beneath import open_at, parts
from codeintel_rev.io.globs import PathFilter
from codeintel_rev.io.regex import Case, LinePattern
from codeintel_rev.io.repository_files import LARGEST, printable
from codeintel_rev.io.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MOST_MATCHES = 1000
MOST_CONTEXT = 20
WIDTH = 300
_MOST_CHARACTERS = 400_000
_SNIFFED = 8000
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe must not keep us waiting
_FILES_A_TURN = 256
_TURNS = Turns()  # of the process, as the interpreter lock is

Stopped = Literal["", "limit", "time", "size"]


@dataclass(frozen=True, slots=True)
class TextQuery:
    """`globs` as in .gitignore, `!` refuses. `smart` case: a pattern without capitals matches both."""

    pattern: str
    fixed: bool = False
    word: bool = False
    case: Case = "smart"
    globs: tuple[str, ...] = ()
    context: int = 0
    limit: int = 50
    seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class TextMatch:
    """Line and column count from 1, the column in characters; a long line is cut around its match."""

    path: str
    line: int
    column: int
    text: str
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


@dataclass(slots=True)
class TextFound:
    """By path and line. `stopped` says why there may be more; `skipped` counts files by reason."""

    matches: list[TextMatch] = field(default_factory=list)
    files: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    stopped: Stopped = ""


def search_text(root: Path, paths: Iterable[str], query: TextQuery) -> TextFound:
    """`paths` are those of the repository, from its root. UsageError for a query that means nothing."""
    if not 0 <= query.context <= MOST_CONTEXT:
        raise UsageError(f"context is {query.context}", f"Mend: give 0 to {MOST_CONTEXT}")
    if not 1 <= query.limit <= MOST_MATCHES:
        raise UsageError(f"limit is {query.limit}", f"Mend: give 1 to {MOST_MATCHES}")
    pattern = LinePattern(query.pattern, fixed=query.fixed, word=query.word, case=query.case)
    files = iter(sorted(filter(PathFilter(query.globs), paths)))
    with closing(_Scan(root, query, pattern)) as scan:
        while some := list(islice(files, _FILES_A_TURN)):
            with _TURNS.turn():
                scan.files(some)
            if scan.found.stopped:
                break
        return scan.found


class _Scan:
    """One search over many files, within its time and its size."""

    def __init__(self, root: Path, query: TextQuery, pattern: LinePattern) -> None:
        self.found = TextFound()
        self._root = root
        self._query = query
        self._pattern = pattern
        self._until = time.monotonic() + query.seconds
        self._room = _MOST_CHARACTERS
        self._folder = ExitStack()
        self._inside: list[str] | None = None
        self._descriptor = -1

    def close(self) -> None:
        self._inside = None  # first: a descriptor that is closed may be somebody else's at once
        self._folder.close()

    def files(self, paths: list[str]) -> None:
        for path in paths:
            self._file(path)
            if self.found.stopped:
                return

    def _file(self, path: str) -> None:
        content = self._content(path)
        if content is None:
            return
        self.found.files += 1
        number, counted = 1, 0
        for line, start, end in self._pattern.lines(content):
            if time.monotonic() > self._until:
                self.found.stopped = "time"
            elif line == -2:  # noqa: PLR2004 - see LinePattern.lines
                self.found.skipped["line too long"] += 1
            elif line >= 0:
                number += content.count(b"\n", counted, line)
                counted = line
                self._take(path, content, number, (line, start, end))
            if self.found.stopped:
                return

    def _content(self, path: str) -> bytes | None:
        try:
            content = self._read(path)
        except (OSError, ValueError):  # gone meanwhile, a link, a submodule, a pipe, not allowed
            self.found.skipped["no regular file"] += 1
            return None
        if content is None:
            self.found.skipped["huge"] += 1
        elif b"\0" in content[:_SNIFFED]:
            self.found.skipped["binary"] += 1
            return None
        return content

    def _read(self, path: str) -> bytes | None:
        """None for a file that is too large. The folder stays open for the files beside it: half of the time."""
        *folders, name = parts(path)
        if folders != self._inside:
            self.close()
            self._descriptor = self._folder.enter_context(open_at(self._root, folders))
            self._inside = folders
        descriptor = os.open(name, _FILE, dir_fd=self._descriptor)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise OSError(f"{path!r} is no regular file")
            return b"".join(iter(lambda: os.read(descriptor, LARGEST), b"")) if found.st_size <= LARGEST else None
        finally:
            os.close(descriptor)

    def _take(self, path: str, content: bytes, number: int, place: tuple[int, int, int]) -> None:
        line, start, _ = place
        if len(self.found.matches) == self._query.limit:
            self.found.stopped = "limit"
            return
        end = _line_end(content, line)
        column = len(content[line:start].decode("utf-8", "replace"))
        text = _shown(content[line:end], column)
        before, after = _context(content, line, end, self._query.context)
        self._room -= len(text) + sum(map(len, before + after))
        if self._room < 0:
            self.found.stopped = "size"
            return
        self.found.matches.append(TextMatch(printable(path), number, column + 1, text, before, after))


def _line_end(content: bytes, start: int) -> int:
    end = content.find(b"\n", start)
    return len(content) if end < 0 else end


def _context(content: bytes, start: int, end: int, count: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if not count:
        return (), ()
    first = start
    for _ in range(count):
        first = content.rfind(b"\n", 0, max(first - 1, 0)) + 1
    last = end
    for _ in range(count):
        last = _line_end(content, last + 1) if last < len(content) - 1 else last
    before, after = content[first : max(start - 1, first)], content[end + 1 : last]
    return tuple(map(_shown, before.split(b"\n") if start else [])), tuple(map(_shown, _split(after, end, last)))


def _split(after: bytes, end: int, last: int) -> list[bytes]:
    return after.split(b"\n") if last > end else []


def _shown(line: bytes, column: int = 0) -> str:
    """A long line is cut, so that the match is in what remains."""
    text = line.decode("utf-8", "replace").removesuffix("\r")
    if len(text) <= WIDTH:
        return text
    begin = max(0, min(column - WIDTH // 3, len(text) - WIDTH))
    return ("…" if begin else "") + text[begin : begin + WIDTH] + ("…" if begin + WIDTH < len(text) else "")
