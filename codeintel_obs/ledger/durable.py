"""Makes a ledger file durable, through its descriptor or, where that is gone, through its name."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from codeintel_obs.ledger.descriptors import Identity, is_ours, lent, opened, release

if TYPE_CHECKING:
    from codeintel_obs.ledger.writer import RunWriter

DELETED = "deleted"
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


def make_durable(fd: int, identity: Identity, path: str, *, with_folder: bool) -> None:
    """Flush the file of ``identity`` to the disk, and the folders that name it if asked to.

    Raises FileNotFoundError when the file is no longer there under any name, OSError when the disk refuses.
    """
    if not _flushed(fd, identity):
        with lent(opened(path, _READ)) as found:
            if not _flushed(found, identity):
                raise FileNotFoundError(errno.ENOENT, "another file has its name", path)
    if with_folder:
        folder = os.path.dirname(path)
        for each in (folder, os.path.dirname(folder)):
            _flush_folder(each)


def trouble(fd: int, identity: Identity, path: str, *, with_folder: bool) -> str | None:
    """Do what `make_durable` does; return None, or why the file must not be trusted any more."""
    try:
        make_durable(fd, identity, path, with_folder=with_folder)
    except FileNotFoundError:
        return DELETED
    except OSError as exc:
        return f"fsync {errno.errorcode.get(exc.errno or 0, 'failed')}"
    return None


def _flushed(fd: int, identity: Identity) -> bool:
    """Flush ``fd`` if it is the file of ``identity``; return whether it is."""
    if not is_ours(fd, identity):
        return False
    if os.fstat(fd).st_nlink == 0:
        raise FileNotFoundError(errno.ENOENT, "deleted while it was written")
    try:
        os.fdatasync(fd)
    except OSError:
        if is_ours(fd, identity):
            raise
        return False  # closed, and perhaps reused, in between: not the disk's error
    return True


def _flush_folder(path: str) -> None:
    with lent(opened(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)) as fd:
        os.fsync(fd)


class Closing:
    """A closed file on its way to the disk: owns the descriptor, which is released afterwards."""

    once = True

    def __init__(self, writer: RunWriter, fd: int, identity: Identity, path: str) -> None:
        self._writer = writer
        self._fd, self._identity, self._path = fd, identity, path

    def release(self) -> None:
        """Close the descriptor; the file is then opened once more to be made durable."""
        fd, self._fd = self._fd, -1
        release(fd, self._identity)

    def sync(self) -> bool:
        """Make the file durable; a disk that refuses is told of in a further segment."""
        reason = trouble(self._fd, self._identity, self._path, with_folder=True)
        self.release()
        if reason is not None and reason != DELETED:  # a closed file may be deleted by who may do that
            self._writer.suspected(self._path, reason)
        return False
