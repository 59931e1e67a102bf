"""The state of an index, as text for people and as JSON for programs; both say the same."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from codeintel_rev.cli.render import age, clean, count, degraded_text, some, to_json

if TYPE_CHECKING:
    from codeintel_rev.indexing.status import IndexStatus, Kept
    from codeintel_rev.io.manifest import Manifest
    from codeintel_rev.io.underway import Underway
    from codeintel_rev.retrieval.answer import Freshness

STATUS_SCHEMA = "codeintel_rev.status/1"


def status_text(status: IndexStatus) -> str:
    lines = [f"{status.root}: {_kind(status)}"]
    if status.manifest and status.index:
        lines += _indexed(status.manifest, status.index)
    if status.underway:
        lines.append(f"  building {status.underway.text()}; process {status.underway.pid}")
    if status.interrupted:
        left = f"{status.interrupted.text()}; process {status.interrupted.pid} was killed"
        lines.append(f"  broken   {left}. Mend: codeintel-rev index goes on from there")
    lines += [f"  kept     {_kept(kept)}" for kept in status.history]
    lines += map(degraded_text, status.degraded)
    return clean("\n".join(lines) + "\n")


def status_json(status: IndexStatus) -> str:
    made = status.manifest
    return to_json(
        {
            "schema": STATUS_SCHEMA,
            "root": str(status.root),
            "index_dir": str(status.index_dir),
            "kind": status.kind,
            "stale": status.stale,
            "index": asdict(status.index) if status.index else None,
            "files": made.files if made else 0,
            "chunks": made.chunks if made else 0,
            "vectors": made.vectors if made else 0,
            "words_only": made.words_only if made else 0,
            "model": made.model if made else None,
            "skipped": made.skipped if made else {},
            "degraded": [asdict(item) for item in status.degraded],
            "underway": _underway(status.underway),
            "interrupted": _underway(status.interrupted),
            "generations": [_generation(kept) for kept in status.history],
        }
    )


_KINDS = {
    "none": "not indexed",
    "lexical": "indexed for words only",
    "partial": "indexed, some chunks for words only",
    "complete": "indexed",
}


def _kind(status: IndexStatus) -> str:
    stale = {True: ", STALE", False: "", None: ", how fresh is unknown"}[status.stale]
    return f"{_KINDS[status.kind]}{stale if status.manifest else ''}"


def _indexed(made: Manifest, index: Freshness) -> list[str]:
    tree = "the working tree over " if made.working_tree else ""
    model = f" ({made.model})" if made.model else ""
    held = f"{count(made.files, 'file')} in {count(made.chunks, 'chunk')}"
    lines = [
        f"  holds    {held}, {made.vectors} with a vector{model}{_by_words(made)}",
        f"  commit   {tree}{index.commit[:12]} ({index.branch or 'detached'}), indexed {age(index.age_seconds)} ago",
    ]
    if index.head not in (None, index.commit):
        behind = (
            "another history" if index.commits_behind is None else f"{count(index.commits_behind, 'commit')} behind"
        )
        lines.append(f"  head     {str(index.head)[:12]}: {behind}. Mend: codeintel-rev index")
    if index.dirty:
        lines.append(f"  dirty    {len(index.dirty)}, not indexed as they are now: {some(index.dirty)}")
    if made.skipped:
        reasons = ", ".join(f"{number} {reason}" for reason, number in made.skipped.items())
        lines.append(f"  skipped  {sum(made.skipped.values())}: {reasons}")
    return lines


def _kept(kept: Kept) -> str:
    mark = " (answers)" if kept.generation.current else ""
    if kept.manifest is None:
        return f"{kept.generation.path.name}{mark}: cannot be read"
    made = kept.manifest
    vectors = f"{made.vectors} of {made.chunks - made.words_only} with a vector"
    return f"{kept.generation.path.name}{mark}: commit {made.commit[:12]}, {vectors}"


def _by_words(made: Manifest) -> str:
    return f", {made.words_only} by words only" if made.words_only else ""


def _underway(underway: Underway | None) -> dict[str, Any] | None:
    if underway is None:
        return None
    return asdict(underway) | {"share": underway.share, "eta_seconds": underway.eta_seconds}


def _generation(kept: Kept) -> dict[str, Any]:
    made = kept.manifest
    return {
        "name": kept.generation.path.name,
        "current": kept.generation.current,
        "interim": kept.generation.interim,
        "commit": made.commit if made else None,
        "chunks": made.chunks if made else None,
        "vectors": made.vectors if made else None,
    }
