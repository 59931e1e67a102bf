"""The definitions of a file, whatever language named them, cut to spans of lines: every line is in one of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# "class" is whatever has members: class, struct, trait, interface, enum, impl. "type" is a name for one.
# "class" and "module" are the head of one, with its docstring; "body" is what stands between their definitions.
Kind = Literal["function", "method", "class", "type", "macro", "module", "body", "lines"]

# A definition longer than this is cut: the model reads 256 tokens, and a hit should be a place, not a file.
WHOLE_LINES = 80
CUT_LINES = 60
CUT_OVERLAP = 10
LINES_PER_CHUNK = 40
LINES_OVERLAP = 8
# A window ends before it has more; one line that is longer stays whole.
CHARACTERS = 16_000
_CLOSING = re.compile(r"[\W_]*(?:end[\W_]*)*")


@dataclass(frozen=True, slots=True)
class Span:
    """Lines `start` to `end`, counted from 1, both included."""

    kind: Kind
    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Definition:
    """`span` goes from its first decorator to its end; `head` is the line of its name, 0 for a whole file.

    `parts` are the definitions in it that are found by themselves.
    """

    span: Span
    parts: Sequence[Definition] = ()
    head: int = 0


def outlined(
    whole: Span, definitions: Sequence[Definition], lines: list[str], is_note: Callable[[int], bool]
) -> list[Span]:
    """`is_note` tells of a line's number whether it is nothing but comment, or an attribute, of what follows it."""
    spans = _joined(_scope(Definition(whole, definitions), lines, is_note), lines)
    return [cut for span in spans for cut in _cut(span, lines)]


def _joined(spans: Iterator[Span], lines: list[str]) -> list[Span]:
    """What only closes something is no answer by itself: it goes to what stands before it."""
    kept: list[Span] = []
    for span in spans:
        if kept and span.kind == "body" and _CLOSING.fullmatch("\n".join(lines[span.start - 1 : span.end])):
            kept[-1] = replace(kept[-1], end=max(span.end, kept[-1].end))
        else:
            kept.append(span)
    return kept


def _scope(outer: Definition, lines: list[str], is_note: Callable[[int], bool]) -> Iterator[Span]:
    own = outer.span
    cursor, rest = own.start, own
    for part in outer.parts:
        inner = part.span
        if inner.start < cursor or inner.start <= outer.head:
            continue  # it shares a line with another; nobody can be shown one without the other
        first = _first_line(inner.start, cursor, lines, is_note)
        yield replace(rest, start=cursor, end=first - 1)
        rest = replace(own, kind="body")
        cursor = inner.end + 1
        yield from _scope(replace(part, span=replace(inner, start=first)), lines, is_note)
    yield replace(rest, start=cursor, end=own.end)


def _first_line(start: int, cursor: int, lines: list[str], is_note: Callable[[int], bool]) -> int:
    """The comment right above belongs to a definition; so do all that have no statement before them."""
    if all(is_note(number) or not lines[number - 1].strip() for number in range(cursor, start)):
        return cursor
    while is_note(start - 1):
        start -= 1
    return start


def _cut(span: Span, lines: list[str]) -> Iterator[Span]:
    if span.end - span.start < WHOLE_LINES:
        return windows(span, lines, WHOLE_LINES, 0)
    return windows(span, lines, CUT_LINES, CUT_OVERLAP)


def line_spans(name: str, lines: list[str]) -> list[Span]:
    """Overlapping windows, so that what one cuts in two is whole in the next; blank ones are left out."""
    return list(windows(Span("lines", name, 1, len(lines)), lines, LINES_PER_CHUNK, LINES_OVERLAP))


def windows(span: Span, lines: list[str], size: int, overlap: int) -> Iterator[Span]:
    """Cut a span into overlapping windows without blank lines at their ends; nothing for a blank one."""
    start = span.start
    while start <= span.end:
        end = _end(start, min(start + size - 1, span.end), lines)
        filled = [number for number in range(start, end + 1) if lines[number - 1].strip()]
        if filled:
            yield replace(span, start=filled[0], end=filled[-1])
        if end == span.end:
            return
        start = max(end + 1 - overlap, start + 1)


def _end(start: int, end: int, lines: list[str]) -> int:
    characters = 0
    for number in range(start, end + 1):
        characters += len(lines[number - 1])
        if characters > CHARACTERS:
            return max(number - 1, start)
    return end
