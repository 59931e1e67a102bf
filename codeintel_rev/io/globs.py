"""Patterns of paths as everybody writes them, in an engine that no pattern can make slow."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import re2

from codeintel_rev.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST, MOST_GLOBS = 200, 50
_TOKEN = re.compile(r"\*\*/|\*\*|\*|\?|\{[^{}/]*\}|\[!?\]?[^\]/]*\]|.", re.DOTALL)
_WILD = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


class PathFilter:
    """All of no patterns; else what one matches and none that begins with `!` does."""

    def __init__(self, patterns: Sequence[str]) -> None:
        """As in .gitignore, and with {a,b}; UsageError for a pattern that means nothing."""
        if len(patterns) > MOST_GLOBS:
            raise UsageError(f"{len(patterns)} patterns of paths were given, at most {MOST_GLOBS} are read")
        self._wanted = _compiled([pattern for pattern in patterns if not pattern.startswith("!")])
        self._refused = _compiled([pattern[1:] for pattern in patterns if pattern.startswith("!")])

    def __call__(self, path: str) -> bool:
        # undecodable names hold lone surrogates, which cannot be encoded strictly
        name = path.encode("utf-8", "surrogateescape")
        if self._refused is not None and self._refused.fullmatch(name):
            return False
        return self._wanted is None or bool(self._wanted.fullmatch(name))


def _compiled(patterns: list[str]) -> Any:
    if not patterns:
        return None
    options = re2.Options()
    options.log_errors = False
    options.dot_nl = True
    try:
        return re2.compile("|".join(f"(?:{_expression(pattern)})" for pattern in patterns), options)
    except (re2.error, UnicodeEncodeError) as error:
        what = f"{', '.join(map(ascii, patterns))} cannot be read as a pattern of paths: {_said(error)}"
        raise UsageError(what, "Mend: as in .gitignore: *.py, src/**/*.ts, !tests/") from error


def _expression(pattern: str) -> str:
    """With a slash it is taken from the root, without at any depth; a folder stands for all below it."""
    if len(pattern) > LONGEST:
        raise UsageError(f"a pattern of paths has {len(pattern)} characters, at most {LONGEST} are read")
    rooted = pattern.removeprefix("./").rstrip("/")
    anywhere = "" if "/" in pattern.rstrip("/") else "(?:.*/)?"
    body = "".join(map(_part, _TOKEN.findall(rooted.strip("/"))))
    return f"{anywhere}{body}(?:/.*)?"


def _part(token: str) -> str:
    if token in _WILD:
        return _WILD[token]
    if len(token) > 1 and token.startswith("{"):
        choices = ("".join(map(_part, _TOKEN.findall(choice))) for choice in token[1:-1].split(","))
        return f"(?:{'|'.join(choices)})"
    if len(token) > 1:  # a class of characters
        inner = token[1:-1].replace("\\", "\\\\").replace("[", "\\[")
        return f"[^/{inner[1:]}]" if inner.startswith("!") else f"[{inner}]"
    return re2.escape(token) if token.isascii() else token


def _said(error: Exception) -> str:
    if isinstance(error, UnicodeError):
        return "it is not valid text"
    return error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error)
