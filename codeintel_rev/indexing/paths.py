"""`--paths`: patterns as in .gitignore, because everybody knows those."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_TOKEN = re.compile(r"\*\*/|\*\*|\*|\?|\[!?\]?[^\]/]*\]|.", re.DOTALL)
_WILD = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def matcher(patterns: Sequence[str]) -> re.Pattern[str]:
    """Matches (with `fullmatch`) the paths that one of the patterns names; no pattern names all paths.

    A pattern with a slash is taken from the root, one without at any depth; a folder stands for all below it.
    """
    if not patterns:
        return re.compile(".*", re.DOTALL)
    return re.compile("|".join(f"(?:{_expression(pattern)})" for pattern in patterns), re.DOTALL)


def _expression(pattern: str) -> str:
    rooted = pattern.removeprefix("./")
    body = "".join(map(_part, _TOKEN.findall(rooted.strip("/"))))
    anywhere = "" if "/" in pattern else "(?:.*/)?"
    return f"{anywhere}{body}(?:/.*)?"


def _part(token: str) -> str:
    if token in _WILD:
        return _WILD[token]
    if len(token) > 1:  # a class of characters
        inner = token[1:-1].replace("\\", "\\\\").replace("[", "\\[")
        return f"[^{inner[1:]}]" if inner.startswith("!") else f"[{inner}]"
    return re.escape(token)
