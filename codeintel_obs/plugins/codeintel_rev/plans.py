"""What each tool, route and command is expected to pass: kinds of the application's own, whatever it is configured with."""

from __future__ import annotations

from typing import Final

from codeintel_obs.seams import Plan

SEARCH: Final = (
    "retrieval.search",
    "retrieval.budget",
    "retrieval.gather_channels",
    "retrieval.fuse",
    "retrieval.recency_boost",
    "retrieval.hydrate",
    "retrieval.rerank",
)
BUILD: Final = ("index.build", "index.read", "index.embed", "index.write", "index.publish")
_SERVED_SEARCH: Final = ("service.search", *SEARCH)

TOOLS: Final = {
    "semantic_search": _SERVED_SEARCH,
    "semantic_search_pro": _SERVED_SEARCH,
    "search_text": ("service.search_text",),
    "find_symbol": ("service.find_symbol",),
    "open_file": ("service.open_file",),
    "list_paths": ("service.list_paths",),
    "blame_range": ("service.blame_range",),
    "file_history": ("service.file_history",),
    "index_status": ("service.index_status",),
    "reindex": ("service.reindex", "service.index_status"),
}
ROUTES: Final = {
    "GET /v1/search": _SERVED_SEARCH,
    "POST /v1/search": _SERVED_SEARCH,
    "GET /v1/text": ("service.search_text",),
    "POST /v1/text": ("service.search_text",),
    "GET /v1/symbols": ("service.find_symbol",),
    "GET /v1/files": ("service.list_paths",),
    "GET /v1/files/*": ("service.open_file",),
    "GET /v1/blame": ("service.blame_range",),
    "GET /v1/history": ("service.file_history",),
    "GET /v1/index": ("service.index_status",),
    "POST /v1/index": ("service.reindex", "service.index_status"),
}
COMMANDS: Final = {"command.search": SEARCH, "command.index": BUILD}

PLANS: Final = tuple(Plan(match, kinds) for match, kinds in {**TOOLS, **ROUTES, **COMMANDS}.items())
