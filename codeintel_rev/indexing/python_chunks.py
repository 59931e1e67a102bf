"""Python's definitions, by its own syntax tree."""

from __future__ import annotations

import ast
import warnings
from typing import TYPE_CHECKING

from codeintel_rev.indexing.outline import Definition, Kind, Span, outlined

if TYPE_CHECKING:
    from collections.abc import Iterator

SUFFIXES = (".py", ".pyi", ".pyw")
_Node = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def python_spans(module: str, lines: list[str]) -> list[Span]:
    """Functions, methods, class headers and what stands between those, in line order.

    Raises what `ast.parse` raises. Functions inside functions stay part of the outer one.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the indexed code's escapes and comparisons are not our user's concern
        tree = ast.parse("\n".join(lines))
    whole = Span("module", module, 1, len(lines))
    found = [_definition(node, "", "function") for node in _definitions(tree)]
    return outlined(whole, found, lines, lambda number: lines[number - 1].lstrip().startswith("#"))


def _definition(node: _Node, prefix: str, kind: Kind) -> Definition:
    name = f"{prefix}{node.name}"
    start = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    end = node.end_lineno or start
    if not isinstance(node, ast.ClassDef):
        return Definition(Span(kind, name, start, end))
    parts = [_definition(part, f"{name}.", "method") for part in _definitions(node)]
    return Definition(Span("class", name, start, end), parts, head=node.lineno)


def _definitions(node: ast.AST) -> Iterator[_Node]:
    """Definitions of this scope in line order, also those under `if`, `try`, `with`, `for` and `match`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _Node):
            yield child
        elif isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            yield from _definitions(child)
