"""`codeintel-obs run`: parses what the supervisor needs, and hands over. Imports nothing before that but argparse."""

from __future__ import annotations

import argparse
from typing import Final

from codeintel_obs.cli.parsing import parser

_EXAMPLES: Final = """\
  codeintel-obs run -- python app.py --port 8000
  codeintel-obs run --run-id nightly-42 -- pytest -q
  codeintel-obs run --plugins faiss,duckdb --data-dir /var/lib/codeintel -- uvicorn app:app
  codeintel-obs run --disable git -- codeintel-rev index .

The command's exit code, signals and terminal pass through. Settings given here win over
the environment and over codeintel_obs.toml; a bad setting is refused before anything starts."""


def main(words: list[str]) -> int:
    """Launch the command under a recorder; return its exit code."""
    options = parse(words)
    from codeintel_obs.launch.supervisor import run_command

    code: int = run_command(options)
    return code


def parse(words: list[str]) -> argparse.Namespace:
    """Return the options; ``command`` is the command to run, never empty."""
    cut = words.index("--") if "--" in words else len(words)
    own, command = words[:cut], words[cut + 1 :]
    made = _parser()
    options, rest = made.parse_known_args(own)
    if rest and cut == len(words) and not rest[0].startswith("-"):
        made.error(f"put `--` before the command: codeintel-obs run -- {' '.join(rest)}")
    if rest:
        made.error(f"unrecognized arguments: {' '.join(rest)}")
    if not command:
        made.error("no command to run; for example: codeintel-obs run -- python app.py")
    options.command = command
    return options


def _parser() -> argparse.ArgumentParser:
    made = parser("run", "Run a command under the recorder.", _EXAMPLES, usage="%(prog)s [options] -- CMD ...")
    add = made.add_argument
    add("--run-id", metavar="ID", help="name the run; without it a new id that sorts by time is made")
    add("--config", metavar="FILE", help="read settings from FILE and not from codeintel_obs.toml or pyproject.toml")
    add("--plugins", metavar="A,B", help="watch with these plugins only")
    add("--disable", metavar="C", action="append", help="switch a plugin or sink off; may be repeated")
    add("--data-dir", metavar="DIR", help="write ledgers there; default .codeintel")
    add("--exec", action="store_true", help="replace this process by the command: nobody witnesses its exit code then")
    add("--quiet", action="store_true", help="say nothing after a failure")
    return made
