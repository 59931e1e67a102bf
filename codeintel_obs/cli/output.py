"""How commands print: JSON, tables, and quietly when the reader of a pipe has gone."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence
from typing import Any


def write(text: str) -> None:
    """Print ``text``; a reader that closed its end of the pipe wants no more, which is no error."""
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        # the interpreter flushes once more at its end; nothing may be left to complain about then
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def write_json(value: Any) -> None:
    """Print ``value``, made of plain types, as indented JSON."""
    write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def width() -> int:
    """Return how many characters fit into a line of the terminal, or 100 where there is none."""
    return shutil.get_terminal_size((100, 24)).columns


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Return rows as aligned columns under their heads; the last column is not padded."""
    lines = [list(head), *([str(cell) for cell in row] for row in body)]
    sizes = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "".join(
        "  ".join(cell.ljust(size) for cell, size in zip(line, sizes, strict=True)).rstrip() + "\n" for line in lines
    )
