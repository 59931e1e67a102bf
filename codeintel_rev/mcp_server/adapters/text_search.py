"""Search by text and by name: what is asked for is known, only its place is not."""

from __future__ import annotations

from typing import Annotated, Literal

from mcp.server.mcpserver import Context
from pydantic import Field

from codeintel_rev.io import regex, symbols, text_search
from codeintel_rev.io.globs import LONGEST as LONGEST_GLOB
from codeintel_rev.io.globs import MOST_GLOBS
from codeintel_rev.mcp_server.envelopes import symbol_answer, text_answer
from codeintel_rev.mcp_server.schemas import SymbolAnswer, TextAnswer
from codeintel_rev.serving import Serving

Glob = Annotated[str, Field(min_length=1, max_length=LONGEST_GLOB)]
Globs = Annotated[
    list[Glob] | None,
    Field(max_length=MOST_GLOBS, description="Only these paths, as in .gitignore: *.py, src/**/*.{ts,tsx}, !tests/"),
]


async def search_text(
    ctx: Context[Serving],
    pattern: Annotated[str, Field(min_length=1, max_length=regex.LONGEST, description="A regular expression (RE2)")],
    fixed: Annotated[bool, Field(description="Take the pattern as plain text")] = False,
    word: Annotated[bool, Field(description="Whole words only")] = False,
    case: Annotated[
        Literal["smart", "sensitive", "ignore"], Field(description="smart: a pattern without capitals matches both")
    ] = "smart",
    globs: Globs = None,
    context: Annotated[int, Field(ge=0, le=text_search.MOST_CONTEXT, description="Lines around each match")] = 0,
    limit: Annotated[int, Field(ge=1, le=text_search.MOST_MATCHES, description="How many matches")] = 50,
) -> TextAnswer:
    """Find every line that matches a regular expression, as ripgrep does, in the files as they are now.

    Use it for exact identifiers, error messages, calls of a function, TODOs. It reads the working tree, uncommitted
    edits included, tracked and untracked files, what .gitignore names left out; never .git or anything outside the
    repository. RE2 syntax: no look-around, no back-references; each line is searched by itself. Matches come by
    path and line; `truncated` says that there may be more: narrow the pattern or the globs.
    """
    serving = ctx.request_context.lifespan_context
    query = text_search.TextQuery(pattern, fixed, word, case, tuple(globs or ()), context, limit)
    return text_answer(await serving.run(serving.service.search_text, query))


async def find_symbol(
    ctx: Context[Serving],
    name: Annotated[str, Field(min_length=1, max_length=symbols.LONGEST, description="Session.send, send, or a part")],
    kind: Annotated[str, Field(max_length=50, description="function, method, class, type …; empty: all")] = "",
    globs: Globs = None,
    limit: Annotated[int, Field(ge=1, le=symbols.MOST_SYMBOLS, description="How many definitions")] = 10,
) -> SymbolAnswer:
    """Find where a function, method, class or type is defined, by its name or a part of it.

    Exact names come first, then members (`send` finds `Session.send`), then names that begin with it or contain it;
    `match` says which. Each has path, lines and the line that names it. It answers from the indexed commit; for
    callers and other uses of the name use search_text with word=true.
    """
    serving = ctx.request_context.lifespan_context
    query = symbols.SymbolQuery(name, kind, tuple(globs or ()), limit)
    return symbol_answer(await serving.run(serving.service.find_symbol, query))
