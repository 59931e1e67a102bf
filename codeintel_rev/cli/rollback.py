"""`codeintel-rev rollback`: answer from an earlier generation of the index."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from codeintel_rev.cli.arguments import common

if TYPE_CHECKING:
    import argparse

    from codeintel_rev.cli.arguments import Subparsers

ROLLBACK_SCHEMA = "codeintel_rev.rollback/1"


def add(subparsers: Subparsers) -> None:
    command = subparsers.add_parser("rollback", help="answer from an earlier generation", allow_abbrev=False)
    command.description = "Answers from the complete generation before this one. The next `index` publishes a new one."
    command.add_argument("repo", nargs="?", type=Path, default=Path(), metavar="REPO", help="default: here")
    command.add_argument("--to", metavar="GENERATION", help="this one, as `status` names it; also a newer one")
    common(command)


def run(arguments: argparse.Namespace) -> int:
    # Imported here: a question for help need not wait for git.
    from codeintel_rev.cli.render import clean, to_json
    from codeintel_rev.config.settings import index_folder
    from codeintel_rev.io.generations import IndexFolder
    from codeintel_rev.io.git_client import GitClient
    from codeintel_rev.io.manifest import Manifest

    with GitClient.open(arguments.repo) as client:
        folder = IndexFolder(index_folder(client.root, arguments.index_dir))
    chosen = folder.rollback(arguments.to)
    made = Manifest.read(chosen.path)
    told = {"schema": ROLLBACK_SCHEMA, "generation": chosen.path.name, "commit": made.commit, "chunks": made.chunks}
    text = f"answers come from {chosen.path.name} now: commit {made.commit[:12]} ({made.branch or 'detached'})\n"
    sys.stdout.write(to_json(told) if arguments.json else clean(text))
    return 0
