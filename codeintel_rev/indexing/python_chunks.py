"""Python source to spans of lines: every line that is not blank lies in at least one of them."""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

# "class" and "module" are the head of one, with its docstring; "body" is what stands between their definitions
Kind = Literal["function", "method", "class", "module", "body", "lines"]
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

# A definition longer than this is cut: the model reads 256 tokens, and a hit should be a place, not a file.
WHOLE_LINES = 80
CUT_LINES = 60
CUT_OVERLAP = 10


@dataclass(frozen=True, slots=True)
class Span:
    """Lines `start` to `end`, counted from 1, both included."""

    kind: Kind
    name: str
    start: int
    end: int


def python_spans(module: str, lines: list[str]) -> list[Span]:
    """Functions, methods, class headers and what stands between those, in line order.

    Raises what `ast.parse` raises. Functions inside functions stay part of the outer one.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the indexed code's escapes and comparisons are not our user's concern
        tree = ast.parse("\n".join(lines))
    whole = Span("module", module, 1, len(lines))
    return [cut for span in _scope(tree, whole, "", lines) for cut in _cut(span, lines)]


def _scope(node: ast.Module | ast.ClassDef, own: Span, prefix: str, lines: list[str]) -> Iterator[Span]:
    cursor, rest = own.start, own
    for child in _definitions(node):
        first = _first_line(child, cursor, lines)
        yield replace(rest, start=cursor, end=first - 1)
        rest = replace(own, kind="body")
        cursor = (child.end_lineno or first) + 1
        inner = Span(_kind(child, own.kind), prefix + child.name, first, cursor - 1)
        if isinstance(child, ast.ClassDef):
            yield from _scope(child, inner, f"{inner.name}.", lines)
        else:
            yield inner
    yield replace(rest, start=cursor)


def _definitions(node: ast.AST) -> Iterator[Definition]:
    """Definitions of this scope in line order, also those under `if`, `try`, `with`, `for` and `match`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Definition):
            yield child
        elif isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            yield from _definitions(child)


def _first_line(node: Definition, cursor: int, lines: list[str]) -> int:
    """The first decorator, or the comment above; comments that have no statement before them are above too."""
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    between = [line.strip() for line in lines[cursor - 1 : first - 1]]
    if all(not line or line.startswith("#") for line in between):
        return cursor
    while lines[first - 2].lstrip().startswith("#"):
        first -= 1
    return first


def _kind(node: Definition, owner: Kind) -> Kind:
    if isinstance(node, ast.ClassDef):
        return "class"
    return "method" if owner == "class" else "function"


def _cut(span: Span, lines: list[str]) -> Iterator[Span]:
    if span.end - span.start < WHOLE_LINES:
        return windows(span, lines, WHOLE_LINES, 0)
    return windows(span, lines, CUT_LINES, CUT_OVERLAP)


def windows(span: Span, lines: list[str], size: int, overlap: int) -> Iterator[Span]:
    """Cut a span into overlapping windows without blank lines at their ends; nothing for a blank one."""
    for start in range(span.start, span.end + 1, size - overlap):
        end = min(start + size - 1, span.end)
        filled = [number for number in range(start, end + 1) if lines[number - 1].strip()]
        if filled:
            yield replace(span, start=filled[0], end=filled[-1])
        if end == span.end:
            return
