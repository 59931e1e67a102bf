"""codeintel_rev knows nothing of who watches it, and needs no torch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "codeintel_rev"
FORBIDDEN = ("codeintel_obs", "opentelemetry", "wrapt", "pluggy")
SOURCES = sorted(ROOT.rglob("*.py"))


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_telemetry_is_imported_or_named(path):
    """Neither imported, nor named in a string that a late import could use."""
    text = path.read_text(encoding="utf-8")
    assert {name.partition(".")[0] for name in imported(ast.parse(text))}.isdisjoint(FORBIDDEN)
    assert [word for word in FORBIDDEN if word in text] == []


def test_the_tree_is_not_empty():
    """So that the test above cannot pass by looking at nothing."""
    assert len(SOURCES) > 30


def test_indexing_and_searching_load_no_telemetry_and_no_torch(tmp_path):
    """In a real process, over everything that the two commands import."""
    program = (
        "import sys\n"
        "from codeintel_rev.indexing import build\n"
        "from codeintel_rev.retrieval import search\n"
        "from codeintel_rev.io import embedder, minilm_graph, hybrid_search\n"
        "import onnxruntime, tokenizers, duckdb, faiss, bm25s\n"
        f"print(sorted({{*{FORBIDDEN!r}, 'torch', 'sentence_transformers'}} & set(sys.modules)))\n"
    )
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT.parent)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_modules_are_short():
    """The house style: under 400 lines a module, under 30 a function (docstring included)."""
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") < 400, path
        functions = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef)]
        assert [f.name for f in functions if f.end_lineno - f.lineno >= 30] == [], path
