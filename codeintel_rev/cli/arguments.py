"""What may be written behind `codeintel-rev`, and the help that teaches it."""

from __future__ import annotations

import argparse
from pathlib import Path

from codeintel_rev import __version__
from codeintel_rev.config.settings import INDEX_FOLDER

_EPILOG = f"""\
begin with:
  codeintel-rev index .                           once, and after each commit: only what is new is embedded
  codeintel-rev search "where are retries counted"
  codeintel-rev search LedgerWriter.append --json

The index lies in REPO/{INDEX_FOLDER}/ and holds what HEAD holds; every answer says which commit that is.

environment:
  CODEINTEL_REV_CACHE      where the prepared model is kept (default ~/.cache/codeintel-rev)
  CODEINTEL_REV_MODEL_DIR  a folder with model.safetensors and tokenizer.json (default: the installed package)
  CODEINTEL_REV_DEBUG      1 shows the traceback of an unexpected error

exit codes: 0 good, 1 no answer or failed, 2 wrong use, 3 not found, 130 interrupted
"""
_PATHS_HELP = """index only what matches, as in .gitignore: '*.py' at any depth, 'src/**/*.ts' from the root,
a folder for all below it"""


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="codeintel-rev",
        description="Searches the code of a git repository, in words or by identifiers, on this machine.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"codeintel-rev {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _index(commands.add_parser("index", help="index the commit that HEAD names", allow_abbrev=False))
    _search(commands.add_parser("search", help="ask an index", allow_abbrev=False))
    return top


def _index(command: argparse.ArgumentParser) -> None:
    command.description = "Indexes the files of HEAD. The old index answers until the new one is complete."
    command.add_argument("repo", nargs="?", type=Path, default=Path(), metavar="REPO", help="default: here")
    command.add_argument("--paths", nargs="+", action="extend", default=[], metavar="GLOB", help=_PATHS_HELP)
    command.add_argument("--no-vectors", action="store_true", help="lexical only: no model is loaded")
    _common(command)


def _search(command: argparse.ArgumentParser) -> None:
    command.description = "Answers from the index: semantic and lexical ranks fused, with what did not run and why."
    command.add_argument("query", metavar="QUERY", help="words, a sentence, or an identifier")
    command.add_argument("--repo", type=Path, default=Path(), metavar="REPO", help="default: here")
    command.add_argument("-k", type=int, default=5, metavar="N", help="how many hits (default 5)")
    _common(command)


def _common(command: argparse.ArgumentParser) -> None:
    where = f"where the index lies (default REPO/{INDEX_FOLDER})"
    command.add_argument("--index-dir", type=Path, metavar="DIR", help=where)
    command.add_argument("--json", action="store_true", help="one JSON object on stdout")
