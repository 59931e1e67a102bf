"""The files of a repository as they lie on disk now, and nothing that lies outside it or in its `.git`."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from codeintel_rev.errors import NotFoundError, PathRefusedError, RevError
from codeintel_rev.io.beneath import open_beneath, parts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGEST = 8 << 20
LONGEST_PATH = 4096
LONGEST_LINE = 2000
MOST_CHARACTERS = 200_000
_SNIFFED = 8000  # as many bytes as git looks at
_LIST = "Mend: list_paths shows what there is"


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines `start_line` to `end_line` of a file that has `total_lines`, counted from 1, both included.

    `cut`: lines were left out or shortened to keep the answer small. `replaced`: the file is not UTF-8.
    """

    path: str
    start_line: int
    end_line: int
    total_lines: int
    text: str
    cut: bool
    replaced: bool


def checked_path(path: str) -> str:
    """The path as git spells it; PathRefusedError for what cannot be one of a file below the root."""
    spelled = path.removeprefix("./")
    if len(spelled) > LONGEST_PATH:
        raise PathRefusedError(f"the path has {len(spelled)} characters, at most {LONGEST_PATH} are read")
    try:
        names = parts(spelled)
        os.fsencode(spelled)
    except ValueError as error:  # a lone surrogate that stands for no byte is one too
        what = f"{printable(path)!r} is no path below the repository's root"
        raise PathRefusedError(what, "Mend: name it from the root, as git does: src/main.py") from error
    if any(name.lower() == ".git" for name in names):
        raise PathRefusedError(f"{printable(path)!r} lies in .git, which is not served", _LIST)
    return spelled


@contextmanager
def opened(root: Path, path: str) -> Iterator[BinaryIO]:
    """NotFoundError for what is not there, PathRefusedError for what is no regular file or behind a symbolic link."""
    spelled = checked_path(path)
    shown = printable(spelled)
    try:
        with open_beneath(root, spelled) as stream:
            yield stream
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENAMETOOLONG):
            raise NotFoundError(f"{shown} is not there", _LIST) from error
        if error.errno == errno.ENOTDIR:
            raise _not_a_folder(root, spelled) from error
        if error.errno == errno.ELOOP:
            raise _linked(shown) from error
        if error.errno in (errno.EISDIR, errno.ENXIO, None):
            raise PathRefusedError(f"{shown} is no regular file", _LIST) from error
        raise RevError(f"{shown} cannot be read: {error.strerror}") from error


def _not_a_folder(root: Path, path: str) -> RevError:
    """O_NOFOLLOW with O_DIRECTORY answers alike for a link and for a file in a folder's place."""
    ways = [root.joinpath(*parts(path)[:depth]) for depth in range(1, len(parts(path)))]
    if any(way.is_symlink() for way in ways):
        return _linked(printable(path))
    return NotFoundError(f"{printable(path)} is not there", _LIST)


def _linked(shown: str) -> PathRefusedError:
    return PathRefusedError(
        f"{shown} is behind a symbolic link, and links are not followed", "Mend: name the file itself"
    )


def read_text_bytes(stream: BinaryIO, path: str) -> bytes:
    """PathRefusedError for a file that is larger than is served, or binary."""
    size = os.fstat(stream.fileno()).st_size
    if size > LARGEST:
        raise PathRefusedError(f"{printable(path)} has {size} bytes, files up to {LARGEST} are opened")
    content = stream.read(LARGEST)
    if b"\0" in content[:_SNIFFED]:
        raise PathRefusedError(f"{printable(path)} is binary")
    return content


def read_lines(root: Path, path: str, start: int, most: int) -> Lines:
    """At most so many lines from `start` on; NotFoundError for a start behind the end."""
    with opened(root, path) as stream:
        content = read_text_bytes(stream, path)
    text = content.decode("utf-8", "replace")
    lines = text.removesuffix("\n").split("\n") if text else []
    if start > max(len(lines), 1):
        raise NotFoundError(f"{printable(path)} has {len(lines)} lines, line {start} was asked for")
    taken = _fitting(lines[start - 1 : start - 1 + most])
    end = start - 1 + len(taken)
    cut = end < min(len(lines), start - 1 + most) or any(len(line) > LONGEST_LINE for line in taken)
    shown = "\n".join(line[:LONGEST_LINE] for line in taken)
    return Lines(printable(path.removeprefix("./")), start, end, len(lines), shown, cut, not _is_utf8(content))


def _fitting(lines: list[str]) -> list[str]:
    room, taken = MOST_CHARACTERS, []
    for line in lines:
        room -= min(len(line), LONGEST_LINE) + 1
        if room < 0:
            break
        taken.append(line)
    return taken


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def printable(path: str) -> str:
    """Without lone surrogates, which stand for undecodable bytes and cannot be sent."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8")
