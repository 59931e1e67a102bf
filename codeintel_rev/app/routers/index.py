"""/v1/index: how the index stands, and making it anew."""

from __future__ import annotations

from fastapi import APIRouter

from codeintel_rev.app.dependencies import Served
from codeintel_rev.app.problems import documented
from codeintel_rev.mcp_server.envelopes import status_answer
from codeintel_rev.mcp_server.schemas import ReindexAnswer, StatusAnswer

router = APIRouter(tags=["index"])


@router.get("/v1/index", summary="How the index stands", responses=documented())
async def index(served: Served) -> StatusAnswer:
    return status_answer(*await served.run(served.service.index_status))


@router.post("/v1/index", summary="Index HEAD in the background", status_code=202, responses=documented(409, 413))
async def reindex(served: Served) -> ReindexAnswer:
    started = await served.run(served.service.reindex)
    status = status_answer(*await served.run(served.service.index_status))
    return ReindexAnswer(started=True, pid=started.pid, finished=not served.service.reindexing, status=status)
