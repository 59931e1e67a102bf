"""/v1/blame and /v1/history: what git knows of a file."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from codeintel_rev.app.dependencies import FilePath, Served
from codeintel_rev.app.problems import documented
from codeintel_rev.io.git_history import MOST_COMMITS, MOST_LINES
from codeintel_rev.io.repository_files import printable
from codeintel_rev.mcp_server.envelopes import blame_answer, history_answer
from codeintel_rev.mcp_server.schemas import BlameAnswer, HistoryAnswer

router = APIRouter(tags=["history"], responses=documented(400, 404, 422))


@router.get("/v1/blame", summary="Who last changed these lines")
async def blame(
    served: Served,
    path: FilePath,
    start: Annotated[int, Query(ge=1, le=2**31 - 1)] = 1,
    lines: Annotated[int, Query(ge=1, le=MOST_LINES)] = 100,
) -> BlameAnswer:
    return blame_answer(await served.run(served.service.blame_range, path, start, start + lines - 1), printable(path))


@router.get("/v1/history", summary="Commits that changed a file")
async def history(
    served: Served,
    path: FilePath,
    limit: Annotated[int, Query(ge=1, le=MOST_COMMITS)] = 20,
) -> HistoryAnswer:
    return history_answer(await served.run(served.service.file_history, path, limit), printable(path))
