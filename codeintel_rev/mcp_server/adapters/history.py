"""What git knows of a file, and how the index stands to it."""

from __future__ import annotations

from typing import Annotated

import anyio
from mcp.server.mcpserver import Context
from pydantic import Field

from codeintel_rev.io.git_history import MOST_COMMITS
from codeintel_rev.io.repository_files import printable
from codeintel_rev.mcp_server.adapters.files import FilePath
from codeintel_rev.mcp_server.envelopes import blame_answer, history_answer, status_answer
from codeintel_rev.mcp_server.schemas import BlameAnswer, HistoryAnswer, ReindexAnswer, StatusAnswer
from codeintel_rev.serving import Serving

_POLL_SECONDS = 0.2


async def blame_range(
    ctx: Context[Serving],
    path: FilePath,
    start_line: Annotated[int, Field(ge=1)],
    end_line: Annotated[int, Field(ge=1, description="Included; at most 1,000 lines at once")],
) -> BlameAnswer:
    """Say for lines of a file which commit last changed them, who made it, when, and why.

    Use it to learn the reason for a piece of code: neighbouring lines of one commit come as one hunk with the
    commit's summary. Lines that are not committed yet have no commit.
    """
    serving = ctx.request_context.lifespan_context
    return blame_answer(await serving.run(serving.service.blame_range, path, start_line, end_line), printable(path))


async def file_history(
    ctx: Context[Serving],
    path: FilePath,
    limit: Annotated[int, Field(ge=1, le=MOST_COMMITS, description="How many commits")] = 20,
) -> HistoryAnswer:
    """List the commits that changed a file, the newest first, followed over its renames."""
    serving = ctx.request_context.lifespan_context
    return history_answer(await serving.run(serving.service.file_history, path, limit), printable(path))


async def index_status(ctx: Context[Serving]) -> StatusAnswer:
    """Say what is indexed: the commit, how far it is behind, uncommitted files, and whether indexing is going on.

    Use it when answers of semantic_search or find_symbol seem old, and after reindex to see how far it is.
    """
    serving = ctx.request_context.lifespan_context
    return status_answer(*await serving.run(serving.service.index_status))


async def reindex(
    ctx: Context[Serving],
    wait_seconds: Annotated[float, Field(ge=0, le=60, description="Wait for its end, but no longer")] = 0,
) -> ReindexAnswer:
    """Bring the index up to the commit that HEAD names, in the background; only what is new is embedded.

    Use it when `index.stale` is true and the answer matters. Searches are answered from the old index until the new
    one is complete. Uncommitted edits are indexed only where the
    index was made so (--working-tree); search_text and open_file see them always. It is an error when
    indexing is going on already; index_status shows how far it is.
    """
    serving = ctx.request_context.lifespan_context
    started = await serving.run(serving.service.reindex)
    with anyio.move_on_after(wait_seconds):
        while serving.service.reindexing:  # noqa: ASYNC110 - a process has no event to wait for
            await anyio.sleep(_POLL_SECONDS)
    finished = not serving.service.reindexing
    status = status_answer(*await serving.run(serving.service.index_status))
    return ReindexAnswer(started=True, pid=started.pid, finished=finished, status=status)
