"""The retrieval's quality on real source distributions, in one command: the table of docs/retrieval.md.

`python bench/retrieval.py [--dev] [--scope asked|functions|chunks] [--work DIR]`. pip fetches the distributions that
are named by version and SHA-256 beside this file, and refuses any other; nothing of them is run or kept here. `--work`
keeps them and their vectors. The weights were chosen on the development corpora (`--dev`); the report is on the others.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dev", action="store_true")
    parser.add_argument("--scope", default="asked", choices=("asked", "functions", "chunks"))
    parser.add_argument("--work", type=Path)
    arguments = parser.parse_args()
    part = "dev" if arguments.dev else "test"
    with tempfile.TemporaryDirectory() as temporary:
        work = arguments.work or Path(temporary)
        sources = fetched(HERE / f"retrieval_{part}.txt", work / part)
        options = ["--scope", arguments.scope, "--work", str(work / f"index-{part}")]
        command = [sys.executable, "-m", "codeintel_rev", "eval", *map(str, sources), *options]
        return subprocess.run(command, check=False).returncode


def fetched(requirements: Path, folder: Path) -> list[Path]:
    """In the order of the list; what is there already is checked like the rest."""
    folder.mkdir(parents=True, exist_ok=True)
    options = ["--no-deps", "--no-binary", ":all:", "--require-hashes", "--quiet", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "download", *options, "-r", str(requirements), "-d", str(folder)]
    subprocess.run(command, check=True)
    named = [line.split()[0].replace("==", "-") for line in requirements.read_text().splitlines() if line[:1] != "#"]
    return [folder / f"{name}.tar.gz" for name in named]


if __name__ == "__main__":
    sys.exit(main())
