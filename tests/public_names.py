"""What is public in an installed package, read from its source; shared by the tests of completeness."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def public_names(*packages: str) -> set[str]:
    """Return ``module:name`` of each public function and method of the public modules, ``__call__`` among them."""
    return {f"{module}:{name}" for package in packages for module, tree in _modules(package) for name in _names(tree)}


def _modules(package: str) -> Iterator[tuple[str, ast.Module]]:
    spec = importlib.util.find_spec(package)
    assert spec is not None, f"{package} is not installed"
    assert spec.origin is not None
    root = Path(spec.origin).parent
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if not any(part.startswith("_") for part in name.split(".")):
            yield name, ast.parse(path.read_text(encoding="utf-8"))


def _names(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            methods = [each.name for each in node.body if isinstance(each, FUNCTIONS)]
            yield from (f"{node.name}.{name}" for name in methods if name == "__call__" or not name.startswith("_"))
        elif isinstance(node, FUNCTIONS) and not node.name.startswith("_"):
            yield node.name


def classified(plugin: Any, names: set[str]) -> dict[str, list[str]]:
    """Return of each name what the plugin's table says of it: ``point``, and each pattern that excludes it."""
    points = {f"{point.module}:{point.name}" for point in plugin.points}
    found = {}
    for name in names:
        patterns = [pattern for pattern in plugin.exclusions if fnmatchcase(name, pattern)]
        found[name] = ["point"] * (name in points) + patterns
    return found
