"""Answers and accounts as text for people and as JSON for programs; both say the same."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from codeintel_rev.indexing.build import Built
    from codeintel_rev.io.manifest import Manifest
    from codeintel_rev.retrieval.answer import Answer, ChannelOutcome, Degraded, Freshness, Hit
    from codeintel_rev.retrieval.fusion import Ranked

ANSWER_SCHEMA = "codeintel_rev.answer/1"
INDEX_SCHEMA = "codeintel_rev.index/1"
_NAMED = 5
_AGES = ((86_400, "days"), (3_600, "hours"), (60, "minutes"))
# A repository's text must not be able to steer the reader's terminal.
_CONTROLS = {code: f"\\x{code:02x}" for code in [*range(32), *range(127, 160)] if chr(code) not in "\n\t"}


def index_text(built: Built) -> str:
    made = built.manifest
    lines = [
        f"indexed {_count(made.files, 'file')} in {_count(made.chunks, 'chunk')} of {made.root}",
        f"  commit   {made.commit[:12]} ({made.branch or 'detached'}), committed {made.committed_at}",
        *([f"  paths    {' '.join(made.paths)}"] if made.paths else []),
        f"  vectors  {_vectors_text(made)}",
        *_left_out(made),
        f"  took     {made.seconds:.1f} s; the index lies in {built.index_dir}",
        *map(_degraded_text, made.degraded),
    ]
    return _clean("\n".join(lines) + "\n")


def index_json(built: Built) -> str:
    return _json({"answer_schema": INDEX_SCHEMA, "index_dir": str(built.index_dir)} | asdict(built.manifest))


def answer_text(answer: Answer) -> str:
    lines = [line for hit in answer.hits for line in _hit_lines(hit)]
    if not answer.hits:
        lines = [f"nothing found for {answer.query!r}", ""]
    lines += [_footer(answer.index), "channels: " + "; ".join(map(_channel_text, answer.channels))]
    lines += map(_degraded_text, answer.degraded)
    return _clean("\n".join(lines) + "\n")


def answer_json(answer: Answer) -> str:
    channels = [
        {"channel": o.channel, "status": o.status, "reason": o.reason, "found": len(o.found)}
        | {"seconds": round(o.seconds, 4)}
        for o in answer.channels
    ]
    return _json(
        {
            "schema": ANSWER_SCHEMA,
            "query": answer.query,
            "k": answer.k,
            "hits": [_hit_json(hit) for hit in answer.hits],
            "index": asdict(answer.index),
            "channels": channels,
            "degraded": [asdict(item) for item in answer.degraded],
        }
    )


def _vectors_text(made: Manifest) -> str:
    if made.model is None:
        return "none: answers will be lexical only"
    return f"{made.chunks} ({made.embedded} embedded, {made.reused} reused), {made.model}"


def _left_out(made: Manifest) -> list[str]:
    lines = []
    if made.skipped:
        reasons = ", ".join(f"{count} {reason}" for reason, count in made.skipped.items())
        lines.append(f"  skipped  {sum(made.skipped.values())}: {reasons}")
    if made.unparsed:
        lines.append(f"  unparsed {_count(made.unparsed, 'Python file')}, cut by lines instead")
    if made.dirty:
        lines.append(f"  dirty    {len(made.dirty)}, indexed as committed, not as edited: {_some(made.dirty)}")
    if made.untracked:
        lines.append(f"  unknown  {made.untracked} untracked, not indexed")
    return lines


def _hit_lines(hit: Hit) -> list[str]:
    changed = "  [changed since]" if hit.changed else ""
    ranks = "  ".join(f"{name} #{r.rank} ({r.score:.3f})" for name, r in hit.channels.items())
    place = f"{hit.path}:{hit.start_line}-{hit.end_line}"
    numbered = enumerate(hit.snippet.split("\n"), hit.snippet_line)
    return [
        f"{hit.rank}. {place}  {hit.kind} {hit.name}{changed}",
        f"   score {hit.score:.4f}  {ranks}",
        *(f"   {number:>5} | {line}" for number, line in numbered),
        "",
    ]


def _hit_json(hit: Hit) -> dict[str, Any]:
    plain = {name: getattr(hit, name) for name in hit.__slots__ if name != "channels"}
    return plain | {"score": round(hit.score, 6), "channels": _ranks(hit.channels)}


def _ranks(channels: Mapping[str, Ranked]) -> dict[str, dict[str, float]]:
    return {name: {"rank": r.rank, "score": round(r.score, 6)} for name, r in channels.items()}


def _footer(index: Freshness) -> str:
    parts = [f"indexed commit {index.commit[:12]} ({index.branch or 'detached'}), {_age(index.age_seconds)} ago"]
    if index.paths:
        parts.append(f"only {' '.join(index.paths)}")
    if index.head is not None and index.head != index.commit:
        behind = "another history" if index.commits_behind is None else f"{index.commits_behind} commits behind"
        parts.append(f"STALE: HEAD is {index.head[:12]}, {behind}; Mend: codeintel-rev index")
    if index.dirty:
        parts.append(f"{len(index.dirty)} dirty: {_some(index.dirty)}")
    return "; ".join(parts)


def _channel_text(outcome: ChannelOutcome) -> str:
    if outcome.status == "ran":
        return f"{outcome.channel} ran ({len(outcome.found)} found, {outcome.seconds * 1000:.0f} ms)"
    return f"{outcome.channel} {outcome.status}"


def _degraded_text(item: Degraded) -> str:
    return f"degraded: {item.channel}: {item.reason}" + (f". {item.mend}" if item.mend else "")


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _some(paths: Iterable[str]) -> str:
    named = list(paths)
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return ", ".join(named[:_NAMED]) + more


def _age(seconds: float) -> str:
    for size, unit in _AGES:
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"


def _clean(text: str) -> str:
    return text.translate(_CONTROLS).encode("utf-8", "backslashreplace").decode("utf-8")


def _json(data: dict[str, Any]) -> str:
    return json.dumps(data, indent=1) + "\n"
