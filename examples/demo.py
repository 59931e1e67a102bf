"""The demo: index part of this repository, search it three times under the recorder, then read the run report."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BIN = Path(sys.executable).parent
HERE = Path(__file__).resolve().parent.parent
QUERIES = (
    "how is a credential taken out of a text",
    "write one record of the ledger to disk",
    "carry the run into a child process",
)


def main() -> int:
    """Run the application under ``codeintel-obs run``; its processes join one run. Return an exit code."""
    rev, obs = str(BIN / "codeintel-rev"), str(BIN / "codeintel-obs")
    steps = [f"'{rev}' index . --paths 'codeintel_obs/**'"]
    steps += [f"'{rev}' search '{query}' -k 2" for query in QUERIES]
    script = " && ".join(f"echo && echo '$ codeintel-rev {step.split(' ', 1)[1]}' | tr -d '\"' && {step}"
                         .replace("'$ codeintel-rev", '"$ codeintel-rev', 1).replace("' | tr", '" | tr', 1)
                         for step in steps)
    print("$ codeintel-obs run -- sh -c '…'   (the recorder in front; the application knows nothing of it)", flush=True)
    ended = subprocess.run([obs, "run", "--data-dir", ".demo", "--", "sh", "-c", script], cwd=HERE, check=False)
    if ended.returncode:
        return ended.returncode
    print("\n$ codeintel-obs report --last\n", flush=True)
    return subprocess.run([obs, "report", "--last", "--data-dir", ".demo"], cwd=HERE, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
