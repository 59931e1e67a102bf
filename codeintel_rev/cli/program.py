"""Runs one command and turns what happened into an exit code and, at most, one clear line on stderr."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from codeintel_rev.cli import doctor, index, init, mcp, rollback, search, serve, status
from codeintel_rev.cli import eval as evaluate
from codeintel_rev.cli.arguments import parser
from codeintel_rev.errors import RevError

if TYPE_CHECKING:
    from collections.abc import Sequence

NO_ANSWER, INTERRUPTED = 1, 130
# Each module has `add(subparsers)` and `run(arguments) -> int`, and imports what is heavy inside `run`.
COMMANDS = {
    "init": init,
    "index": index,
    "search": search,
    "serve": serve,
    "mcp": mcp,
    "status": status,
    "rollback": rollback,
    "eval": evaluate,
    "doctor": doctor,
}


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code; argparse itself leaves with SystemExit(2) for a wrong option and 0 for `--help`."""
    arguments = parser(COMMANDS.values()).parse_args(argv)
    try:
        code: int = COMMANDS[arguments.command].run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt as stopped:
        return _stop(INTERRUPTED, f"interrupted; {stopped}" if stopped.args else "interrupted")
    except BrokenPipeError:
        # the reader has gone (`| head`); without this Python complains once more while it shuts down
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NO_ANSWER
    except Exception as error:
        if os.environ.get("CODEINTEL_REV_DEBUG") == "1":
            raise
        return _stop(error.exit_code if isinstance(error, RevError) else NO_ANSWER, _told(error))
    return code


def _stop(code: int, line: str) -> int:
    sys.stderr.write(f"codeintel-rev: {' '.join(line.split())}\n")
    return code


def _told(error: Exception) -> str:
    if isinstance(error, RevError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'input/output'}: {error.strerror}"
    return f"unexpected {type(error).__name__}: {error}. CODEINTEL_REV_DEBUG=1 shows where"
