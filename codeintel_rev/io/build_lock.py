"""One builder per index folder: a lock of the kernel's, which no dead process can hold."""

from __future__ import annotations

import fcntl
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from codeintel_rev.errors import BusyError, RevError
from codeintel_rev.io.underway import Underway

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import IO

_FILE = "lock"
# Who asks whether the lock is held takes it for some microseconds; that must not refuse a builder.
_TRIES = 20
_BETWEEN_SECONDS = 0.02


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """BusyError while another process builds. The lock goes with the process, however it ends."""
    with (folder / _FILE).open("ab") as stream:
        if not any(_take(stream, fcntl.LOCK_EX, attempt) for attempt in range(_TRIES)):
            raise _busy(folder)
        yield


def is_held(folder: Path) -> bool:
    """Whether a living process builds in this folder at this moment."""
    try:
        with (folder / _FILE).open("rb") as stream:
            return not _take(stream, fcntl.LOCK_SH, 0)
    except FileNotFoundError:
        return False


def _take(stream: IO[bytes], how: int, attempt: int) -> bool:
    if attempt:
        time.sleep(_BETWEEN_SECONDS)
    try:
        fcntl.flock(stream, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        what = f"{stream.name} cannot be locked: {error.strerror}"
        raise RevError(what, "Mend: put the index on a local disk with --index-dir") from error
    return True


def _busy(folder: Path) -> BusyError:
    told = Underway.read(folder)
    who = f"process {told.pid} ({told.text()})" if told else "another process"
    return BusyError(f"{who} is indexing into {folder}", "Mend: wait for it; searches are answered meanwhile")
