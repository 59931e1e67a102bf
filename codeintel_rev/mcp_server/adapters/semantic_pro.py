"""Search in words with all of its levers, for when the plain one did not find it."""

from __future__ import annotations

from typing import Annotated

from mcp.server.mcpserver import Context
from pydantic import Field

from codeintel_rev.mcp_server.adapters.semantic import Query
from codeintel_rev.mcp_server.envelopes import search_answer
from codeintel_rev.mcp_server.schemas import Channel, SearchAnswer, Weight
from codeintel_rev.service import SearchQuery
from codeintel_rev.serving import Serving


async def semantic_search_pro(
    ctx: Context[Serving],
    query: Query,
    limit: Annotated[int, Field(ge=1, le=200, description="How many hits")] = 10,
    weights: Annotated[
        dict[Channel, Weight] | None,
        Field(description="What each channel counts for; 0 leaves it out"),
    ] = None,
    rerank: Annotated[
        bool | None, Field(description="Let a reranker, where one is configured, judge the best hits again")
    ] = None,
    explain: Annotated[bool, Field(description="Say for each hit who found it, and for each stage its time")] = True,
) -> SearchAnswer:
    """Find code from a description, with control over how the ranking is made and an account of how it was.

    Use it when semantic_search ranks the wrong thing first: {"bm25": 2, "semantic": 0.5} trusts the words,
    {"semantic": 2} the meaning, {"exact": 5} names and paths that the query spells out. `explain` shows per hit the
    rank in each channel, and per stage its time and what it did. The answer is otherwise that of semantic_search.
    """
    serving = ctx.request_context.lifespan_context
    answer = await serving.run(
        serving.service.search, SearchQuery(query, limit, tuple((weights or {}).items()), rerank)
    )
    return search_answer(answer, explain=explain)
