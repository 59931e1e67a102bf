"""An answer as text for people and as JSON for programs; both say the same."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from codeintel_rev.cli.render import age, clean, degraded_text, some, to_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codeintel_rev.retrieval.answer import Answer, ChannelOutcome, Freshness, Hit, StageOutcome
    from codeintel_rev.retrieval.fusion import Ranked

ANSWER_SCHEMA = "codeintel_rev.answer/1"


def answer_text(answer: Answer) -> str:
    lines = [line for hit in answer.hits for line in _hit_lines(hit)]
    if not answer.hits:
        lines = [f"nothing found for {answer.query!r}", ""]
    asked = [outcome for outcome in answer.channels if not outcome.expected]
    lines += [_footer(answer.index), "channels: " + "; ".join(map(_channel_text, asked))]
    lines += map(degraded_text, answer.degraded)
    return clean("\n".join(lines) + "\n")


def answer_json(answer: Answer, *, explain: bool = False) -> str:
    """`explain` adds the stages: an answer is small by default."""
    channels = [
        {"channel": o.channel, "status": o.status, "reason": o.reason, "found": len(o.found)}
        | {"seconds": round(o.seconds, 4), "weight": answer.weights.get(o.channel)}
        for o in answer.channels
    ]
    stages = [
        {"stage": o.stage, "status": o.status, "reason": o.reason, "seconds": round(o.seconds, 4)} | dict(o.detail)
        for o in answer.stages
    ]
    return to_json(
        {
            "schema": ANSWER_SCHEMA,
            "query": answer.query,
            "k": answer.k,
            "hits": [_hit_json(hit) for hit in answer.hits],
            "index": asdict(answer.index),
            "query_kind": answer.query_kind,
            "seconds": round(answer.seconds, 4),
            "channels": channels,
            "degraded": [asdict(item) for item in answer.degraded],
            **({"stages": stages} if explain else {}),
        }
    )


def explained_text(answer: Answer) -> str:
    """What each channel and stage did: status, time, weight, and the reason of what did not run."""
    lines = [f"query kind: {answer.query_kind}; {answer.seconds * 1000:.0f} ms in all"]
    for outcome in answer.channels:
        weight = f"weight {answer.weights.get(outcome.channel, 0):g}, {len(outcome.found)} found"
        lines.append(_explained(outcome.channel, outcome, weight))
    for stage in answer.stages:
        detail = ", ".join(f"{name} {value}" for name, value in stage.detail.items())
        lines.append(_explained(stage.stage, stage, detail))
    return clean("\n".join(lines) + "\n")


def _explained(name: str, outcome: ChannelOutcome | StageOutcome, more: str) -> str:
    reason = f": {outcome.reason}" if outcome.reason else ""
    return f"  {name:<14} {outcome.status:<9} {outcome.seconds * 1000:7.1f} ms  {more}{reason}"


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
    parts = [f"indexed commit {index.commit[:12]} ({index.branch or 'detached'}), {age(index.age_seconds)} ago"]
    if index.paths:
        parts.append(f"only {' '.join(index.paths)}")
    if index.head is not None and index.head != index.commit:
        behind = "another history" if index.commits_behind is None else f"{index.commits_behind} commits behind"
        parts.append(f"STALE: HEAD is {index.head[:12]}, {behind}; Mend: codeintel-rev index")
    if index.dirty:
        parts.append(f"{len(index.dirty)} dirty: {some(index.dirty)}")
    return "; ".join(parts)


def _channel_text(outcome: ChannelOutcome) -> str:
    if outcome.status == "ran":
        return f"{outcome.channel} ran ({len(outcome.found)} found, {outcome.seconds * 1000:.0f} ms)"
    return f"{outcome.channel} {outcome.status}"
