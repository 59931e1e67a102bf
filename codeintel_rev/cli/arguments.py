"""What every command's options have in common, and the help that teaches the program."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from codeintel_rev import __version__
from codeintel_rev.config.settings import INDEX_FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse gives it no public name

_EPILOG = f"""\
begin with:
  codeintel-rev index .                           once, and after each commit: only what is new is embedded
  codeintel-rev search "where are retries counted"
  codeintel-rev search LedgerWriter.append --json
  codeintel-rev mcp .                             the tools for an editor or an agent, over stdio
  codeintel-rev serve .                           HTTP and the same tools, for several at once
  codeintel-rev doctor .                          what works here, what does not, and how to mend it

The index lies in REPO/{INDEX_FOLDER}/ and holds what HEAD holds; every answer says which commit that is.
REPO/codeintel_rev.toml may hold settings; `init` writes it with each of them explained.

environment (and one variable for each setting: CODEINTEL_REV_<SECTION>_<KEY>):
  CODEINTEL_REV_CACHE      where the prepared model is kept (default ~/.cache/codeintel-rev)
  CODEINTEL_REV_MODEL_DIR  a folder with model.safetensors and tokenizer.json (default: the installed package)
  CODEINTEL_REV_DEBUG      1 shows the traceback of an unexpected error

exit codes: 0 good, 1 no answer or failed, 2 wrong use, 3 not found, 130 interrupted
"""


def parser(commands: Iterable[ModuleType]) -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="codeintel-rev",
        description="Searches the code of a git repository, in words or by identifiers, on this machine.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"codeintel-rev {__version__}")
    subparsers = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in commands:
        command.add(subparsers)
    return top


def common(command: argparse.ArgumentParser) -> None:
    """`--index-dir` and `--json`."""
    where = f"where the index lies (default REPO/{INDEX_FOLDER})"
    command.add_argument("--index-dir", type=Path, metavar="DIR", help=where)
    command.add_argument("--json", action="store_true", help="one JSON object on stdout")


def repository(command: argparse.ArgumentParser) -> None:
    """`--repo`, for commands whose first word is something else."""
    command.add_argument("--repo", type=Path, default=Path(), metavar="REPO", help="default: here")
