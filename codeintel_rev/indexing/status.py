"""What there is of an index, how far it is behind, and whether somebody is really at work on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from codeintel_rev.config.settings import index_folder
from codeintel_rev.errors import DamagedIndexError, NotFoundError
from codeintel_rev.io.freshness import freshness
from codeintel_rev.io.generations import IndexFolder
from codeintel_rev.io.git_client import GitClient
from codeintel_rev.io.manifest import Manifest
from codeintel_rev.retrieval.answer import Degraded

if TYPE_CHECKING:
    from pathlib import Path

    from codeintel_rev.io.generations import Generation
    from codeintel_rev.io.underway import Underway
    from codeintel_rev.retrieval.answer import Freshness


@dataclass(frozen=True, slots=True)
class Kept:
    """A generation that can be answered from; None for a manifest that cannot be read."""

    generation: Generation
    manifest: Manifest | None


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """`underway` is the work of a living process; `interrupted` is how far one came that was killed.

    Without an index `manifest` and `index` are None, and `degraded` says why.
    """

    root: Path
    index_dir: Path
    manifest: Manifest | None
    index: Freshness | None
    degraded: tuple[Degraded, ...]
    underway: Underway | None
    interrupted: Underway | None
    history: tuple[Kept, ...]

    @property
    def kind(self) -> Literal["none", "lexical", "partial", "complete"]:
        """`partial`: some chunks have a vector; `complete`: all that are to have one."""
        if self.manifest is None:
            return "none"
        if not self.manifest.vectors:
            return "lexical"
        return "partial" if self.manifest.lacking else "complete"

    @property
    def stale(self) -> bool | None:
        """Whether the repository holds what the index does not; None when that cannot be learned."""
        if self.index is None or self.index.head is None:
            return None
        return self.index.head != self.index.commit or bool(self.index.dirty)


def index_status(repo: Path, index_dir: Path | None = None) -> IndexStatus:
    """NotFoundError when `repo` is in no git repository; no index, or a damaged one, is an answer."""
    with GitClient.open(repo) as client:
        root = client.root
    folder = IndexFolder(index_folder(root, index_dir))
    manifest, index, degraded = _current(folder, root)
    return IndexStatus(
        root=root,
        index_dir=folder.path,
        manifest=manifest,
        index=index,
        degraded=degraded,
        underway=folder.underway(),
        interrupted=folder.interrupted(),
        history=tuple(Kept(generation, _readable(generation.path)) for generation in folder.history()),
    )


def _current(folder: IndexFolder, root: Path) -> tuple[Manifest | None, Freshness | None, tuple[Degraded, ...]]:
    try:
        manifest = Manifest.read(folder.current())
    except (NotFoundError, DamagedIndexError) as error:
        return None, None, (Degraded("index", error.what, error.mend),)
    index, _, degraded = freshness(manifest, root)
    return manifest, index, tuple(dict.fromkeys((*manifest.degraded, *degraded)))


def _readable(generation: Path) -> Manifest | None:
    try:
        return Manifest.read(generation)
    except DamagedIndexError:
        return None
