"""The text of a tracked file as committed, or the reason for which there is none to index."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

    from codeintel_rev.io.git_client import Entry, GitClient

LARGEST = 1 << 20
_SNIFFED = 8000  # as many bytes as git looks at
_SHA1_DIGITS = 40


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is left out, and counted under its reason."""

    reason: Literal["symlink", "submodule", "huge", "binary", "not utf-8", "name not utf-8"]


def read_source(client: GitClient, entry: Entry) -> str | Skipped:
    """Read the working tree where it holds the very bytes of the blob, and git's copy where it does not.

    So an edit, a sparse checkout or a filter never puts lines into the index that the indexed commit has not.
    """
    if entry.kind != "file":
        return Skipped(entry.kind)
    if not _is_text(entry.path):
        return Skipped("name not utf-8")
    if entry.size > LARGEST:
        return Skipped("huge")
    content = _working_copy(client.root, entry)
    return _decoded(client.blob(entry.blob) if content is None else content)


def blob_hash(content: bytes, like: str) -> str:
    """Git's name for this content, in the hash that `like` is written in."""
    algorithm = hashlib.sha1 if len(like) == _SHA1_DIGITS else hashlib.sha256
    return algorithm(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _working_copy(root: Path, entry: Entry) -> bytes | None:
    path = root / entry.path
    try:
        if not path.parent.resolve().is_relative_to(root):
            return None  # a folder on the way became a symbolic link to somewhere else
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # no link, no waiting on a pipe
        with os.fdopen(descriptor, "rb") as stream:
            content = stream.read(entry.size + 1)
    except OSError:
        return None
    return content if blob_hash(content, entry.blob) == entry.blob else None


def _decoded(content: bytes) -> str | Skipped:
    if b"\0" in content[:_SNIFFED]:
        return Skipped("binary")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return Skipped("not utf-8")


def _is_text(path: str) -> bool:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:  # GitPython hands undecodable bytes over as lone surrogates
        return False
    return True
