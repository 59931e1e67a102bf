"""Real processes under every launcher, and what their ledgers say; shared by the tests of launch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent
OBS = str(BIN / "codeintel-obs")
STOCK = str(BIN / "opentelemetry-instrument")


def environ(**more: str) -> dict[str, str]:
    """Return an environment in which nothing of ours or OpenTelemetry's is set, but for ``more``."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("CODEINTEL_", "OTEL_", "PYTHON"))}
    return {**kept, "PATH": f"{BIN}{os.pathsep}{kept.get('PATH', '')}", **more}


def run(folder: Path, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run ``command`` in ``folder`` to its end."""
    return subprocess.run(
        command, cwd=folder, env=environ(**more), capture_output=True, text=True, timeout=100, check=False
    )


def launched(folder: Path, code: str, *options: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -c code`` under our launcher."""
    return run(folder, OBS, "run", *options, "--", sys.executable, "-c", code, **more)


def stock(folder: Path, code: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -c code`` under the stock launcher."""
    return run(folder, STOCK, sys.executable, "-c", code, **more)


def report(folder: Path, name: str = "--last", *options: str) -> dict[str, Any]:
    """Return the Run Report of a run whose ledger lies in ``folder``."""
    ended = run(folder, OBS, "report", name, "--format", "json", *options)
    assert ended.returncode == 0, ended.stderr
    return dict(json.loads(ended.stdout))


def records(folder: Path) -> list[dict[str, Any]]:
    """Return every record of every ledger in ``folder``, read without any code of ours."""
    paths = sorted(folder.glob(".codeintel/telemetry/runs/*/*.jsonl"))
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def kinds(told: dict[str, Any]) -> list[tuple[str, str]]:
    """Return kind and status of the report's steps, in order."""
    return [(step["kind"], step["status"]) for step in told["steps"]]
