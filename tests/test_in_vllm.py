"""The plugin over vLLM, in an environment that has it: its own tests, real servers, and the promises to the application."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from in_vllm import ENVIRONMENT, PLUGINS, TOGETHER, install, why_not

HERE = Path(__file__).parent


def passed(*words):
    reason = why_not()
    if reason is not None:
        print(f"NOT RUN: the tests of the plugin vllm: {reason}", file=sys.__stderr__, flush=True)
        pytest.skip(reason)
    command = [install(), "-m", "pytest", "-q", "-rfEs", "-p", "no:cacheprovider", "--durations=5", *words]
    # vLLM, torch and their libraries warn of themselves when they are imported; errors of ours are raised all the same.
    # A load takes seconds on an idle machine, and minutes on one that is not.
    ended = subprocess.run(
        [*command, "-W", "default", "--timeout", "600"],
        cwd=HERE.parent,
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-8000:] + ended.stderr[-2000:]
    assert " passed" in ended.stdout
    assert "skipped" not in ended.stdout


@pytest.mark.slow
@pytest.mark.timeout(1500)  # vLLM is installed once, and imported by each process
@pytest.mark.parametrize("name", TOGETHER)
def test_the_plugin_over_vllm_passes_its_own_tests(name):
    """Real models and real servers on a CPU, and the conformance kit over them: none of the tests is skipped."""
    passed(*(str(HERE / each) for each in TOGETHER[name]), "-k", " or ".join(PLUGINS))
