"""Definitions of a file by its tree-sitter grammar: what cannot be parsed there costs one definition, not the file."""

from __future__ import annotations

import importlib
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from codeintel_rev.indexing.outline import Definition, Span, outlined
from codeintel_rev.indexing.syntax_names import name_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Language, Node

    from codeintel_rev.indexing.grammars import Grammar
    from codeintel_rev.indexing.outline import Kind

_DEEPEST = 40  # a file nested deeper than any person nests must not exhaust the stack
_FUNCTIONS = frozenset({"arrow_function", "function_expression", "generator_function", "class"})


def syntax_spans(module: str, lines: list[str], grammar: Grammar) -> list[Span]:
    """ImportError when the grammar is not installed; ValueError when nothing of the file is of that language."""
    from tree_sitter import Parser

    source = "\n".join(lines).encode("utf-8", "replace")
    root = Parser(_language(grammar.module, grammar.entry)).parse(source).root_node
    if root.type == "ERROR":
        raise ValueError(f"no {grammar.module}")
    walk = _Walk(grammar, lines)
    whole = Span("module", module, 1, len(lines))
    return outlined(whole, list(walk.definitions(root, "", "function", 0)), lines, walk.notes.__contains__)


@cache
def _language(module: str, entry: str) -> Language:
    from tree_sitter import Language

    return Language(getattr(importlib.import_module(module), entry)())


class _Walk:
    """One way through one tree; `notes` are the numbers of the lines that are nothing but comment or attribute."""

    def __init__(self, grammar: Grammar, lines: list[str]) -> None:
        self._grammar = grammar
        self._lines = lines
        self.notes: set[int] = set()

    def definitions(self, node: Node, prefix: str, kind: Kind, depth: int) -> Iterator[Definition]:
        """In line order. `kind` is what a function is here: a method when a class is around it."""
        if depth > _DEEPEST:
            return
        for child in node.named_children:
            if child.type in self._grammar.notes:
                self._note(child)
            elif self._defines(child) and (name := name_of(child)):
                yield self._definition(child, name, prefix, kind, depth)
            elif child.type in self._grammar.wraps:
                yield from self._wrapped(child, prefix, kind, depth)
            elif self._holds(child):
                yield from self.definitions(child, prefix, kind, depth + 1)

    def _defines(self, node: Node) -> bool:
        needed = self._grammar.needs.get(node.type)
        if needed and node.child_by_field_name(needed) is None:
            return False
        if value := self._grammar.if_function.get(node.type):
            found = node.child_by_field_name(value)
            return found is not None and found.type in _FUNCTIONS
        return node.type in self._grammar.defines

    def _holds(self, node: Node) -> bool:
        """Also what would be a definition if it had a name, or a function as its value."""
        return node.type in self._grammar.holds or node.type in self._grammar.if_function

    def _definition(self, node: Node, short: str, prefix: str, kind: Kind, depth: int) -> Definition:
        own, name = self._grammar.defines[node.type], short if short.startswith(prefix) else f"{prefix}{short}"
        start, end = _lines_of(node)
        parts: list[Definition] = []
        if node.type in self._grammar.opens:
            inner: Kind = "method" if own == "class" else "function"
            for note in (child for child in node.named_children if child.type in self._grammar.notes):
                self._note(note)  # Ruby's grammar puts the first comment before the body
            body = node.child_by_field_name("body") or node
            parts = list(self.definitions(body, f"{name}.", inner, depth + 1))
        return Definition(Span(self._kind(node, short, own, kind), name, start, end), parts, head=_head(node))

    def _kind(self, node: Node, name: str, own: Kind, around: Kind) -> Kind:
        if own == "type" and (of := node.child_by_field_name("type")) and of.child_by_field_name("body"):
            return "class"  # typedef struct { … } point
        if own != "function" or node.type == "pair":
            return own
        # C++ defines methods outside their class, by a qualified name: void Cart::add() { … }
        outside = node.type == "function_definition" and "." in name
        return "method" if around == "method" or outside else own

    def _wrapped(self, node: Node, prefix: str, kind: Kind, depth: int) -> Iterator[Definition]:
        found = list(self.definitions(node, prefix, kind, depth + 1))
        start, end = _lines_of(node)
        if len(found) == 1 and not any(self._holds(child) for child in node.named_children if not self._defines(child)):
            inner = found[0]
            yield replace(inner, span=replace(inner.span, start=start, end=max(end, inner.span.end)))
        else:
            yield from found

    def _note(self, node: Node) -> None:
        start, end = _lines_of(node)
        if not self._lines[start - 1].encode()[: node.start_point.column].strip():
            self.notes.update(range(start, end + 1))


def _lines_of(node: Node) -> tuple[int, int]:
    """A node that ends with its line's end is said to end in column 0 of the next one."""
    end = node.end_point.row + (node.end_point.column > 0)
    return node.start_point.row + 1, max(end, node.start_point.row + 1)


def _head(node: Node) -> int:
    named = node.child_by_field_name("name") or node.child_by_field_name("type") or node
    return named.start_point.row + 1
