"""How many tokens a text may cost a language model, estimated from above and without a tokenizer."""

from __future__ import annotations

import re
from typing import Final

_PARTS: Final = re.compile(r" ?[A-Za-z]+|[\x00-\x7f]|[^\x00-\x7f]")
_LETTERS: Final = 3

ESTIMATOR: Final = (
    "one token for each 3 letters of an ASCII word, for each other ASCII character (a space before a word is free) "
    "and for each UTF-8 byte of all others"
)
"""More than the byte-pair tokenizers in use make of prose, code, hexadecimal ids and paths; a sum over lines."""


def tokens(text: str) -> int:
    """Return the estimate for ``text``; of several lines it is the sum of each with its newline."""
    return sum(map(_cost, _PARTS.findall(text)))


def _cost(part: str) -> int:
    if part.isascii():
        return max(1, -(-len(part.lstrip(" ")) // _LETTERS))
    return len(part.encode("utf-8", "surrogatepass"))


def fitted(text: str, most: int) -> str:
    """Return ``text``, or its longest beginning with ``…`` that costs at most ``most``."""
    if tokens(text) <= most:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if tokens(f"{text[:middle]}…") <= most else (low, middle - 1)
    return f"{text[:low]}…"
