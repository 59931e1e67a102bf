"""What a command line is called: its program, and of a Python its module or script; never an argument."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Final

from codeintel_obs.redact import clean

_PYTHON: Final = re.compile(r"(python|pypy)[\d.]*t?(\.exe)?\Z")
_WITH_VALUE: Final = frozenset({"-W", "-X", "--check-hash-based-pycs"})
_CAP: Final = 128


def program_of(argv: Sequence[str]) -> str:
    """Return ``uvicorn`` for ``/usr/bin/uvicorn app:app``, ``app.py`` for ``python -u app.py x``, ``python -c`` for code."""
    if not argv:
        return "python"
    name = os.path.basename(argv[0])
    return clean(_of_python(name, argv[1:]) if _PYTHON.match(name) else name, _CAP)


def _of_python(name: str, words: Sequence[str]) -> str:
    skip = False
    for index, word in enumerate(words):
        if skip:
            skip = False
        elif word == "-m":
            return words[index + 1] if index + 1 < len(words) else name
        elif word.startswith("-c"):
            return f"{name} -c"
        elif word in _WITH_VALUE:
            skip = True
        elif not word.startswith("-"):
            return os.path.basename(word)
    return name
