"""Texts that every Python has: the documentation of the standard library's functions, by name."""

from __future__ import annotations

import importlib
import inspect

MODULES = ("argparse", "heapq", "json", "shutil", "statistics", "textwrap", "urllib.parse", "zipfile")
QUESTIONS = ("the smallest element of a heap", "decode a document of JSON", "copy a tree of files", "wrap long lines")


def documented() -> dict[str, str]:
    """Return the first paragraph of each public function's documentation, at most 60 of them."""
    said = {}
    for module in map(importlib.import_module, MODULES):
        for name, function in sorted(vars(module).items()):
            if inspect.isfunction(function) and function.__doc__ and not name.startswith("_"):
                said[f"{module.__name__}.{name}"] = inspect.cleandoc(function.__doc__).split("\n\n")[0]
    return dict(list(said.items())[:60])
