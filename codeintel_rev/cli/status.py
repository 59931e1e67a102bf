"""`codeintel-rev status`: what is indexed, how far it is behind, and whether somebody is at work on it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from codeintel_rev.cli.arguments import common

if TYPE_CHECKING:
    import argparse

    from codeintel_rev.cli.arguments import Subparsers
    from codeintel_rev.indexing.status import IndexStatus

GOOD, STALE, NO_INDEX = 0, 1, 3


def add(subparsers: Subparsers) -> None:
    command = subparsers.add_parser("status", help="what is indexed, and how far it is behind", allow_abbrev=False)
    command.description = "Tells the indexed commit, what has changed since, and what is being indexed at this moment."
    command.add_argument("repo", nargs="?", type=Path, default=Path(), metavar="REPO", help="default: here")
    command.add_argument("--exit-code", action="store_true", help="exit with 1 for an index that is behind or partial")
    common(command)


def run(arguments: argparse.Namespace) -> int:
    # Imported here: a question for help need not wait for git.
    from codeintel_rev.cli.render_status import status_json, status_text
    from codeintel_rev.indexing.status import index_status

    status = index_status(arguments.repo, arguments.index_dir)
    sys.stdout.write(status_json(status) if arguments.json else status_text(status))
    if status.manifest is None:
        return NO_INDEX
    return STALE if arguments.exit_code and _lacks(status) else GOOD


def _lacks(status: IndexStatus) -> bool:
    return status.stale is not False or status.kind != "complete"
