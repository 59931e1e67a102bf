"""The plugins over torch, in an environment that has it: their own tests, and the promises to the application."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from in_torch import FILES, PLUGINS, install

HERE = Path(__file__).parent
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


def passed(*words):
    ended = subprocess.run(
        [install(), "-m", "pytest", "-q", "-p", "no:cacheprovider", *words],
        cwd=HERE.parent,
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]
    assert " passed" in ended.stdout
    assert "skipped" not in ended.stdout


@pytest.mark.slow
@pytest.mark.timeout(1500)  # torch is installed once, and imported by each test run
def test_the_plugins_over_torch_pass_their_own_tests():
    """Real models of random weights: every file that needs torch, none of its tests skipped."""
    passed(*(str(HERE / name) for name in FILES))


@pytest.mark.slow
@pytest.mark.timeout(1500)  # the same
def test_the_plugins_over_torch_keep_the_promises():
    """The conformance kit over each of them."""
    passed(str(HERE / "test_conformance.py"), "-k", " or ".join(f"[{name}" for name in PLUGINS).replace("[", ""))
