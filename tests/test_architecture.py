"""The architecture's contracts hold, and each notices when it is broken."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LINT = Path(sys.executable).parent / "lint-imports"
BREACHES = {
    "The watched application has no telemetry in it": ("codeintel_rev/errors.py", "import codeintel_obs"),
    "The recorder imports neither the application nor a watched library": ("codeintel_obs/runs.py", "import duckdb"),
    "Plugins do not know each other": (
        "codeintel_obs/plugins/git/describe.py",
        "import codeintel_obs.plugins.faiss.describe",
    ),
    "Layers": ("codeintel_obs/guard.py", "import codeintel_obs.recorder"),
    "Only wrapping touches wrapt": ("codeintel_obs/recorder.py", "import wrapt"),
    "No plugin talks to OpenTelemetry, a sink or the ledger": (
        "codeintel_obs/plugins/faiss/describe.py",
        "import opentelemetry.trace",
    ),
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of both packages that a test may break."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("codeintel_obs", "codeintel_rev"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def lint(folder, *options):
    """Return what import-linter says of the packages in `folder`."""
    environ = {**os.environ, "PYTHONPATH": str(folder)}
    command = [str(LINT), "--no-cache", *options]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)


def test_every_contract_has_a_breach_here():
    """A contract that is added without a proof that it bites fails this test."""
    declared = [line for line in (ROOT / "pyproject.toml").read_text().splitlines() if line.startswith('name = "')]
    assert {line.split('"')[1] for line in declared} - {"codeintel-obs"} == set(BREACHES)


@pytest.mark.slow
@pytest.mark.parametrize("contract", BREACHES)
def test_a_broken_contract_is_noticed(copy, contract):
    """One forbidden import, and the contract of that name is reported as broken."""
    path = copy / BREACHES[contract][0]
    whole = path.read_text()
    try:
        path.write_text(whole + f"\n\ndef breach() -> None:\n    {BREACHES[contract][1]}\n")
        ended = lint(copy)
    finally:
        path.write_text(whole)
    assert ended.returncode != 0
    assert f"{contract} BROKEN" in ended.stdout
