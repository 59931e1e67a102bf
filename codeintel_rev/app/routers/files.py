"""/v1/files: what there is, and what is in it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from codeintel_rev.app.dependencies import Globs, Served
from codeintel_rev.app.problems import documented
from codeintel_rev.io.repository_files import LONGEST_PATH
from codeintel_rev.mcp_server.envelopes import file_answer, paths_answer
from codeintel_rev.mcp_server.schemas import FileAnswer, PathsAnswer
from codeintel_rev.service import MOST_FILE_LINES, MOST_PATHS

router = APIRouter(tags=["files"], responses=documented(400, 404, 422))

_LAST = 2**31 - 1


@router.get("/v1/files", summary="List files")
async def files(
    served: Served,
    globs: Globs = [],  # noqa: B006 - FastAPI copies it
    limit: Annotated[int, Query(ge=1, le=MOST_PATHS)] = 200,
    offset: Annotated[int, Query(ge=0, le=_LAST)] = 0,
) -> PathsAnswer:
    return paths_answer(await served.run(served.service.list_paths, tuple(globs), limit, offset), offset)


@router.get("/v1/files/{path:path}", summary="Read lines of a file")
async def file(
    served: Served,
    path: Annotated[str, Path(min_length=1, max_length=LONGEST_PATH, description="From the root: src/main.py")],
    start: Annotated[int, Query(ge=1, le=_LAST)] = 1,
    lines: Annotated[int, Query(ge=1, le=MOST_FILE_LINES)] = 200,
) -> FileAnswer:
    return file_answer(await served.run(served.service.open_file, path, start, lines))
