"""What endpoints take from the application, and the parameters that several of them share."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query, Request
from pydantic import BeforeValidator

from codeintel_rev.io.globs import LONGEST, MOST_GLOBS
from codeintel_rev.io.repository_files import LONGEST_PATH
from codeintel_rev.serving import Serving


def _whole(value: object) -> object:
    """JSON has one sort of number: 8.0 is a whole one, as in JSON Schema."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]


def serving_of(request: Request) -> Serving:
    found: Serving = request.app.state.serving
    return found


Served = Annotated[Serving, Depends(serving_of)]
Glob = Annotated[str, Query(min_length=1, max_length=LONGEST)]
Globs = Annotated[
    list[Glob],
    Query(max_length=MOST_GLOBS, description="Only these paths, as in .gitignore: *.py, src/**/*.{ts,tsx}, !tests/"),
]
FilePath = Annotated[
    str, Query(min_length=1, max_length=LONGEST_PATH, description="From the repository's root: src/main.py")
]
