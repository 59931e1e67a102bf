"""Takes files out of packs, puts them back where they lay, and ends what a killed compaction or redaction began."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from typing import Final

from codeintel_obs.ledger.attempts import AttemptFiles, same_begin
from codeintel_obs.ledger.opening import opened
from codeintel_obs.ledger.packs import Held, Pack, Packed, clear, drop
from codeintel_obs.ledger.places import RUNS, open_folder
from codeintel_obs.ledger.reader import Stretch, first_record, read_stretches, record_of
from codeintel_obs.query.writing import Draft

_BLOCK: Final = 1_048_576
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def take_out(pack: Pack, names: set[str]) -> None:
    """Make ``pack`` anew without these files; with all of them it goes. Raises `PackError`: then it is as it was."""
    if names >= set(pack.names()):
        drop(pack)
        return
    with Draft(pack.data_dir, pack.day) as draft:
        draft.keep(pack, names)
        draft.publish()


def restore(attempt: AttemptFiles) -> int:
    """Put the packed files of ``attempt`` back where they lay, byte for byte, and take them out of their packs.

    Return how many. Raises OSError and `PackError`: then readers find them in one of the two places, or both.
    """
    held = [file for file in attempt.files() if file.packed is not None]
    if held:
        folder = open_folder(attempt.data_dir, *RUNS, attempt.day)
        try:
            for file in held:
                _put_back(folder, file.path, file.packed)
            os.fsync(folder)
        finally:
            os.close(folder)
    going: dict[Pack, set[str]] = {}
    for each in (file.packed or file.twin for file in attempt.files()):
        if each is not None:
            going.setdefault(each.pack, set()).add(each.file.name)
    for pack, names in going.items():
        take_out(pack, names)
    return len(held)


def _put_back(folder: int, path: str, held: Packed | None) -> None:
    assert held is not None
    name = os.path.basename(path)
    hidden = f".{name}.{os.urandom(4).hex()}.tmp"
    try:
        with open(opened(path), "rb") as old, open(os.open(hidden, _NEW, 0o600, dir_fd=folder), "wb") as new:
            while data := old.read(_BLOCK):
                new.write(data)
            new.flush()
            os.utime(new.fileno(), ns=(held.file.mtime_ns, held.file.mtime_ns))  # retention goes by it
            os.fchmod(new.fileno(), held.file.mode)
            os.fsync(new.fileno())
        os.link(hidden, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    finally:
        os.unlink(hidden, dir_fd=folder)


def settle(data_dir: str, day: str, *, finish: bool = True) -> int:
    """End what was begun and not ended of a day; return how many files were removed because they lie in a pack.

    A file that lies in a pack as well is removed if it is the same, unless ``finish`` is false. One that is whole and
    another was made anew since: then it is the one in the pack that goes.
    """
    clear(data_dir, day)
    held = Held(data_dir, day).all()
    finished = 0
    old: dict[Pack, set[str]] = {}
    for name in held.keys() & _there(data_dir, day):
        path = os.path.join(data_dir, *RUNS, day, name)
        if _digest(path) == held[name].file.sha256:
            if finish:
                os.unlink(path)
                finished += 1
        elif _is_anew(path, held[name]):
            old.setdefault(held[name].pack, set()).add(name)
    for pack, names in old.items():
        take_out(pack, names)
    if finish and held:
        with suppress(OSError):  # not empty: some of that day stay
            os.rmdir(os.path.join(data_dir, *RUNS, day))
    return finished


def _there(data_dir: str, day: str) -> set[str]:
    try:
        return set(os.listdir(os.path.join(data_dir, *RUNS, day)))
    except FileNotFoundError:
        return set()


def _digest(path: str) -> str:
    try:
        with open(opened(path), "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""  # a link, or a file that cannot be read: not the same


def _is_anew(path: str, held: Packed) -> bool:
    """Whether the file begins as the packed one does, and every line of it is whole."""
    first = first_record(path)
    begins = first is not None and same_begin(first, record_of(held.file.first))
    return begins and all(isinstance(found, Stretch) for found in read_stretches(path))
