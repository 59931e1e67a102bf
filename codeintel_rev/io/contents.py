"""What the working tree holds at this moment, by git's own name for contents."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from codeintel_rev.io.beneath import open_beneath

if TYPE_CHECKING:
    from pathlib import Path

LARGEST = 1 << 20  # bytes of a file that is indexed
_SHA1_DIGITS = 40


def present(root: Path, path: str, size: int) -> bytes | None:
    """At most one byte more than `size`, so that a longer file shows; None for what is no file that can be read."""
    try:
        with open_beneath(root, path) as stream:
            return stream.read(size + 1)
    except (OSError, ValueError):  # ValueError: also for a name that cannot be encoded
        return None


def present_hash(root: Path, path: str, like: str) -> str:
    """Empty where the working tree holds no file that can be read. Of one that is too large only a part is hashed."""
    content = present(root, path, LARGEST)
    return "" if content is None else blob_hash(content, like)


def blob_hash(content: bytes, like: str) -> str:
    """Git's name for this content, in the hash that `like` is written in."""
    algorithm = hashlib.sha1 if len(like) == _SHA1_DIGITS else hashlib.sha256
    return algorithm(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
