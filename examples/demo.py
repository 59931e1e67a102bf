"""The demo: index part of this repository, search it three times under the recorder, then read the run report."""

from __future__ import annotations

import os
import shlex
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
    obs = str(BIN / "codeintel-obs")
    if not (HERE / ".git").exists():
        print("make demo: this is no git repository; clone it, or run `git init` and commit", file=sys.stderr)
        return 2
    commands = [["codeintel-rev", "index", ".", "--paths", "codeintel_obs/**"]]
    commands += [["codeintel-rev", "search", query, "-k", "2"] for query in QUERIES]
    script = " && ".join(
        f"echo && echo {shlex.quote('$ ' + shlex.join(each))} && {shlex.join(each)}" for each in commands
    )
    print("$ codeintel-obs run -- sh -c '…'   (the recorder in front; the application knows nothing of it)", flush=True)
    environ = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"}
    ended = subprocess.run(
        [obs, "run", "--data-dir", ".demo", "--", "sh", "-c", script], cwd=HERE, env=environ, check=False
    )
    if ended.returncode:
        return ended.returncode
    print("\n$ codeintel-obs report --last --data-dir .demo\n", flush=True)
    return subprocess.run([obs, "report", "--last", "--data-dir", ".demo"], cwd=HERE, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
