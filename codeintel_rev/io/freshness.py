"""The indexed commit beside the repository of this moment, so that no old answer passes for a new one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from codeintel_rev.errors import RevError
from codeintel_rev.indexing.paths import matcher
from codeintel_rev.io.contents import present_hash
from codeintel_rev.retrieval.answer import Degraded, Freshness

if TYPE_CHECKING:
    from pathlib import Path

    from codeintel_rev.io.git_client import GitClient
    from codeintel_rev.io.manifest import Manifest


@dataclass(frozen=True, slots=True)
class _Now:
    """`changed`: paths whose content differs from what is indexed; `dirty`: those of them that no commit has."""

    head: str
    behind: int | None
    dirty: frozenset[str]
    changed: frozenset[str]


def freshness(manifest: Manifest, root: Path) -> tuple[Freshness, frozenset[str], tuple[Degraded, ...]]:
    """With the paths whose content differs now from the indexed one, and with what is missing of all this."""
    missing = manifest.degraded if manifest.vectors and manifest.lacking else ()
    try:
        # here, because it fails where git is missing, and a search must not
        from codeintel_rev.io.git_client import GitClient

        with GitClient.open(root) as client:
            now = _looked(manifest, client)
    except (RevError, ValueError, OSError) as error:  # the last two: references that GitPython cannot read
        what, mend = (error.what, error.mend) if isinstance(error, RevError) else (str(error), "")
        return _described(manifest, None), frozenset(), (*missing, Degraded("freshness", what, mend))
    return _described(manifest, now), now.changed, missing


def _looked(manifest: Manifest, client: GitClient) -> _Now:
    head, tree = client.head(), client.working_tree(every_file=manifest.working_tree)
    behind, changed = client.commits_since(manifest.commit), client.changed_since(manifest.commit)
    selected = matcher(manifest.paths).fullmatch
    if not manifest.working_tree:
        return _Now(head.commit, behind, frozenset(filter(selected, tree.dirty)), changed)
    new = {path for path in tree.untracked - manifest.uncommitted.keys() if not path.endswith("/")}
    kept = {path for path, blob in manifest.uncommitted.items() if blob == _hash(client, manifest, path)}
    changed = frozenset(filter(selected, (changed | new | manifest.uncommitted.keys()) - kept))
    uncommitted = tree.dirty | tree.untracked | manifest.uncommitted.keys()
    return _Now(head.commit, behind, changed & uncommitted, changed)


def _hash(client: GitClient, manifest: Manifest, path: str) -> str:
    return present_hash(client.root, path, manifest.commit)


def _described(manifest: Manifest, now: _Now | None) -> Freshness:
    age = datetime.now(UTC) - datetime.fromisoformat(manifest.indexed_at)
    return Freshness(
        commit=manifest.commit,
        branch=manifest.branch,
        indexed_at=manifest.indexed_at,
        age_seconds=round(age.total_seconds(), 1),
        paths=manifest.paths,
        head=now.head if now else None,
        commits_behind=now.behind if now else None,
        dirty=tuple(sorted(now.dirty)) if now else None,
        working_tree=manifest.working_tree,
    )
