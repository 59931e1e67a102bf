"""Takes the docstrings out of Python source: what they said becomes the queries, what is left is indexed.

The filters are those of CodeSearchNet (Husain et al., 2019): no tests, no special methods, no function of fewer than
three lines, no docstring of fewer than three words; and a docstring that two functions share asks for neither.
"""

from __future__ import annotations

import ast
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FEWEST_LINES = 3
FEWEST_WORDS = 3
_Owner = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Question:
    """`query` is the first paragraph of the docstring of the function `name` in `path`."""

    path: str
    name: str
    query: str


@dataclass(frozen=True, slots=True)
class Stripped:
    """One file without its docstrings, and what these ask for."""

    path: str
    text: str
    questions: tuple[Question, ...]


def strip(path: str, text: str) -> Stripped | None:
    """None for what is no Python that parses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the corpus's escapes are not our user's concern
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):  # all four are what ast.parse raises
            return None
    lines = text.splitlines(keepends=True)
    docstrings = [node.body[0] for node in ast.walk(tree) if isinstance(node, _Owner) and _documented(node)]
    questions = tuple(_questions(path, tree, ""))
    for docstring in docstrings:
        _blank(docstring, lines)
    return Stripped(path, "".join(lines), questions)


def is_test(path: str) -> bool:
    parts = PurePosixPath(path).parts
    name = parts[-1]
    folders = {"test", "tests", "testing"} & set(parts[:-1])
    return bool(folders) or name.startswith("test_") or name.endswith("_test.py") or name == "conftest.py"


def unambiguous(questions: Iterable[Question]) -> list[Question]:
    """Without those that several functions would answer equally well, or that share one name in one file."""
    asked = list(questions)
    times = Counter(question.query for question in asked)
    named = Counter((question.path, question.name) for question in asked)
    return [q for q in asked if times[q.query] == 1 and named[q.path, q.name] == 1]


def _questions(path: str, owner: ast.Module | ast.ClassDef, prefix: str) -> Iterator[Question]:
    for node in _definitions(owner):
        name = prefix + node.name
        if isinstance(node, ast.ClassDef):
            yield from _questions(path, node, f"{name}.")
        elif _asks(node):
            yield Question(path, name, _first_paragraph(node))


def _definitions(node: ast.AST) -> Iterator[_Function | ast.ClassDef]:
    """Of this scope, also those under `if`, `try` and `with`; functions inside functions belong to the outer one."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _Function | ast.ClassDef):
            yield child
        elif isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            yield from _definitions(child)


def _asks(node: _Function) -> bool:
    if not _documented(node) or (node.name.startswith("__") and node.name.endswith("__")):
        return False
    docstring = node.body[0]
    left = (node.end_lineno or 0) - node.lineno + 1 - ((docstring.end_lineno or 0) - docstring.lineno + 1)
    return left >= FEWEST_LINES and len(_first_paragraph(node).split()) >= FEWEST_WORDS


def _first_paragraph(node: _Function) -> str:
    docstring = ast.get_docstring(node, clean=True) or ""
    return " ".join(docstring.strip().split("\n\n", 1)[0].split())


def _documented(node: _Owner) -> bool:
    return ast.get_docstring(node, clean=False) is not None


def _blank(docstring: ast.stmt, lines: list[str]) -> None:
    """Leaves `pass` where the docstring began, so that what is left still parses, and no line of it elsewhere."""
    first, last = docstring.lineno - 1, (docstring.end_lineno or docstring.lineno) - 1
    before = lines[first].encode()[: docstring.col_offset].decode()
    after = lines[last].encode()[docstring.end_col_offset or 0 :].decode()
    for number in range(first, last + 1):
        lines[number] = ""
    lines[first] = f"{before}pass{after}"
