"""A comparison of two runs as text: the ends first, then what came, went and changed, each with its proof."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from codeintel_obs.report.render_text import WORDS
from codeintel_obs.report.words import clip, duration, plain, plural
from codeintel_obs.report_model import DiffSide, DurationChange, RunDiff

_LINES: Final = 20


def render(diff: RunDiff, width: int = 100) -> str:
    """Return ``diff`` as lines of at most ``width`` characters; evidence is cited in full."""
    sections = (
        _section("Appeared", (f"{plain(each.path)}  {each.a} -> {each.b}{_cited(each.evidence)}" for each in diff.appeared)),
        _section("Vanished", (f"{plain(each.path)}  {each.a} -> {each.b}{_cited(each.evidence)}" for each in diff.vanished)),
        _section("Ended otherwise", (f"{plain(each.path)}  {_counts(each.a)} -> {_counts(each.b)}{_cited(each.evidence)}"
                                     for each in diff.changed_status)),
        _section("Held other values", (f"{plain(each.path)}  {plain(each.key)}: {_values(each.a)} -> {_values(each.b)}"
                                       f"{_cited(each.evidence)}" for each in diff.changed_payload)),
        _section("Slower", map(_duration, diff.slower)),
        _section("Faster", map(_duration, diff.faster)),
        _section("Noise, not told as a change", map(plain, diff.noise)),
        _section("Warnings", map(plain, diff.warnings)),
    )  # fmt: skip
    head = [_side("A", diff.a, width), _side("B", diff.b, width)]
    told = [section for section in sections if section]
    if diff.same:
        head.append(
            "No difference: the same steps, with the same statuses and payloads, and no duration beyond its noise."
        )
    return "\n\n".join("\n".join(section) for section in [head, *told]) + "\n"


def _side(name: str, side: DiffSide, width: int) -> str:
    stop = ": ".join(plain(each) for each in (side.stopped_because or [])[1:] if each)
    place = f" in {plain(side.stopped_because[0])}" if side.stopped_because and side.stopped_because[0] else ""
    what = f"  {stop}{place}" if stop else ""
    told = f"{name}  {plain(side.run_id)} attempt {side.attempt}  {WORDS[side.outcome]}{what}"
    return clip(f"{told}  {plural(side.steps_total, 'step')}", width)


def _section(head: str, lines: Iterable[str]) -> list[str]:
    told = [f"  {line}" for line in lines]
    rest = [f"  … and {len(told) - _LINES:,} more; --json has them"] if len(told) > _LINES else []
    return [f"{head} ({len(told):,})", *told[:_LINES], *rest] if told else []


def _duration(change: DurationChange) -> str:
    took = f"{duration(change.a_ns)} -> {duration(change.b_ns)}, x {change.ratio:g}"
    return f"{plain(change.path)}  {took}; {change.noise}{_cited(change.evidence)}"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {plain(status)}" for status, count in sorted(counts.items())) or "none"


def _values(values: list[str]) -> str:
    return clip(", ".join(map(plain, values)) or "not there", 60)


def _cited(evidence: list[str]) -> str:
    return f"  [{', '.join(map(plain, evidence))}]" if evidence else ""
