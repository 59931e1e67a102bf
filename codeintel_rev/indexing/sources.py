"""The text of a file, as committed or as edited, or the reason for which there is none to index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from codeintel_rev.io.contents import LARGEST, blob_hash, present

if TYPE_CHECKING:
    from codeintel_rev.io.git_client import Entry, GitClient

_SNIFFED = 8000  # as many bytes as git looks at
# A program's output and not its source: lines longer than this on average, and more than a paragraph of it.
_LONG_LINE = 1000
_MANY_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is left out, and counted under its reason."""

    reason: Literal["symlink", "submodule", "huge", "binary", "minified", "not utf-8", "name not utf-8", "unreadable"]


def read_committed(client: GitClient, entry: Entry) -> str | Skipped:
    """Read the working tree where it holds the very bytes of the blob, and git's copy where it does not.

    So an edit, a sparse checkout or a filter never puts lines into the index that the indexed commit has not.
    """
    if reason := _unreadable(entry):
        return reason
    content = present(client.root, entry.path, entry.size)
    if content is None or blob_hash(content, entry.blob) != entry.blob:
        content = client.blob(entry.blob)
    return _decoded(content)


def read_edited(client: GitClient, entry: Entry, like: str) -> tuple[str | Skipped, str]:
    """The text as it stands in the working tree, with its hash; empty for what has none (`contents.present_hash`)."""
    content = present(client.root, entry.path, LARGEST) if entry.kind == "file" else None
    blob = "" if content is None else blob_hash(content, like)
    if reason := _unreadable(entry):
        return reason, blob
    if content is None:
        return Skipped("unreadable"), blob
    return (Skipped("huge") if len(content) > LARGEST else _decoded(content)), blob


def _unreadable(entry: Entry) -> Skipped | None:
    if entry.kind != "file":
        return Skipped(entry.kind)
    if not _is_text(entry.path):
        return Skipped("name not utf-8")
    return Skipped("huge") if entry.size > LARGEST else None


def _decoded(content: bytes) -> str | Skipped:
    if b"\0" in content[:_SNIFFED]:
        return Skipped("binary")
    if len(content) > max(_MANY_BYTES, _LONG_LINE * (content.count(b"\n") + 1)):
        return Skipped("minified")
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
