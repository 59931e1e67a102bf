"""Search in words: the tool to begin with."""

from __future__ import annotations

from typing import Annotated

from mcp.server.mcpserver import Context
from pydantic import Field

from codeintel_rev.mcp_server.envelopes import search_answer
from codeintel_rev.mcp_server.schemas import SearchAnswer
from codeintel_rev.retrieval.search import LONGEST_QUERY
from codeintel_rev.service import SearchQuery
from codeintel_rev.serving import Serving

Query = Annotated[
    str,
    Field(min_length=1, max_length=LONGEST_QUERY, description="A sentence, words, an identifier, or a part of a path"),
]


async def semantic_search(
    ctx: Context[Serving],
    query: Query,
    limit: Annotated[int, Field(ge=1, le=50, description="How many hits")] = 8,
) -> SearchAnswer:
    """Find the code that does something, from a description of it in plain words.

    Use it first when you know what the code does but not what it is called or where it lies: "where are retries
    counted", "parse the config file". Identifiers work too. Hits are functions, classes or stretches of lines with
    path and line numbers, best first; `snippet` is a few lines of each: read more with open_file. It answers from
    the indexed commit: `index.stale`, `index.dirty_files` and `changed` on a hit say what has moved on since, and
    `degraded` what did not run. For an exact text or a regular expression use search_text (always up to date), for
    a definition whose name you know find_symbol.
    """
    serving = ctx.request_context.lifespan_context
    return search_answer(await serving.run(serving.service.search, SearchQuery(query, limit)))
