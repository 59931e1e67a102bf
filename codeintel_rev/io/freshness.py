"""The indexed commit beside the repository of this moment, so that no old answer passes for a new one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from codeintel_rev.errors import RevError
from codeintel_rev.retrieval.answer import Degraded, Freshness

if TYPE_CHECKING:
    from pathlib import Path

    from codeintel_rev.io.manifest import Manifest


def freshness(manifest: Manifest, root: Path) -> tuple[Freshness, frozenset[str], tuple[Degraded, ...]]:
    """With the paths that differ now from the indexed commit, and, where git cannot tell, why not."""
    try:
        # here, because it fails where git is missing, and a search must not
        from codeintel_rev.io.git_client import GitClient

        with GitClient.open(root) as client:
            head, tree = client.head(), client.working_tree()
            behind, changed = client.commits_since(manifest.commit), client.changed_since(manifest.commit)
    except (RevError, ValueError, OSError) as error:  # the last two: references that GitPython cannot read
        what, mend = (error.what, error.mend) if isinstance(error, RevError) else (str(error), "")
        unknown = Degraded("freshness", what, mend)
        return _described(manifest, None, None, None), frozenset(), (unknown,)
    return _described(manifest, head.commit, behind, tuple(sorted(tree.dirty))), changed, ()


def _described(manifest: Manifest, head: str | None, behind: int | None, dirty: tuple[str, ...] | None) -> Freshness:
    age = datetime.now(UTC) - datetime.fromisoformat(manifest.indexed_at)
    return Freshness(
        commit=manifest.commit,
        branch=manifest.branch,
        indexed_at=manifest.indexed_at,
        age_seconds=round(age.total_seconds(), 1),
        paths=manifest.paths,
        head=head,
        commits_behind=behind,
        dirty=dirty,
    )
