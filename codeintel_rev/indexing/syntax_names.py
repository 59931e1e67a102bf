"""What a tree-sitter node is called by who reads the code."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tree_sitter import Node

LONGEST = 200
_DECLARATORS = 20  # `int (*(*f)(int))[3]` nests them; nobody writes more than a few


def name_of(node: Node) -> str:
    """Its parts with dots between them, whatever the language puts there; empty for what has none."""
    made = _SPECIAL.get(node.type, _plain)(node).replace("::", ".").lstrip(".")
    return " ".join(made.split())[:LONGEST]


def _plain(node: Node) -> str:
    return _text(node.child_by_field_name("name")).strip("\"'")


def _text(node: Node | None) -> str:
    return (node.text or b"").decode("utf-8", "replace") if node else ""


def _receiver(node: Node) -> str:
    """Go: `func (s *Server[T]) Serve()` is Server.Serve."""
    name, receiver = _plain(node), _text(node.child_by_field_name("receiver"))
    kind = receiver.strip("() ").split("[")[0].split(" ")[-1].lstrip("*")
    return f"{kind}.{name}" if name and kind else name


def _implemented(node: Node) -> str:
    """Rust: what is implemented for; `impl<T> fmt::Display for Cart<T>` is Cart."""
    return _text(node.child_by_field_name("type")).split("<")[0].lstrip("&")


def _declared(node: Node) -> str:
    """C and C++: the name is at the bottom of pointers, parentheses and parameters."""
    inner: Node | None = node
    for _ in range(_DECLARATORS):
        below = inner.child_by_field_name("declarator") if inner else None
        if below is None and inner and inner.type in ("parenthesized_declarator", "reference_declarator"):
            below = next(iter(inner.named_children), None)
        if below is None:
            break
        inner = below
    return "" if inner is node else _text(inner)


def _left(node: Node) -> str:
    return _text(node.child_by_field_name("left"))


def _key(node: Node) -> str:
    return _text(node.child_by_field_name("key")).strip("\"'")


def _property(node: Node) -> str:
    """JavaScript's grammar calls the name of a field `property`, TypeScript's `name`."""
    return _plain(node) or _text(node.child_by_field_name("property"))


_SPECIAL: dict[str, Callable[[Node], str]] = {
    "method_declaration": _receiver,
    "impl_item": _implemented,
    "function_definition": lambda node: _plain(node) or _declared(node),
    "type_definition": _declared,
    "assignment_expression": _left,
    "pair": _key,
    "field_definition": _property,
}
