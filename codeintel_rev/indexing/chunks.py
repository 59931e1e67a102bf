"""What is found by a search: a stretch of one file, with a name a reader would give it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal

from codeintel_rev.indexing.python_chunks import Span, python_spans, windows

if TYPE_CHECKING:
    from codeintel_rev.indexing.python_chunks import Kind

CHUNKER_VERSION = 1
LINES_PER_CHUNK = 40
LINES_OVERLAP = 8
_PYTHON = (".py", ".pyi")

Parser = Literal["ast", "lines", "unparsed"]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Lines count from 1 and include both ends; `blob` is git's hash of the file that they are in."""

    path: str
    blob: str
    start_line: int
    end_line: int
    kind: Kind
    name: str
    text: str

    @property
    def embedded_text(self) -> str:
        """What the vector is made of. The path is left out, so a renamed file keeps its vectors.

        So is the name of what a body belongs to: a stray line would else be found before the definition.
        """
        return self.text if self.kind == "body" else f"{self.name}\n{self.text}"

    def key(self, model: str) -> bytes:
        """32 bytes that change with the text or the model and with nothing else."""
        return hashlib.sha256(f"{model}\0{self.embedded_text}".encode()).digest()


def chunk_file(path: str, blob: str, text: str) -> tuple[list[Chunk], Parser]:
    """Python by its syntax tree, everything else (and Python that does not parse: `unparsed`) by lines."""
    lines = text.replace("\r\n", "\n").split("\n")
    spans, parser = _spans(PurePosixPath(path), lines)
    chunks = [
        Chunk(
            path,
            blob,
            span.start,
            span.end,
            span.kind,
            span.name,
            "\n".join(lines[span.start - 1 : span.end]),
        )
        for span in spans
    ]
    return chunks, parser


def _spans(path: PurePosixPath, lines: list[str]) -> tuple[list[Span], Parser]:
    if path.suffix not in _PYTHON:
        return line_spans(path.name, lines), "lines"
    try:
        return python_spans(path.stem, lines), "ast"
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # all four are what ast.parse raises
        return line_spans(path.name, lines), "unparsed"


def line_spans(name: str, lines: list[str]) -> list[Span]:
    """Overlapping windows, so that what one cuts in two is whole in the next; blank ones are left out."""
    return list(windows(Span("lines", name, 1, len(lines)), lines, LINES_PER_CHUNK, LINES_OVERLAP))
