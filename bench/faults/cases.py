"""Every case there is, by family."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from .case import Case

FAMILIES: Final = ("faiss", "duckdb", "git", "vllm", "channels", "http_mcp", "process", "clean", "unwatched")


def every() -> list[Case]:
    """Return all cases in the order of their families."""
    return [case for family in FAMILIES for case in import_module(f".{family}_cases", __package__).CASES]


def chosen(names: list[str]) -> list[Case]:
    """Return the cases of these names or families; all when none is named."""
    return [case for case in every() if not names or case.name in names or case.family in names]
