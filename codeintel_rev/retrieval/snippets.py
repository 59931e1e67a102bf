"""The few lines of a chunk that speak most of the query."""

from __future__ import annotations

from codeintel_rev.retrieval.terms import terms

SNIPPET_LINES = 4
_LINE_WIDTH = 160


def snippet(text: str, wanted: frozenset[str]) -> tuple[int, str]:
    """Offset of the first line (from 0) and the lines; a chunk that shares no word gives its first lines."""
    lines = [line[:_LINE_WIDTH] for line in text.split("\n")]
    matches = [len(wanted.intersection(terms(line))) for line in lines]
    starts = range(max(1, len(lines) - SNIPPET_LINES + 1))
    best = max(starts, key=lambda start: (sum(matches[start : start + SNIPPET_LINES]), -start))
    return best, "\n".join(lines[best : best + SNIPPET_LINES])
