"""What the commands' parsers have in common: their look, and arguments that several of them take."""

from __future__ import annotations

import argparse
from typing import Any


def parser(name: str, does: str, examples: str, **more: Any) -> argparse.ArgumentParser:
    """Return the parser of a command: its help ends in examples."""
    return argparse.ArgumentParser(
        prog=f"codeintel-obs {name}",
        description=does,
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        **more,
    )


def add_data_dir(made: argparse.ArgumentParser) -> None:
    """Add ``--data-dir``, which may be repeated; the settings' own is the default."""
    made.add_argument(
        "--data-dir",
        metavar="DIR",
        action="append",
        help="read ledgers there (repeatable); default: the setting data_dir",
    )


def add_json(made: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    made.add_argument("--json", action="store_true", help="print JSON")
