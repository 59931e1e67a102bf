"""The files as they stand on disk: those of HEAD, less what was deleted, with what was edited or added."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from codeintel_rev.io.git_client import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from codeintel_rev.io.git_client import EntryKind, WorkingTree


def edited_entries(root: Path, committed: Iterable[Entry], tree: WorkingTree) -> list[Entry]:
    """By path. What differs from HEAD has no blob yet; ignored files are not among them."""
    differing = tree.dirty | tree.untracked
    entries = [entry for entry in committed if entry.path not in differing]
    entries += [entry for path in differing if (entry := _on_disk(root, path))]
    return sorted(entries, key=lambda entry: entry.path)


def _on_disk(root: Path, path: str) -> Entry | None:
    try:
        found = os.lstat(root / path)
    except (OSError, ValueError):
        return None
    return Entry(path.rstrip("/"), "", _kind(found.st_mode), found.st_size)


def _kind(mode: int) -> EntryKind:
    if stat.S_ISLNK(mode):
        return "symlink"
    return "submodule" if stat.S_ISDIR(mode) else "file"  # git tells of a folder only where another repository is
