"""Opens a ledger file for reading: where its path says, or out of the pack that it lies in since."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from codeintel_obs.errors import CompactedError
from codeintel_obs.ledger.packs import Packed, where

_TRIES: Final = 3
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def _refuse(held: Packed) -> int:
    raise CompactedError(held.file.name, held.pack.parquet)


unpack: Callable[[Packed], int] = _refuse
"""Returns a descriptor of a packed file's bytes. The command line sets it: nothing else may import what it takes."""


def opened(path: str) -> int:
    """Return a descriptor of the ledger file ``path``. Raises OSError, or `CompactedError` where packs cannot be read.

    Another process may pack it, or put it back, or make its pack anew, while it is looked for: then it is looked for again.
    """
    for _ in range(_TRIES):
        with suppress(FileNotFoundError):
            return os.open(path, _READ)
        held = where(path)
        if held is not None:
            try:
                return unpack(held)
            except OSError:
                if os.path.exists(held.pack.list_path):
                    raise
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)


def mode_of(path: str) -> int:
    """Return the permissions that the ledger file ``path`` has, or had when it was packed; 0 when there is none."""
    for _ in range(_TRIES):
        with suppress(OSError):
            return os.lstat(path).st_mode & 0o7777
        held = where(path)
        if held is not None:
            return held.file.mode
    return 0
