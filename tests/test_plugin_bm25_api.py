"""Everything public in bm25s is a point or stands in the exclusions with a reason."""

from __future__ import annotations

import ast
from fnmatch import fnmatchcase
from pathlib import Path

import bm25s
import pytest

from codeintel_obs.plugins.bm25.instrumentor import BM25Instrumentor

ROOT = Path(bm25s.__file__).parent
POINTS = {f"{point.module}:{point.name}" for point in BM25Instrumentor.points}
OF_ITS_BUILD = "bm25s.high_level.setup"


def modules():
    """Yield every module of the package, by name and path; read, because some ask for libraries that are not here."""
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def public_names():
    """Return ``module:name`` of each public function, and of each public method and constructor of public classes."""
    found = set()
    for module, path in modules():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                methods = [each.name for each in node.body if isinstance(each, ast.FunctionDef)]
                found |= {f"{module}:{node.name}.{name}" for name in methods if public(name)}
            elif isinstance(node, ast.FunctionDef) and public(node.name):
                found.add(f"{module}:{node.name}")
    return found


def public(name):
    return not name.startswith("_") or name == "__init__"


def kinds_of(name):
    excluded = [pattern for pattern in BM25Instrumentor.exclusions if fnmatchcase(name, pattern)]
    return (["point"] if name in POINTS else []) + (["excluded"] if excluded else [])


def test_every_public_name_is_classified_once():
    """Each function and method of every module is a point, or excluded with a reason, and never both."""
    names = public_names()
    assert len(names) > 80
    assert {name: kinds for name in names if len(kinds := kinds_of(name)) != 1} == {}


def test_a_name_that_nobody_classified_is_found():
    """The classification can fail: a new method of a known class has no place in it."""
    assert kinds_of("bm25s:BM25.conjure") == []


def test_no_exclusion_is_left_over():
    """Each pattern excludes something that there is."""
    names = public_names() | {f"{OF_ITS_BUILD}:_"}  # in some wheels only, left there by the build
    unused = [pattern for pattern in BM25Instrumentor.exclusions if not any(fnmatchcase(n, pattern) for n in names)]
    assert unused == []


@pytest.mark.parametrize("point", BM25Instrumentor.points, ids=lambda point: f"{point.module}:{point.name}")
def test_every_point_names_something(point):
    """Each row, optional ones too, is defined in its module, or taken over there under the same name."""
    taken_over = {"bm25s:tokenize": "bm25s.tokenization:tokenize"}
    row = f"{point.module}:{point.name}"
    assert taken_over.get(row, row) in public_names()
