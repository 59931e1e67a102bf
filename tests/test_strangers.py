"""A third party's sink and instrumentor, really installed: found, switched on and off, held to the same promises."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
PROGRAM = """
import codeintel_obs
codeintel_obs.start()
import difflib
difflib.get_close_matches("appel", ["ape", "apple"])
with codeintel_obs.step("app.work"):
    list(difflib.unified_diff(["a"], ["b"]))
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),  # a fresh environment with a cold package cache
]


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """A fresh environment with codeintel-obs' core and both packages, installed as their users would."""
    folder = tmp_path_factory.mktemp("strangers")
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    packages = [shutil.copytree(EXAMPLES / name, folder / name) for name in os.listdir(EXAMPLES) if "third" in name]
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", ROOT, *packages, "pytest>=8.3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return python


def environment(**more):
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("CODEINTEL", "OTEL", "PYTHON"))}
    return {**clean, **more}


def run(python, cwd, program=PROGRAM, **variables):
    """Run ``program`` and return what the sink wrote, None when it wrote nothing, and the ended steps of the ledger."""
    command = [python, "-c", program]
    done = subprocess.run(command, cwd=cwd, env=environment(**variables), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    written = cwd / "step-counts.json"
    ledgers = sorted((cwd / ".codeintel" / "telemetry" / "runs").rglob("*.jsonl"))
    records = [json.loads(line) for path in ledgers for line in path.read_text().splitlines()]
    kinds = sorted(each["kind"] for each in records if each["event"] == "step.end")
    return (json.loads(written.read_text()) if written.exists() else None), kinds


ALL = ["app.work", "difflib.diff", "difflib.match"]


def test_both_are_found_and_work(python, tmp_path):
    """Installed is registered: the plugin's steps are in the ledger, and the sink is told of all, behind its queue."""
    told, kinds = run(python, tmp_path)
    assert kinds == ALL
    assert told["counts"] == {f"{kind} completed": 1 for kind in ALL}
    assert told["threads"] == ["codeintel-obs-step_counts"]


OFF = {
    "plugin by its name": ({"CODEINTEL_OBS_DISABLED_PLUGINS": "difflib"}, "", True, ["app.work"]),
    "sink by its name": ({"CODEINTEL_OBS_DISABLED_PLUGINS": "step_counts"}, "", False, ALL),
    "both": ({"CODEINTEL_OBS_DISABLED_PLUGINS": "step_counts,difflib"}, "", False, ["app.work"]),
    "by OpenTelemetry": ({"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "codeintel_difflib"}, "", True, ["app.work"]),
    "by an allow-list": ({"CODEINTEL_OBS_PLUGINS": "git"}, "", True, ["app.work"]),
    "by an allow-list that names it": ({"CODEINTEL_OBS_PLUGINS": "git,difflib"}, "", True, ALL),
    "by the file": ({}, 'disabled_plugins = ["difflib", "step_counts"]', False, ["app.work"]),
    "file and environment add up": (
        {"CODEINTEL_OBS_DISABLED_PLUGINS": "step_counts"},
        'disabled_plugins = ["difflib"]',
        False,
        ["app.work"],
    ),
    "everything": ({"CODEINTEL_OBS": "off"}, "", False, []),
}


@pytest.mark.parametrize("how", OFF)
def test_each_is_switched_by_configuration(python, tmp_path, how):
    """The environment, the file and OpenTelemetry's own variable switch a stranger's packages as they switch ours."""
    variables, config, told, kinds = OFF[how]
    if config:
        (tmp_path / "codeintel_obs.toml").write_text(config)
    counts, recorded = run(python, tmp_path, **variables)
    assert (counts is not None, recorded) == (told, kinds)


def test_denied_packages_are_never_imported(python, tmp_path):
    """What is switched off is not even loaded."""
    program = PROGRAM + "\nimport sys; assert not {'step_counts', 'codeintel_difflib'} & set(sys.modules)"
    run(python, tmp_path, program, CODEINTEL_OBS_DISABLED_PLUGINS="difflib,step_counts")


def test_sink_that_is_broken_harms_nobody(python, tmp_path):
    """A third party's sink that raises leaves the program, the ledger and the other sinks alone."""
    program = "import step_counts; step_counts.StepCounts.obs_step_ended = property(lambda self: 1 / 0)" + PROGRAM
    told, kinds = run(python, tmp_path, program)
    assert kinds == ALL
    assert told is None or told["counts"] == {}


def test_strangers_plugin_keeps_the_promises(python, tmp_path):
    """The third party's own conformance test passes in its own environment."""
    folder = shutil.copytree(EXAMPLES / "third_party_instrumentor", tmp_path / "plugin")
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout


def test_examples_are_small():
    """An example that a reader takes in at a glance: under 30 lines of Python for each package."""
    for path in EXAMPLES.glob("third_party_*/*.py"):
        assert len(path.read_text().splitlines()) < 30, path


def test_this_interpreter_has_none_of_them():
    """The proofs above are not of this environment: neither package is installed here."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "list", "--format=freeze"], capture_output=True, text=True, check=True
    )
    assert "codeintel-obs-difflib" not in done.stdout
