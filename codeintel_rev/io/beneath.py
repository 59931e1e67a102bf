"""Files of a repository, opened without ever leaving it: no symbolic link is followed on any part of the way."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe must not keep us waiting


@contextmanager
def open_beneath(root: Path, path: str) -> Iterator[BinaryIO]:
    """A regular file, by its path from `root`. OSError for everything else, ValueError for a path that leaves.

    Each folder is opened from the one before, so a link that appears between a check and the use is not followed.
    """
    *folders, name = parts(path)
    with open_at(root, folders) as folder:
        descriptor = os.open(name, _FILE, dir_fd=folder)
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path!r} is no regular file")
        yield stream


@contextmanager
def open_at(root: Path, folders: list[str]) -> Iterator[int]:
    """A descriptor of the folder that lies that many steps below `root`, for `dir_fd`."""
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for folder in folders:
            below = os.open(folder, _FOLDER, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


def parts(path: str) -> list[str]:
    """ValueError for an absolute path, an empty one, one with a NUL, and one with `.` or `..` in it."""
    found = path.split("/")
    if "\0" in path or not {"", ".", ".."}.isdisjoint(found):
        raise ValueError(f"{path!r} is no path below the repository's root")
    return found
