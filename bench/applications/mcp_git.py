"""mcp and GitPython: the public `mcp-server-git` over stdio, asked by the SDK's own client."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import answers
import mcp_client
import repository

CALLS = (
    ("git_log", {"max_count": 5}),
    ("git_show", {"revision": "v1"}),
    ("git_diff", {"target": "HEAD~3"}),
    ("git_branch", {"branch_type": "local"}),
    ("git_create_branch", {"branch_name": "made-by-a-tool"}),
    ("git_checkout", {"branch_name": "made-by-a-tool"}),
    ("git_checkout", {"branch_name": "there-is-none"}),
    ("git_diff", {"target": "--output=escaped"}),
    ("git_status", {}),
    ("git_log", {"max_count": "many"}),
    ("no_such_tool", {}),
)


def main(folder: Path) -> None:
    path = repository.made(folder / "repository")
    calls = [(tool, {"repo_path": str(path), **arguments}) for tool, arguments in CALLS]
    command = (sys.executable, "-m", "mcp_server_git", "--repository", str(path))
    answers.keep(folder, **asyncio.run(mcp_client.asked(command, calls)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
