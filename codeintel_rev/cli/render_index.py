"""What `index` did, as text for people and as JSON for programs; both say the same."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from codeintel_rev.cli.render import clean, count, degraded_text, some, to_json

if TYPE_CHECKING:
    from codeintel_rev.indexing.build import Built
    from codeintel_rev.io.manifest import Manifest

INDEX_SCHEMA = "codeintel_rev.index/1"


def index_text(built: Built) -> str:
    made = built.manifest
    lines = [
        f"indexed {count(made.files, 'file')} in {count(made.chunks, 'chunk')} of {made.root}",
        f"  commit   {made.commit[:12]} ({made.branch or 'detached'}), committed {made.committed_at}",
        *([f"  paths    {' '.join(made.paths)}"] if made.paths else []),
        f"  vectors  {_vectors_text(made)}",
        *_left_out(made),
        f"  took     {made.seconds:.1f} s; the index lies in {built.index_dir}",
        *map(degraded_text, made.degraded),
    ]
    return clean("\n".join(lines) + "\n")


def index_json(built: Built) -> str:
    return to_json({"answer_schema": INDEX_SCHEMA, "index_dir": str(built.index_dir)} | asdict(built.manifest))


def index_line(built: Built, *, as_json: bool) -> str:
    """One line for each time that a watched repository was indexed."""
    made = built.manifest
    if as_json:
        data = {"answer_schema": INDEX_SCHEMA, "index_dir": str(built.index_dir)} | asdict(made)
        return json.dumps(data) + "\n"
    edits = f" and {count(len(made.uncommitted), 'uncommitted file')}" if made.uncommitted else ""
    done = f"{count(made.chunks, 'chunk')}, {made.embedded} embedded, {made.seconds:.1f} s"
    missing = "; ".join(map(degraded_text, made.degraded))
    text = f"indexed {made.commit[:12]} ({made.branch or 'detached'}){edits}: {done}"
    return clean(f"{text}; {missing}\n" if missing else f"{text}\n")


def _vectors_text(made: Manifest) -> str:
    if made.model is None:
        return "none: answers will be lexical only"
    some_only = f" of {made.chunks - made.words_only}" if made.lacking else ""
    by_words = f"; {made.words_only} by words only" if made.words_only else ""
    return f"{made.vectors}{some_only} ({made.embedded} embedded, {made.reused} reused{by_words}), {made.model}"


def _left_out(made: Manifest) -> list[str]:
    lines = []
    if made.skipped:
        reasons = ", ".join(f"{count} {reason}" for reason, count in made.skipped.items())
        lines.append(f"  skipped  {sum(made.skipped.values())}: {reasons}")
    if made.unparsed:
        lines.append(f"  unparsed {count(made.unparsed, 'source file')}, cut by lines instead")
    if made.uncommitted:
        lines.append(f"  edited   {len(made.uncommitted)}, indexed as they are on disk: {some(made.uncommitted)}")
    if made.dirty:
        lines.append(f"  dirty    {len(made.dirty)}, indexed as committed, not as edited: {some(made.dirty)}")
    if made.untracked:
        lines.append(f"  unknown  {made.untracked} untracked, not indexed")
    return lines
