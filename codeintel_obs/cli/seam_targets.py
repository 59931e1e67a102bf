"""Looks a seam's target up in the source, without importing anything: an application's import may do anything."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Final

Function = ast.FunctionDef | ast.AsyncFunctionDef
_FOLLOWED: Final = 8  # imports from one module to the next


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of a target: its parameters, or why it is ``missing``, or why the source does not tell."""

    where: str | None = None
    parameters: tuple[str, ...] = ()
    open_ended: bool = False
    missing: str | None = None
    unknown: str | None = None
    is_class: bool = False


def look_up(module: str, name: str, path: Sequence[str], left: int = _FOLLOWED) -> Found:
    """Return what the source says of ``module:name``, searched for along ``path`` as an import would."""
    file = _source(module, path)
    if file is None:
        return Found(missing=f"no module {module} along sys.path")
    if file.suffix != ".py" or left == 0:
        return Found(unknown=f"{file} is no Python source" if left else "imported from module to module")
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError) as exc:
        return Found(unknown=f"{file} cannot be read: {exc}")
    return _within(tree.body, name.split("."), module, path, left, str(file))


def _source(module: str, path: Sequence[str]) -> Path | None:
    """Return the file of ``module``; a package's by its ``__init__``. Its parents are not imported for it."""
    if module in sys.builtin_module_names:
        return Path(f"<built-in {module}>")
    folders: Sequence[str] | None = path
    found = None
    parts = module.split(".")
    for end in range(1, len(parts) + 1):
        found = PathFinder.find_spec(".".join(parts[:end]), list(folders) if folders is not None else [])
        if found is None:
            return None
        folders = found.submodule_search_locations
    return Path(found.origin) if found is not None and found.origin else None


def _within(
    body: Sequence[ast.stmt], names: list[str], module: str, path: Sequence[str], left: int, where: str
) -> Found:
    statements = list(_flat(body))
    first, rest = names[0], names[1:]
    for each in statements:
        if isinstance(each, ast.ClassDef) and each.name == first:
            return _in_class(each, rest, statements, module, path, left, where)
        if isinstance(each, Function) and each.name == first and not rest:
            return _of(each, where, bound=False)
        if isinstance(each, ast.ImportFrom) and (told := _taken_over(each, names, module)):
            return look_up(*told, path, left - 1)
        if _assigns(each, first):
            return Found(where=where, unknown=f"{first} is assigned in {where}")
    if any(isinstance(each, ast.ImportFrom) and each.names[0].name == "*" for each in statements):
        return Found(unknown=f"{where} imports * from elsewhere")
    if any(getattr(each, "name", None) == "__getattr__" for each in statements):
        return Found(unknown=f"{where} answers for names of its own making")
    return Found(missing=_missing(first, where, statements))


def _in_class(
    found: ast.ClassDef,
    names: list[str],
    around: Sequence[ast.stmt],
    module: str,
    path: Sequence[str],
    left: int,
    where: str,
) -> Found:
    if not names:
        return Found(where=where, is_class=True)
    inside, here = list(_flat(found.body)), f"class {found.name} in {where}"
    for each in inside:
        if isinstance(each, Function) and [each.name] == names:
            return _of(each, where, bound=not _is_static(each))
        if isinstance(each, ast.ClassDef) and each.name == names[0]:
            return _in_class(each, names[1:], around, module, path, left, where)
        if _assigns(each, names[0]):
            return Found(where=where, unknown=f"{names[0]} is assigned in {found.name}")
    if found.bases and left:
        base = found.bases[0]
        if len(found.bases) == 1 and isinstance(base, ast.Name):
            inherited = _within(around, [base.id, *names], module, path, left - 1, where)
            return inherited if inherited.missing is None else Found(missing=_missing(names[0], here, inside))
        return Found(unknown=f"{names[0]} may be inherited by {found.name}")
    return Found(missing=_missing(names[0], here, inside))


def _of(found: Function, where: str, *, bound: bool) -> Found:
    given = found.args
    names = [each.arg for each in (*given.posonlyargs, *given.args)][bound:] + [each.arg for each in given.kwonlyargs]
    return Found(where, tuple(names), given.kwarg is not None)


def _taken_over(found: ast.ImportFrom, names: list[str], module: str) -> tuple[str, str] | None:
    """Return the module and name that ``from … import`` gives the first of ``names``, if this statement does."""
    for each in found.names:
        if (each.asname or each.name) == names[0]:
            package = module.split(".")[: -found.level] if found.level else []
            source = ".".join([*package, *([found.module] if found.module else [])])
            return source, ".".join([each.name, *names[1:]])
    return None


def _flat(body: Iterable[ast.stmt]) -> Iterable[ast.stmt]:
    """Yield the statements of ``body`` and those under its ifs, tries and withs."""
    for each in body:
        yield each
        if isinstance(each, (ast.If, ast.Try, ast.With)):
            for part in ("body", "orelse", "finalbody"):
                yield from _flat(getattr(each, part, []))
            for handler in getattr(each, "handlers", []):
                yield from _flat(handler.body)


def _assigns(statement: ast.stmt, name: str) -> bool:
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    return any(isinstance(each, ast.Name) and each.id == name for each in targets)


def _is_static(found: Function) -> bool:
    return any(isinstance(each, ast.Name) and each.id == "staticmethod" for each in found.decorator_list)


def _missing(name: str, where: str, statements: Iterable[ast.stmt]) -> str:
    near = get_close_matches(name, [known for each in statements if (known := getattr(each, "name", None))], 1)
    return f"no {name} in {where}{f'; did you mean {near[0]}?' if near else ''}"
