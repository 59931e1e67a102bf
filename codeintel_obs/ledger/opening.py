"""Opens a ledger file for reading: where its path says, or out of the pack that it lies in since."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from codeintel_obs.errors import CompactedError
from codeintel_obs.ledger.packs import Packed, where

_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def _refuse(held: Packed) -> int:
    raise CompactedError(held.file.name, held.pack.parquet)


unpack: Callable[[Packed], int] = _refuse
"""Returns a descriptor of a packed file's bytes. The command line sets it: nothing else may import what it takes."""


def opened(path: str) -> int:
    """Return a descriptor of the ledger file ``path``. Raises OSError, or `CompactedError` where packs cannot be read."""
    try:
        return os.open(path, _READ)
    except FileNotFoundError:
        held = where(path)
        if held is None:
            raise
    return unpack(held)


def mode_of(path: str) -> int:
    """Return the permissions that the ledger file ``path`` has, or had when it was packed; 0 when there is none."""
    try:
        return os.lstat(path).st_mode & 0o7777
    except FileNotFoundError:
        held = where(path)
        return held.file.mode if held is not None else 0
    except OSError:
        return 0
