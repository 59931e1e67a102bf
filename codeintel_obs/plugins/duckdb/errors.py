"""What DuckDB's exceptions say, and how much of it is the library's own words."""

from __future__ import annotations

import re
from typing import Final

from codeintel_obs.plugins.duckdb.vocabulary import WORDS

_MAX_EXECUTION_TIME: Final = "maximum execution time"
_CAP: Final = 4096
ECHO: Final = "[…]"

# an apostrophe inside a word (can't) opens nothing
_QUOTED: Final = re.compile(r"\"(?:[^\"]|\"\")*(?:\"|\Z)|(?<![A-Za-z])'(?:[^']|'')*(?:'|\Z)|`[^`]*(?:`|\Z)")
_WORD: Final = re.compile(r"^[(\[]?([A-Za-z]+(?:'[a-z]+)?)[)\].,;:!?]*$")


def timed_out(exc: BaseException) -> bool:
    """Whether DuckDB itself interrupted the query after `max_execution_time`; any other interrupt is a failure."""
    return type(exc).__name__ == "InterruptException" and _MAX_EXECUTION_TIME in str(exc)


def message(exc: BaseException) -> str:
    """Return the message of ``exc`` without what it echoes of the statement: literals, names, values, the line itself.

    The library's own words are kept of the lines that name an error; all others quote the statement or propose names.
    """
    text = str(exc)[:_CAP]
    if not _is_duckdb(exc):
        return text
    first, *others = text.split("\n")
    # a pending result of 1.x puts the real error on a line of its own
    return " ".join(_own_words(line) for line in (first, *(line for line in others if line.startswith("Error: "))))


def opening(exc: BaseException) -> str:
    """Return the message of a `duckdb.connect` that failed: whole where it is about the path, which the payload holds
    too; without values where it is about the configuration.
    """
    return str(exc) if type(exc).__name__ == "IOException" else message(exc)


def _own_words(line: str) -> str:
    words = [word if _is_own(word) else ECHO for word in _QUOTED.sub(ECHO, line).split()]
    return " ".join(word for index, word in enumerate(words) if index == 0 or word != ECHO or words[index - 1] != ECHO)


def _is_own(word: str) -> bool:
    found = _WORD.match(word)
    return found is not None and found.group(1).lower() in WORDS


def _is_duckdb(exc: BaseException) -> bool:
    return any(base.__module__ in {"duckdb", "_duckdb"} for base in type(exc).__mro__)
