"""/v1/search: code from a description of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from codeintel_rev.app.dependencies import Served, Whole
from codeintel_rev.app.problems import documented
from codeintel_rev.mcp_server.envelopes import search_answer
from codeintel_rev.mcp_server.schemas import Channel, SearchAnswer, Weight
from codeintel_rev.retrieval.search import LONGEST_QUERY
from codeintel_rev.service import SearchQuery

router = APIRouter(tags=["search"], responses=documented(400, 404, 413, 422))


class SearchBody(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    query: str = Field(min_length=1, max_length=LONGEST_QUERY)
    limit: Whole = Field(8, ge=1, le=200)
    weights: dict[Channel, Weight] | None = Field(
        default=None, description="What each channel counts for; 0 leaves it out"
    )
    rerank: bool | None = Field(default=None, description="None: as the settings say")
    explain: bool = False


@router.post("/v1/search", summary="Search with all options")
async def search(body: SearchBody, served: Served) -> SearchAnswer:
    query = SearchQuery(body.query, body.limit, tuple((body.weights or {}).items()), body.rerank)
    return search_answer(await served.run(served.service.search, query), explain=body.explain)


@router.get("/v1/search", summary="Search")
async def search_simply(
    served: Served,
    q: Annotated[str, Query(min_length=1, max_length=LONGEST_QUERY)],
    limit: Annotated[int, Query(ge=1, le=200)] = 8,
) -> SearchAnswer:
    return search_answer(await served.run(served.service.search, SearchQuery(q, limit)))
