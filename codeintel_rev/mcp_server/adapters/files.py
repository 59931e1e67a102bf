"""Files as they lie in the working tree."""

from __future__ import annotations

from typing import Annotated

from mcp.server.mcpserver import Context
from pydantic import Field

from codeintel_rev.io.repository_files import LONGEST_PATH
from codeintel_rev.mcp_server.adapters.text_search import Globs
from codeintel_rev.mcp_server.envelopes import file_answer, paths_answer
from codeintel_rev.mcp_server.schemas import FileAnswer, PathsAnswer
from codeintel_rev.service import MOST_FILE_LINES, MOST_PATHS
from codeintel_rev.serving import Serving

FilePath = Annotated[
    str, Field(min_length=1, max_length=LONGEST_PATH, description="From the repository's root: src/main.py")
]


async def open_file(
    ctx: Context[Serving],
    path: FilePath,
    start_line: Annotated[int, Field(ge=1, description="Lines count from 1")] = 1,
    lines: Annotated[int, Field(ge=1, le=MOST_FILE_LINES, description="How many lines at most")] = 200,
) -> FileAnswer:
    """Read lines of one text file of the repository, as it is now on disk.

    Use it after a search, with the path and line numbers of a hit. `next_line` says where to go on when there is
    more. Symbolic links, binary files, .git and everything outside the repository are refused.
    """
    serving = ctx.request_context.lifespan_context
    return file_answer(await serving.run(serving.service.open_file, path, start_line, lines))


async def list_paths(
    ctx: Context[Serving],
    globs: Globs = None,
    limit: Annotated[int, Field(ge=1, le=MOST_PATHS, description="How many paths")] = 200,
    offset: Annotated[int, Field(ge=0, description="next_offset of the answer before")] = 0,
) -> PathsAnswer:
    """List the repository's files by path: tracked ones, and untracked ones that no .gitignore names.

    Use it to learn the layout, or to find a file by a part of its name: ["**/*retry*"]. `total` counts all that
    match, `next_offset` says where to go on.
    """
    serving = ctx.request_context.lifespan_context
    return paths_answer(await serving.run(serving.service.list_paths, tuple(globs or ()), limit, offset), offset)
