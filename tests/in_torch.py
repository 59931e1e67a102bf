"""An environment of its own for what needs torch: made once, kept between runs, and nobody else's dependency."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
HOME = ROOT / ".venv-torch"
TORCH = "torch==2.13.0"
REQUIREMENTS = ("sentence-transformers==6.2.0", "transformers==5.23.0", "qdrant-client==1.20.0")
TESTING = ("pytest", "pytest-asyncio", "pytest-timeout")
FILES = ("test_plugin_sentences.py",)
PLUGINS = ("embeddings", "splade", "rerank")


def install() -> Path:
    """Return the interpreter of the environment, made once for all test processes; says on its way what it does."""
    python = HOME / "bin" / "python"
    HOME.mkdir(exist_ok=True)
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ready = HOME / "ready"
        wanted = "\n".join((TORCH, *REQUIREMENTS))
        if not ready.exists() or ready.read_text() != wanted:
            print(f"making {HOME} with {TORCH}: a few minutes, once", file=sys.stderr, flush=True)
            _run(sys.executable, "-m", "venv", HOME)
            pip = (python, "-m", "pip", "install", "-q", "--disable-pip-version-check")
            _run(*pip, TORCH)  # by itself, so that nothing else decides which build of it there is
            _run(*pip, "-c", ROOT / ".ci" / "constraints.txt", *REQUIREMENTS, *TESTING, "-e", ROOT)
            ready.write_text(wanted)
    return python


def _run(*command: object) -> None:
    ended = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if ended.returncode:
        words = " ".join(map(str, command))
        raise RuntimeError(f"the tests that need torch cannot run: {words} failed:\n{ended.stderr[-3000:]}")


if __name__ == "__main__":
    print(install())
