"""Where the files of a ledger lie, and how one is created so that nobody else can have it.

Everything below the data directory is opened one folder at a time without following links: a data directory may come
with a checkout of somebody else's, and a link planted in it must not lead a record astray.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import time
from typing import Any, Final, NamedTuple

from codeintel_obs.ledger.checks import is_whole
from codeintel_obs.ledger.descriptors import identity_of, release

RUNS: Final = ("telemetry", "runs")
PROCESSES: Final = ("telemetry", "processes")
SUFFIX: Final = ".jsonl"
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_LINKS: Final = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES, errno.EXDEV}
_FIRST_LINE_CAP: Final = 131_072
_SEGMENT: Final = re.compile(r"\.s([2-9]|[1-9][0-9]+)\Z")


class Owner(NamedTuple):
    """Whose file it is, as its first line says; empty when it does not say."""

    run_id: str = ""
    attempt: str = ""


STRANGER: Final = Owner()


class Name(NamedTuple):
    """The parts of a ledger file's name. Of a beginner's ``run`` may end in what only looks like a segment."""

    run: str
    token: str
    writer: str
    segment: int


def parsed(filename: str) -> Name | None:
    """Return the parts of ``filename``, or None when it is no ledger file (hidden files are not)."""
    if filename.startswith(".") or not filename.endswith(SUFFIX):
        return None
    stem = filename[: -len(SUFFIX)]
    segment = _SEGMENT.search(stem)
    if segment is not None:
        stem = stem[: segment.start()]
    run, _, rest = stem.partition("~")
    token, _, writer = rest.partition("~")
    return Name(run, token, writer, int(segment[1]) if segment else 1)


def filename(stem: str, segment: int = 1) -> str:
    """Return the name of a segment's file."""
    return f"{stem}.s{segment}{SUFFIX}" if segment > 1 else f"{stem}{SUFFIX}"


def open_folder(data_dir: str, *parts: str) -> int:
    """Return a descriptor of the folder ``parts`` below ``data_dir``; what is missing is made, links are refused."""
    try:
        fd = os.open(data_dir, _FOLDER)
    except FileNotFoundError:
        _make_data_dir(data_dir)
        fd = os.open(data_dir, _FOLDER)
    for part in parts:
        above, identity = fd, identity_of(fd)
        try:
            fd = _open_below(above, part)
        finally:
            release(above, identity)
    return fd


def _open_below(above: int, part: str) -> int:
    try:
        return os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=above)
    except FileNotFoundError:
        with contextlib.suppress(FileExistsError):
            os.mkdir(part, 0o750, dir_fd=above)
        return os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=above)


def _make_data_dir(data_dir: str) -> None:
    """Make the data directory, with a ``.gitignore`` that keeps all of it out of the repository it lies in."""
    os.makedirs(data_dir, 0o750, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        fd = os.open(os.path.join(data_dir, ".gitignore"), _NEW, 0o640)
        try:
            os.write(fd, b"*\n")
        finally:
            os.close(fd)


def claim(folder: int, name: str, content: bytes) -> int | None:
    """Create ``name`` with ``content`` in one step; return its descriptor, or None when the name is taken.

    The file is written under a hidden name and then linked: whoever finds the name finds a whole first line in it.
    """
    hidden = f".{name}.{os.urandom(4).hex()}.tmp"
    fd = _create(folder, hidden, content)
    try:
        os.link(hidden, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        os.unlink(hidden, dir_fd=folder)
        return _still(fd, folder, name)
    except FileExistsError:
        os.close(fd)
        return None
    except OSError as exc:
        os.close(fd)
        if exc.errno not in _NO_LINKS:
            raise
        return _claim_without_links(folder, name, content)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(hidden, dir_fd=folder)


def _still(fd: int, folder: int, name: str) -> int:
    """Return ``fd``, or another descriptor of ``name`` where a file is known by its name, and gone with the first one."""
    if os.fstat(fd).st_nlink:
        return fd
    again = reopened(folder, name)
    if again is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
    os.close(fd)
    return again


def _claim_without_links(folder: int, name: str, content: bytes) -> int | None:
    try:
        return _create(folder, name, content)
    except FileExistsError:
        return None


def _create(folder: int, name: str, content: bytes) -> int:
    """Create ``name`` with all of ``content``, or leave nothing behind."""
    fd = os.open(name, _NEW, 0o640, dir_fd=folder)
    try:
        if os.write(fd, content) != len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)  # noqa: TRY301 - undone right below
    except BaseException:
        os.close(fd)
        os.unlink(name, dir_fd=folder)
        raise
    return fd


def owner_of(folder: int, name: str) -> Owner | None:
    """Return whose file ``name`` is: None when there is none, `STRANGER` when its first line does not say."""
    first = _first_line(folder, name)
    for _ in range(3):
        if first is None or first.endswith(b"\n"):
            break
        time.sleep(0.001)  # without hard links a name can be seen before its first line is written
        first = _first_line(folder, name)
    if first is None:
        return None
    if not is_whole(first.rstrip(b"\n")):
        return STRANGER
    try:
        said: Any = json.loads(first)
    except (ValueError, RecursionError):
        return STRANGER
    if not isinstance(said, dict):
        return STRANGER
    run_id, attempt = said.get("run_id"), said.get("attempt")
    return Owner(run_id, attempt) if isinstance(run_id, str) and isinstance(attempt, str) else STRANGER


def _first_line(folder: int, name: str) -> bytes | None:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        fd = os.open(name, flags, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as exc:
        if exc.errno in {errno.ELOOP, errno.EACCES, errno.ENXIO}:
            return b"\n"  # a link, a pipe or another user's file: taken, and not ours
        raise
    try:
        head = os.read(fd, _FIRST_LINE_CAP)
    except OSError:
        return b"\n"
    finally:
        os.close(fd)
    end = head.find(b"\n")
    return head if end < 0 else head[: end + 1]


def reopened(folder: int, name: str) -> int | None:
    """Open a file of our own again for appending; None when it is gone or was replaced by a link."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(name, flags, dir_fd=folder)
    except OSError as exc:
        if exc.errno in {errno.ENOENT, errno.ELOOP, errno.ENXIO, errno.EACCES, errno.EISDIR}:
            return None
        raise
