"""The table: which callables of the application are watched, as which kind, described by what."""

from __future__ import annotations

from typing import Any, Final

from codeintel_obs.plugins.codeintel_rev import describe, service
from codeintel_obs.steps import Point

_SEARCH: Final = "codeintel_rev.io.hybrid_search"
_SERVICE: Final = "codeintel_rev.service"
_BUILD: Final = "codeintel_rev.indexing.build"


def _stage(name: str, kind: str, **described: Any) -> Point:
    """Return a row for a stage of a search, where the search calls it."""
    return Point(module=_SEARCH, name=name, kind=f"retrieval.{kind}", **described)


def _service(name: str, **described: Any) -> Point:
    return Point(module=_SERVICE, name=f"CodeIntel.{name}", kind=f"service.{name}", **described)


def _index(name: str, kind: str, module: str = _BUILD, **described: Any) -> Point:
    return Point(module=module, name=name, kind=f"index.{kind}", **described)


def _command(name: str) -> Point:
    return Point(module=f"codeintel_rev.cli.{name}", name="run", kind=f"command.{name}", after=service.ended_command)


def _looks(module: str, name: str, **declared: Any) -> Point:
    return Point(module=module, name=name, kind=None, **declared)


RETRIEVAL: Final = (
    _stage("HybridSearch.search", "search", before=describe.before_search, after=describe.after_search),
    _stage("budget", "budget", before=describe.before_budget, after=describe.after_budget),
    _stage("gather_channels", "gather_channels", before=describe.before_gather, after=describe.after_gather),
    _stage("channel_outcome", "channel", before=describe.before_channel, after=describe.after_channel),
    _stage("fuse", "fuse", before=describe.before_fuse, after=describe.after_fuse),
    _stage("HybridSearch._boost", "recency_boost", before=describe.before_boost, after=describe.after_boost),
    _stage("hydrate", "hydrate", before=describe.before_hydrate, after=describe.after_hydrate),
    _stage("HybridSearch._rerank", "rerank", before=describe.before_rerank, after=describe.after_rerank),
    _looks(_SEARCH, "_waited_for", after=describe.waited),
    # every exception that a channel or stage raises comes by here before it is an outcome
    _looks("codeintel_rev.io.outcomes", "told", handled_error=describe.turned_into_outcome),
)

SERVICE: Final = (
    _service("search", before=service.asked_search, after=service.answered_search),
    _service("search_text", before=service.asked_text, after=service.answered_text),
    _service("find_symbol", before=service.asked_symbol, after=service.answered_symbol),
    _service("open_file", before=service.asked_of_file("start", "lines"), after=service.answered_lines),
    _service("list_paths", before=service.asked_paths, after=service.answered_paths),
    _service("blame_range", before=service.asked_of_file("start", "end"), after=service.answered_list),
    _service("file_history", before=service.asked_of_file("limit"), after=service.answered_list),
    _service("index_status", after=service.answered_status),
    _service("indexed_commit", after=service.answered_commit),
    _service("reindex", after=service.answered_reindex),
)

INDEX: Final = (
    # each that asks has the function under its own name
    *(
        _index("freshness", "freshness", f"codeintel_rev.{module}", after=service.told_freshness)
        for module in ("service", "retrieval.search", "indexing.status")
    ),
    _index("build_index", "build", before=service.before_build, after=service.after_build),
    _index("read_corpus", "read", after=service.after_read),
    _index(
        "ChunkVectors.embed",
        "embed",
        "codeintel_rev.indexing.vectors",
        before=service.before_embed,
        after=service.after_embed,
    ),
    _index("write_generation", "write", before=service.before_write, after=service.after_write),
    _index("IndexFolder.publish", "publish", "codeintel_rev.io.generations", after=service.after_publish),
    _index("IndexFolder.rollback", "rollback", "codeintel_rev.io.generations", after=service.after_rollback),
)

COMMANDS: Final = tuple(map(_command, ("init", "index", "search", "status", "rollback", "eval", "doctor")))

ERRORS: Final = (
    _looks("codeintel_rev.app.problems", "of_error", after=service.mapped("http_status")),
    _looks("codeintel_rev.mcp_server.error_handling", "tool_error", after=service.mapped("http_status")),
    _looks("codeintel_rev.cli.program", "_told", after=service.mapped("exit_code")),
)

POINTS: Final = (*RETRIEVAL, *SERVICE, *INDEX, *COMMANDS, *ERRORS)
