"""What compaction makes of a day's closed runs: a Parquet file of their lines, and beside it the list of their files.

The list makes a pack exist: a Parquet file without one is rubbish, and a list may say which older packs it replaces. It is
read here, without any library beyond the ledger's own; only the lines in the Parquet file need `codeintel_obs.query`.

A list is a first line in JSON that ends in a checksum, then two parts, compressed, of the lengths and checksums that the
first line gives: the names of the files, and all else that is to be known of each.
"""

from __future__ import annotations

import os
import shutil
import zlib
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from codeintel_obs.ledger.checks import TAIL, is_whole
from codeintel_obs.ledger.places import RUNS

COMPACTED: Final = ("telemetry", "compacted")
LIST: Final = ".list"
PARQUET: Final = ".parquet"
VERSION: Final = 1
_DAY: Final = "day="
_DAY_LENGTH: Final = len("2026-11-22")
_HEAD_CAP: Final = 65_536
_TRIES: Final = 3  # a pack may be replaced between the look at its folder and its reading


class PackedFile(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A ledger file as it was: ``first`` and ``last`` are lines of it, whole and without their end."""

    name: str
    lines: int
    size: int
    sha256: str
    mode: int
    mtime_ns: int
    first: str
    last: str


class Part(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A compressed part of a list: its length and checksum."""

    size: int
    crc: int


class Head(msgspec.Struct, frozen=True):
    """The first line of a list. ``size`` is the Parquet file's, ``raw`` that of the lines, in bytes."""

    v: int
    day: str
    size: int
    raw: int
    rows: int
    files: int
    replaces: tuple[str, ...]
    names: Part
    details: Part
    crc: str = ""


class Pack(NamedTuple):
    """One pack; ``stamp`` is the name of its two files without their suffixes."""

    data_dir: str
    day: str
    stamp: str
    head: Head
    head_size: int

    @property
    def folder(self) -> str:
        """Where both files lie."""
        return folder_of(self.data_dir, self.day)

    @property
    def list_path(self) -> str:
        return os.path.join(self.folder, self.stamp + LIST)

    @property
    def parquet(self) -> str:
        return os.path.join(self.folder, self.stamp + PARQUET)

    @property
    def is_sound(self) -> bool:
        """Whether its list can be read; FileNotFoundError where it is gone."""
        try:
            self.files()
        except FileNotFoundError:
            raise
        except (OSError, ValueError, zlib.error):
            return False
        return True

    def names(self) -> list[str]:
        """Return the names of the ledger files that it holds. Raises OSError, and ValueError for a damaged list."""
        data = self._part(self.head_size, self.head.names)
        return msgspec.json.decode(data, type=list[str])

    def files(self) -> dict[str, PackedFile]:
        """Return all that is known of its ledger files, by their names. Raises as `names` does."""
        return _files(self, os.stat(self.list_path).st_ino)

    def share(self, file: PackedFile) -> int:
        """Return how many bytes of the disk are ``file``'s."""
        return (self.head.size + self.head.details.size) * file.size // max(1, self.head.raw)

    def _part(self, at: int, part: Part) -> bytes:
        with open(self.list_path, "rb", opener=_opener) as file:
            data = os.pread(file.fileno(), part.size, at)
        if len(data) != part.size or zlib.crc32(data) != part.crc:
            raise ValueError(f"{self.list_path}: damaged")
        return zlib.decompress(data)


class Packed(NamedTuple):
    """A ledger file in its pack."""

    pack: Pack
    file: PackedFile


@lru_cache(maxsize=2)  # a day's are asked for again and again; more would only fill a watched process's memory
def _files(pack: Pack, _inode: int) -> dict[str, PackedFile]:
    data = pack._part(pack.head_size + pack.head.names.size, pack.head.details)  # noqa: SLF001 - the same idea, cached
    return {each.name: each for each in msgspec.json.decode(data, type=list[PackedFile])}


def forget_read() -> None:
    """Let go of what was read: in a watched process nothing of it is needed again soon."""
    _files.cache_clear()


def encoded(day: str, size: int, files: list[PackedFile], replaces: list[str]) -> bytes:
    """Return the bytes of the list of a new pack, of whose Parquet file ``size`` is the length."""
    names = zlib.compress(msgspec.json.encode([each.name for each in files]))
    details = zlib.compress(msgspec.json.encode(files))
    about_names, about_details = (Part(len(each), zlib.crc32(each)) for each in (names, details))
    raw, rows = sum(each.size for each in files), sum(each.lines for each in files)
    told = Head(VERSION, day, size, raw, rows, len(files), tuple(replaces), about_names, about_details)
    head = msgspec.json.encode(told)[: -len(b',"crc":""}')]
    return head + b',"crc":"%08x"}\n' % zlib.crc32(head) + names + details


def folder_of(data_dir: str, day: str) -> str:
    """Return the folder of a day's packs."""
    return os.path.join(data_dir, *COMPACTED, _DAY + day)


def parts_of(day: str) -> tuple[str, ...]:
    """Return the same below the data directory, folder by folder."""
    return (*COMPACTED, _DAY + day)


def packed_days(data_dir: str) -> list[str]:
    """Return the days that have a folder of packs."""
    with suppress(OSError):
        names = os.listdir(os.path.join(data_dir, *COMPACTED))
        return sorted(each[len(_DAY) :] for each in names if len(each) == len(_DAY) + _DAY_LENGTH)
    return []


def packs_of(data_dir: str, day: str) -> list[Pack]:
    """Return the packs of a day, oldest first, without those that another replaces."""
    found: list[Pack] = []
    for _ in range(_TRIES):
        try:
            found = [
                pack for stamp in _stamps(data_dir, day, LIST) if (pack := _pack(data_dir, day, stamp)) is not None
            ]
        except FileNotFoundError:
            continue  # one was replaced between the look at the folder and this: the folder has another now
        break
    replaced = {stamp for pack in found for stamp in pack.head.replaces}
    return [pack for pack in found if pack.stamp not in replaced]


def clear(data_dir: str, day: str) -> None:
    """Remove what a killed compaction left, and packs that are replaced. To be called under the lock alone."""
    for path in _rubbish(data_dir, day):
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)
    with suppress(OSError):  # not empty: the packs of that day
        os.rmdir(folder_of(data_dir, day))


def drop(pack: Pack) -> None:
    """Remove a pack, its list first: lines without a list are rubbish. To be called under the lock alone."""
    clear(pack.data_dir, pack.day)  # else what it replaced would be found again
    for path in (pack.list_path, pack.parquet):
        with suppress(FileNotFoundError):
            os.unlink(path)
    clear(pack.data_dir, pack.day)


def _rubbish(data_dir: str, day: str) -> list[str]:
    folder, kept = folder_of(data_dir, day), {pack.stamp for pack in packs_of(data_dir, day)}
    # Lists first: while its list is there, a replaced pack must not lack its lines.
    stale = [os.path.join(folder, stamp + LIST) for stamp in _stamps(data_dir, day, LIST)
             if stamp not in kept and _pack(data_dir, day, stamp) is not None]  # fmt: skip
    listed = set(_stamps(data_dir, day, LIST)) - {os.path.basename(each).removesuffix(LIST) for each in stale}
    stale += [os.path.join(folder, each + PARQUET) for each in _stamps(data_dir, day, PARQUET) if each not in listed]
    with suppress(OSError):
        stale += [os.path.join(folder, name) for name in os.listdir(folder) if name.startswith(".")]
    return stale


def damaged(data_dir: str) -> Iterator[str]:
    """Yield the paths of lists that cannot be read: what they held is not found any more."""
    for day in packed_days(data_dir):
        for stamp in _stamps(data_dir, day, LIST):
            with suppress(FileNotFoundError):  # replaced meanwhile
                pack = _pack(data_dir, day, stamp)
                if pack is None or not pack.is_sound:
                    yield os.path.join(folder_of(data_dir, day), stamp + LIST)


def names_in(data_dir: str, day: str) -> set[str]:
    """Return the names of the ledger files of a day that lie in packs."""
    for _ in range(_TRIES):
        with suppress(FileNotFoundError):
            return {name for pack in packs_of(data_dir, day) for name in _names_of(pack)}
    return set()


def _names_of(pack: Pack) -> list[str]:
    try:
        return pack.names()
    except FileNotFoundError:
        raise
    except (OSError, ValueError, zlib.error):
        return []


class Held:
    """The packs of one day as they were at one moment: finds a ledger file by its name."""

    def __init__(self, data_dir: str, day: str) -> None:
        self._packs: list[tuple[Pack, dict[str, PackedFile]]] = []
        for _ in range(_TRIES):
            try:
                self._packs = [(pack, pack.files()) for pack in reversed(packs_of(data_dir, day)) if pack.is_sound]
            except FileNotFoundError:
                continue
            return

    def get(self, name: str) -> Packed | None:
        """Return the file of that name, in the newest pack that holds it."""
        return next((Packed(pack, files[name]) for pack, files in self._packs if name in files), None)

    def all(self) -> dict[str, Packed]:
        """Return every file, by its name."""
        return {name: Packed(pack, file) for pack, files in reversed(self._packs) for name, file in files.items()}


def where(path: str) -> Packed | None:
    """Return in which pack the ledger file lies that had, or would have, this path."""
    folder, name = os.path.split(path)
    runs, day = os.path.split(folder)
    data_dir = runs.removesuffix(os.path.join("", *RUNS).rstrip(os.sep)).rstrip(os.sep)
    if not runs.endswith(os.path.join(*RUNS)) or not os.path.isdir(folder_of(data_dir, day)):
        return None
    held = Held(data_dir, day)
    return held.get(name) or next((each for each in held.all().values() if other_name(each.file) == name), None)


def other_name(file: PackedFile) -> str | None:
    """Return the name of a packed file when its own was taken again since, by another attempt."""
    token = file.first.partition('"attempt":"')[2].partition('"')[0]
    stem, dot, suffix = file.name.rpartition(".")
    return f"{stem}~{token}{dot}{suffix}" if token and "~" not in stem else None


def _stamps(data_dir: str, day: str, suffix: str) -> list[str]:
    with suppress(OSError):
        names = sorted(os.listdir(folder_of(data_dir, day)))
        return [each.removesuffix(suffix) for each in names if each.endswith(suffix) and not each.startswith(".")]
    return []


def _pack(data_dir: str, day: str, stamp: str) -> Pack | None:
    """Return the pack of a list; None when its first line is damaged or of another version. Raises FileNotFoundError."""
    path = os.path.join(folder_of(data_dir, day), stamp + LIST)
    try:
        with open(path, "rb", opener=_opener) as file:
            line = os.pread(file.fileno(), _HEAD_CAP, 0).partition(b"\n")[0]
        head = _decode_head(line) if len(line) > TAIL and is_whole(line) else None
    except FileNotFoundError:
        raise
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    ours = head is not None and (head.v, head.day) == (VERSION, day)
    return Pack(data_dir, day, stamp, head, len(line) + 1) if head is not None and ours else None


_decode_head: Final = msgspec.json.Decoder(Head).decode


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
