"""Takes secrets out of what is written already: closed files are made anew, whole, and a record says so.

A line that changes keeps its number and gets a fresh checksum; every other byte stays, but for the links of a chain, which are
made anew from there on. What was damaged before is damaged
afterwards, and is redacted all the same. The files of one attempt are prepared first; then a file of our own begins in
the attempt and says which are about to be replaced, by their hashes; they are replaced; then it says that they were.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, NamedTuple
from zlib import crc32

from codeintel_obs.ledger.attempts import AttemptFiles
from codeintel_obs.ledger.begin import known
from codeintel_obs.ledger.chain import anchor, sealed
from codeintel_obs.ledger.checks import TAIL, is_whole
from codeintel_obs.ledger.encoding import ids_of, line, own
from codeintel_obs.ledger.places import RUNS, claim, filename, open_folder
from codeintel_obs.ledger.relinking import Relinking
from codeintel_obs.redact import MASK, names_secret

Scrub = Callable[[str], str]
"""Returns a text without its secrets."""

EVENT: Final = "redact"
_TEXTS: Final = ("detail", "payload", "error", "thread")
_HARMLESS: Final = (int, float, bool, type(None))
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LONGEST: Final = 1_048_576


class Rewritten(NamedTuple):
    """A file that is ready to be replaced: ``lines`` of it lose something; the roots are there if it is chained."""

    file: str
    lines: int
    sha256_before: str
    sha256_after: str
    root_before: str | None
    root_after: str | None
    hidden: str


def rewrite(attempt: AttemptFiles, scrub: Scrub, *, dry_run: bool = False) -> list[Rewritten]:
    """Redact the files of ``attempt``, which must not be open; return those that changed, or would. Raises OSError."""
    folder = open_folder(attempt.data_dir, *RUNS, attempt.day)
    ready: list[Rewritten] = []
    try:
        for writer in attempt.writers:
            chain = Relinking()
            for file, following in zip(writer.segments, [*writer.segments[1:], None], strict=True):
                chain.begin(file, following)
                made = _prepared(folder, os.path.basename(file.path), scrub, chain)
                if made is not None:
                    ready.append(made)
        if ready and not dry_run:
            _replace(folder, attempt, ready)
    finally:
        for each in ready:
            with suppress(OSError):
                os.unlink(each.hidden, dir_fd=folder)
        os.close(folder)
    return ready


def _prepared(folder: int, name: str, scrub: Scrub, chain: Relinking) -> Rewritten | None:
    """Write the redacted file beside the one it is to replace; None when nothing in it changes."""
    hidden = f".{name}.{os.urandom(4).hex()}.tmp"
    before, after, changed = hashlib.sha256(), hashlib.sha256(), 0
    reading = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    with open(reading, "rb") as old, open(os.open(hidden, _NEW, 0o600, dir_fd=folder), "wb") as new:
        while raw := old.readline(_LONGEST):
            made = _line(raw, scrub)
            changed += made != raw
            made = chain.line(raw, made)
            before.update(raw)
            after.update(made)
            new.write(made)
        new.flush()
        about = os.fstat(old.fileno())
        os.utime(new.fileno(), ns=(about.st_atime_ns, about.st_mtime_ns))  # retention goes by when it was written
        os.fchmod(new.fileno(), about.st_mode & 0o777)
        os.fsync(new.fileno())
    if before.digest() == after.digest():
        os.unlink(hidden, dir_fd=folder)
        return None
    roots = (chain.before, chain.after) if chain.is_there else (None, None)
    return Rewritten(name, changed, before.hexdigest(), after.hexdigest(), *roots, hidden)


def _line(raw: bytes, scrub: Scrub) -> bytes:
    body = raw.removesuffix(b"\n")
    if not (raw.endswith(b"\n") and is_whole(body)):
        return _damaged(raw, scrub)
    try:
        record = json.loads(body)
    except (ValueError, RecursionError):
        return _damaged(raw, scrub)
    cleaned = _cleaned(record, scrub) if isinstance(record, dict) else record
    if cleaned == record:
        return raw
    cleaned.pop("crc", None)
    head = json.dumps(cleaned, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")[:-1]
    return head + b',"crc":"%08x"}\n' % crc32(head)


def _damaged(raw: bytes, scrub: Scrub) -> bytes:
    """Redact what is no whole line, its checksum left as it is: damage stays damage."""
    end = b"\n" if raw.endswith(b"\n") else b""
    made = scrub(raw.removesuffix(end).decode("utf-8", "surrogateescape"))
    data = made.replace("\n", " ").encode("utf-8", "surrogateescape")
    return (data if not is_whole(data) else data[:-TAIL]) + end


def _cleaned(record: dict[str, Any], scrub: Scrub) -> dict[str, Any]:
    return {key: scrubbed(value, scrub) if key in _TEXTS else value for key, value in record.items()}


def scrubbed(value: Any, scrub: Scrub) -> Any:
    """Return JSON's ``value`` with every text in it scrubbed, and what stands under a secret's name masked."""
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, list):
        return [scrubbed(each, scrub) for each in value]
    if isinstance(value, dict):
        return {scrub(key): _under(key, each, scrub) for key, each in value.items()}
    return value


def _under(key: str, value: Any, scrub: Scrub) -> Any:
    return MASK if names_secret(key) and not isinstance(value, _HARMLESS) else scrubbed(value, scrub)


def _replace(folder: int, attempt: AttemptFiles, ready: list[Rewritten]) -> None:
    ids = ids_of(attempt.run_id, attempt.attempt, None)
    writer = os.urandom(4).hex()
    about = [known({name: getattr(each, name) for name in Rewritten._fields[:-1]}) for each in ready]
    begin = own("writer.begin", ids, known({"writer": writer, "pid": os.getpid(), "host": os.uname().nodename}))
    content = line(1, begin) + line(2, own(EVENT, ids, {"phase": "begun", "files": about}))
    name = filename(f"{attempt.run_id}~{attempt.attempt}~{writer}")
    head = anchor(name, attempt.attempt) if any(each.root_after for each in ready) else None
    content, head = _linked(content, head)
    fd = claim(folder, name, content)
    if fd is None:
        raise FileExistsError(f"{writer} is taken")
    try:
        os.fsync(fd)
        for each in ready:
            os.rename(each.hidden, each.file, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
        done = line(3, own(EVENT, ids, {"phase": "done", "files": len(ready)}))
        os.write(fd, _linked(done + line(4, own("writer.end", ids, {"records": 4})), head)[0])
        os.fchmod(fd, 0o440)
        os.fsync(fd)
    finally:
        os.close(fd)


def _linked(content: bytes, head: str | None) -> tuple[bytes, str | None]:
    """Return lines of our own as a chained attempt has them, with the hash of the last, or as they are."""
    return (content, None) if head is None else sealed(content, head)
