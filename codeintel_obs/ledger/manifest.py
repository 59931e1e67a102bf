"""One manifest per process, and the lock on it by which a reader knows that the process is alive."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import time
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final, NamedTuple

from codeintel_obs.ledger.descriptors import Identity, identity_of, raised, release
from codeintel_obs.ledger.places import PROCESSES, open_folder
from codeintel_obs.ledger.process import at_fork

MANIFEST_CAP: Final = 262_144
_NEW: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._]")
_held: Final[list[tuple[int, Identity]]] = []


class Manifest(NamedTuple):
    """A manifest on disk: ``name`` is ``<day>/<file>`` as records give it, ``sha256`` that of the file."""

    path: str
    name: str
    sha256: str


class Origin(NamedTuple):
    """Which process of which boot of which host it is; added to a manifest as ``process``."""

    host: str = ""
    machine_id: str = ""
    boot_id: str = ""
    pid: int = 0
    pid_namespace: str = ""
    start_ticks: int = 0


_NOBODY: Final = Origin()


def write_manifest(data_dir: str, content: dict[str, Any]) -> Manifest:
    """Write this process's manifest and hold a lock on it until the process ends; a forked child lets go of it.

    ``content`` is redacted already; beyond 256 KiB it is cut, and says so. Raises OSError.
    """
    data = _encoded({**content, "process": {key: value for key, value in origin()._asdict().items() if value}})
    now_ns = time.time_ns()
    seconds, micros = now_ns // 1_000_000_000, now_ns // 1000 % 1_000_000
    day = time.strftime("%Y-%m-%d", time.gmtime(seconds))
    start = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(seconds))}.{micros:06d}"
    host = _UNSAFE.sub("_", os.uname().nodename)[:64] or "unknown"
    name = f"{host}-{os.getpid()}-{start}.json"
    folder = open_folder(data_dir, *PROCESSES, day)
    try:
        fd = _create_locked(folder, name, data)
    finally:
        os.close(folder)
    _hold(raised(fd))
    path = os.path.join(os.path.abspath(data_dir), *PROCESSES, day, name)
    return Manifest(path, f"{day}/{name}", hashlib.sha256(data).hexdigest())


def _encoded(content: dict[str, Any]) -> bytes:
    """Return ``content`` as JSON; what is not of plain types, or too large, is left to those who can cut it."""
    try:
        data = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode() + b"\n"
    except (TypeError, ValueError, RecursionError):
        data = b""
    if 0 < len(data) <= MANIFEST_CAP:
        return data
    import msgspec  # not by a supervisor, whose manifest is small and plain

    from codeintel_obs.ledger.plain import fit, plain

    return msgspec.json.encode(fit(plain(content), MANIFEST_CAP - 1)) + b"\n"


def _create_locked(folder: int, name: str, data: bytes) -> int:
    """Create the file whole and locked: nobody can see it before it is both."""
    hidden = f".{name}.tmp"
    fd = os.open(hidden, _NEW, 0o640, dir_fd=folder)
    try:
        with suppress(OSError):  # a file system without locks: liveness is unknown there
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.write(fd, data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)  # noqa: TRY301 - undone right below
        os.rename(hidden, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.close(fd)
        with suppress(OSError):
            os.unlink(hidden, dir_fd=folder)
        raise
    return fd


def _hold(fd: int) -> None:
    if not _held:
        at_fork(in_child=_let_go)
    _held.append((fd, identity_of(fd)))


def _let_go() -> None:
    """Close the locks that a forked child inherited: they tell of its parent."""
    for fd, identity in _held:
        release(fd, identity)
    _held.clear()


def origin(pid: int | None = None) -> Origin:
    """Return where a process of this machine comes from; empty parts are unknown."""
    number = os.getpid() if pid is None else pid
    namespace = _link(f"/proc/{number}/ns/pid")
    return Origin(os.uname().nodename, _machine_id(), _boot_id(), number, namespace, _start_ticks(number))


def _machine_id() -> str:
    return _text("/etc/machine-id").strip()


def _boot_id() -> str:
    return _text("/proc/sys/kernel/random/boot_id").strip()


def _start_ticks(pid: int) -> int:
    """Return the kernel's start time of a process, or 0 when there is none: with the pid it is unique in one boot."""
    fields = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    # Field 22 of proc(5); the first two stand before the parenthesis. A zombie has ended.
    return int(fields[19]) if len(fields) > 19 and fields[0] not in "ZX" else 0  # noqa: PLR2004 - proc(5)


def _text(path: str) -> str:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(fd, 4096).decode("utf-8", "replace")
    except OSError:
        return ""
    finally:
        os.close(fd)


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def locate(data_dir: str, name: str) -> str | None:
    """Return the path of the manifest that a record names, or None when the name could lead astray."""
    day, _, file = name.partition("/")
    if not file or "/" in file or day.startswith(".") or file.startswith("."):
        return None
    return os.path.join(data_dir, *PROCESSES, day, file)


def read_manifest(path: str) -> bytes | None:
    """Return the bytes of a manifest, or None when there is none that can be read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(fd, MANIFEST_CAP + 1)
    except OSError:
        return None
    finally:
        os.close(fd)


def is_alive(path: str) -> bool | None:
    """Return whether the process of this manifest lives; None where that cannot be known (another host, no manifest).

    The lock is the proof of life. A living process may have lost it by closing every descriptor, so without it
    the process table is asked for the same pid with the same start.
    """
    data = read_manifest(path)
    if data is None:
        return None
    process = _told_by(data)
    if process is None:
        return None
    boot = _boot_id()
    if not process.boot_id or not boot:
        return None
    if process.boot_id != boot:
        return _booted_again(process)
    locked = _is_locked(path)
    if locked is None or locked:
        return locked
    if process.pid_namespace != _link("/proc/self/ns/pid"):
        return False
    return process.start_ticks != 0 and _start_ticks(process.pid) == process.start_ticks


@lru_cache(maxsize=4)  # of 200,000 requests one after the other are of one process
def _told_by(data: bytes) -> Origin | None:
    """Return which process a manifest says that it is of, or None when that cannot be read."""
    try:
        said = json.loads(data).get("process", {})
        known = {name: said[name] for name in Origin._fields if name in said}
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    if any(type(value) is not type(getattr(_NOBODY, name)) for name, value in known.items()):
        return None
    return Origin(**known)


def _booted_again(process: Origin) -> bool | None:
    """Return False for a process of this machine from before it booted again, None for one of another machine."""
    ours = bool(process.machine_id) and (process.machine_id, process.host) == (_machine_id(), os.uname().nodename)
    return False if ours else None


def _is_locked(path: str) -> bool | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as exc:
        return True if exc.errno in {errno.EWOULDBLOCK, errno.EACCES} else None
    finally:
        os.close(fd)
    return False
