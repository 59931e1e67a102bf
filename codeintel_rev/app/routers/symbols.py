"""/v1/symbols: where a name is defined."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from codeintel_rev.app.dependencies import Globs, Served
from codeintel_rev.app.problems import documented
from codeintel_rev.io.symbols import LONGEST, MOST_SYMBOLS, SymbolQuery
from codeintel_rev.mcp_server.envelopes import symbol_answer
from codeintel_rev.mcp_server.schemas import SymbolAnswer

router = APIRouter(tags=["symbols"], responses=documented(400, 404, 422))


@router.get("/v1/symbols", summary="Find definitions by name")
async def symbols(
    served: Served,
    name: Annotated[str, Query(min_length=1, max_length=LONGEST)],
    kind: Annotated[str, Query(max_length=50, description="function, method, class, type …; empty: all")] = "",
    globs: Globs = [],  # noqa: B006 - FastAPI copies it
    limit: Annotated[int, Query(ge=1, le=MOST_SYMBOLS)] = 10,
) -> SymbolAnswer:
    query = SymbolQuery(name, kind, tuple(globs), limit)
    return symbol_answer(await served.run(served.service.find_symbol, query))
