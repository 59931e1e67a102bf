"""Reads the expressions of seams: a small, closed language; there is no eval in it and nothing to call.

``args.query``, ``self.model``, ``result.items[0].score``, ``result["hits"]``, ``item.reason`` are paths. A path may stand in
one of the functions of `codeintel_obs.paths`, which says what the value is, and with it from which content level on it is
kept. A condition is such a value, with ``not`` before it, or compared with a text, a number, ``true``, ``false`` or ``null``.
"""

from __future__ import annotations

import re
from typing import Any, Final

from codeintel_obs.paths import FUNCTIONS, SIGNS, Condition, Path, Value

_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<name>[A-Za-z_]\w*)|(?P<number>-?\d+(?:\.\d+)?)|(?P<text>"[^"]*"|'[^']*')|(?P<sign>==|!=|<=|>=|[.\[\]()<>]))"""
)
_LITERALS: Final[dict[str, Any]] = {"true": True, "false": False, "null": None}


class _Reader:
    """The tokens of one expression. Raises ValueError that says what was expected, and where."""

    def __init__(self, text: str, roots: frozenset[str]) -> None:
        self.text, self.roots, self.at = text, roots, 0
        self.tokens: list[tuple[str, str, int]] = []
        position, end = 0, len(text.rstrip())
        while position < end:
            found = _TOKEN.match(text, position)
            if found is None:
                raise ValueError(f"cannot read {text[position:].strip()!r} in {text!r}")
            self.tokens.append((found.lastgroup or "", found[found.lastgroup or 0], position))
            position = found.end()

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at][:2] if self.at < len(self.tokens) else ("end", "")

    def take(self, kind: str | None = None, word: str | None = None) -> str:
        found_kind, found = self.peek()
        if (kind and found_kind != kind) or (word and found != word):
            raise ValueError(f"expected {word or kind} and found {found or 'the end'} in {self.text!r}")
        self.at += 1
        return found

    def value(self) -> Value:
        name = self.take("name")
        if self.peek() != ("sign", "("):
            return Value(self.path(name))
        if name not in FUNCTIONS:
            raise ValueError(f"no function {name} in {self.text!r}; there are {', '.join(FUNCTIONS)}")
        self.take("sign", "(")
        path = self.path(self.take("name"))
        self.take("sign", ")")
        return Value(path, name)

    def path(self, root: str) -> Path:
        if root not in self.roots:
            raise ValueError(f"{root} begins no path in {self.text!r}; one begins with {', '.join(sorted(self.roots))}")
        steps: list[str | int] = []
        while self.peek() in (("sign", "."), ("sign", "[")):
            steps.append(self.step())
        if root == "args" and not (steps and isinstance(steps[0], str)):
            raise ValueError(f"args needs an argument's name in {self.text!r}, as in args.query")
        return Path(root, tuple(steps))

    def step(self) -> str | int:
        if self.take("sign") == ".":
            return self.take("name")
        kind, _ = self.peek()
        if kind not in ("text", "number"):
            raise ValueError(f"expected a position or a key in quotes after [ in {self.text!r}")
        found = self.take()
        self.take("sign", "]")
        return found[1:-1] if kind == "text" else _position(found, self.text)

    def literal(self) -> Any:
        kind, found = self.peek()
        self.take()
        if kind == "text":
            return found[1:-1]
        if kind == "number":
            return float(found) if "." in found else int(found)
        if found in _LITERALS:
            return _LITERALS[found]
        raise ValueError(f"expected a text in quotes, a number, true, false or null in {self.text!r}")

    def end(self) -> None:
        if self.at < len(self.tokens):
            raise ValueError(f"cannot read {self.text[self.tokens[self.at][2] :].strip()!r} in {self.text!r}")


def _position(found: str, text: str) -> int:
    if "." in found:
        raise ValueError(f"a position is a whole number in {text!r}")
    return int(found)


def parse_value(text: Any, roots: frozenset[str]) -> Value:
    """Return the value that ``text`` names; raises ValueError."""
    reader = _reader(text, roots)
    value = reader.value()
    reader.end()
    return value


def parse_condition(text: Any, roots: frozenset[str]) -> Condition:
    """Return the condition that ``text`` states; raises ValueError."""
    reader = _reader(text, roots)
    negated = reader.peek() == ("name", "not")
    if negated:
        reader.take()
    value = reader.value()
    sign = literal = None
    if reader.peek()[1] in SIGNS:
        sign = reader.take("sign")
        literal = reader.literal()
    reader.end()
    return Condition(value, negated, sign, literal)


def _reader(text: Any, roots: frozenset[str]) -> _Reader:
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"expected an expression such as len(result.items), not {text!r}")
    return _Reader(text, roots)
