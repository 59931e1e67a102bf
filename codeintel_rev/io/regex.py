"""One line-by-line regular expression, in an engine whose time is linear in the text (RE2), whatever the pattern.

What ripgrep's patterns mean, except look-around and back-references, which no linear engine has (nor has ripgrep).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import re2

from codeintel_rev.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

Case = Literal["smart", "sensitive", "ignore"]

LONGEST = 1000
# A pattern's states times the bytes that they are run over is the engine's worst time: measured 12 ns each.
_LARGEST_PROGRAM = 20_000
_STEPS_AT_ONCE = 40_000_000
_ESCAPED = re.compile(r"\\[pP]\{[^}]*\}|\\.", re.DOTALL)  # \W and \pL are no capital letters


class LinePattern:
    """Threads may share one."""

    def __init__(self, pattern: str, *, fixed: bool = False, word: bool = False, case: Case = "smart") -> None:
        """UsageError for a pattern that is empty, too long or too large, or no regular expression."""
        _check(pattern)
        options = re2.Options()
        options.log_errors = False
        options.never_capture = True
        options.never_nl = True
        options.case_sensitive = case == "sensitive" or (case == "smart" and _has_capital(pattern, fixed=fixed))
        body = re2.escape(pattern) if fixed else pattern
        try:
            self._regexp = re2.compile((rf"(?m)\b(?:{body})\b" if word else f"(?m)(?:{body})").encode(), options)
        except re2.error as error:
            raise UsageError(f"{pattern!r} is no regular expression: {_said(error)}", _MEND) from error
        size = max(self._regexp.programsize, self._regexp.reverseprogramsize)
        if size > _LARGEST_PROGRAM:
            raise UsageError(f"{pattern!r} is too large a regular expression", "Mend: shorten its repetitions")
        self._slice = _STEPS_AT_ONCE // max(size, 1)

    def lines(self, text: bytes) -> Iterator[tuple[int, int, int]]:
        """(start of the line, start and end of its first match), once per matching line.

        (-1, start, end) stands for a slice without a match, and (-2, …) for a line that is too long for the
        pattern: who iterates can look at the clock between any two.
        """
        position = 0
        while position < len(text):
            end = self._end_of_slice(text, position)
            if end - position > self._slice:
                yield -2, position, end
            else:
                yield from self._matches(text, position, end)
                yield -1, position, end
            position = end + 1

    def _end_of_slice(self, text: bytes, position: int) -> int:
        """The last line end within a slice's length; the first one beyond when a single line is longer."""
        if len(text) - position <= self._slice:
            return len(text) - text.endswith(b"\n")
        end = text.rfind(b"\n", position, position + self._slice)
        if end < 0:
            end = text.find(b"\n", position)
        return end if end >= 0 else len(text)

    def _matches(self, text: bytes, position: int, end: int) -> Iterator[tuple[int, int, int]]:
        # One search per line that matches: all matches of one long line would take quadratic time.
        while position <= end:
            found = self._regexp.search(text, position, end)
            if found is None:
                return
            start = found.start()
            yield text.rfind(b"\n", 0, start) + 1, start, found.end()
            next_line = text.find(b"\n", found.end(), end)
            if next_line < 0:
                return
            position = next_line + 1


_MEND = "Mend: RE2 syntax, without look-around and back-references; fixed=true takes the text as it is"


def _check(pattern: str) -> None:
    if not pattern:
        raise UsageError("the pattern is empty", "Mend: say what to look for")
    if len(pattern) > LONGEST:
        raise UsageError(f"the pattern has {len(pattern)} characters, at most {LONGEST} are read")
    if "\n" in pattern:
        raise UsageError("the pattern holds a line break, and lines are searched one by one")
    try:
        pattern.encode()
    except UnicodeEncodeError as error:
        raise UsageError("the pattern is not valid text (a lone surrogate)") from error


def _has_capital(pattern: str, *, fixed: bool) -> bool:
    return any(letter.isupper() for letter in (pattern if fixed else _ESCAPED.sub("", pattern)))


def _said(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
