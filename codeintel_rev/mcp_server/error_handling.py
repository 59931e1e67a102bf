"""Failures as MCP wants them: a result with `isError`, in words that a model can act on.

What was foreseen keeps its words and its mend; what was not is logged with its traceback, and the model only learns
that the tool failed (both by the SDK, which treats a ToolError as foreseen).
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from mcp.server.mcpserver.exceptions import ToolError

from codeintel_rev.errors import RevError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

P = ParamSpec("P")
T = TypeVar("T")


def told_as_error(tool: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """The tool under its own name and signature, whose RevError becomes a ToolError."""

    @functools.wraps(tool)
    async def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await tool(*args, **kwargs)
        except RevError as error:
            raise tool_error(error) from error

    return guarded


def tool_error(error: RevError) -> ToolError:
    """What a model reads of an error of the service."""
    return ToolError(str(error))
