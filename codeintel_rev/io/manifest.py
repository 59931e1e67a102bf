"""What a generation says of itself: the commit it shows, what was left out, and why."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from codeintel_rev.errors import DamagedIndexError
from codeintel_rev.retrieval.answer import Degraded

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = 2
FILE = "manifest.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """Times are ISO 8601 in UTC. `skipped` counts files by the reason for which nothing of them is indexed.

    `vectors`: so many chunks, the first by document number, have one; `model` is None when none has. `words_only`
    are to have none (`embedding.words_only`); where others lack one, `degraded` says why. `embedded` were made by
    this run, `reused` by an earlier one.
    `working_tree`: whether uncommitted edits are in the index. Without, `dirty` are the tracked files that were
    indexed as committed although the working tree differs, `untracked` counts what is not in any commit. With it,
    `uncommitted` has the hash of what was read instead of the commit's, empty for a file that is gone.
    """

    root: str
    commit: str
    committed_at: str
    branch: str | None
    indexed_at: str
    paths: tuple[str, ...]
    files: int
    chunks: int
    unparsed: int
    skipped: dict[str, int]
    working_tree: bool
    dirty: tuple[str, ...]
    untracked: int
    uncommitted: dict[str, str]
    model: str | None
    dim: int
    vectors: int
    embedded: int
    reused: int
    degraded: tuple[Degraded, ...]
    seconds: float
    chunker: int
    words_only: int = 0
    schema: int = SCHEMA

    @property
    def lacking(self) -> int:
        """So many chunks should have a vector and have none."""
        return self.chunks - self.words_only - self.vectors

    def write(self, folder: Path) -> None:
        text = json.dumps(asdict(self), indent=1)
        (folder / FILE).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Raises DamagedIndexError for a manifest that cannot be read or is of another schema."""
        mend = "Mend: codeintel-rev index REPO builds a new one"
        try:
            data: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
            if data.get("schema") != SCHEMA:
                raise DamagedIndexError(
                    f"{folder / FILE} has schema {data.get('schema')!r}, this program reads {SCHEMA}", mend
                )
            data["degraded"] = tuple(Degraded(**item) for item in data["degraded"])
            return cls(**data | {"paths": tuple(data["paths"]), "dirty": tuple(data["dirty"])})
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DamagedIndexError(f"{folder / FILE} cannot be read: {error}", mend) from error
