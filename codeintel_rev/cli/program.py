"""Runs one command and turns what happened into an exit code and, at most, one clear line on stderr."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from codeintel_rev.cli.arguments import parser
from codeintel_rev.config.settings import Settings
from codeintel_rev.errors import RevError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

GOOD, NO_ANSWER, INTERRUPTED = 0, 1, 130


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code; argparse itself leaves with SystemExit(2) for a wrong option and 0 for `--help`."""
    arguments = parser().parse_args(argv)
    try:
        code = _COMMANDS[arguments.command](arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _stop(INTERRUPTED, "interrupted; an index that was there before still answers")
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


def _index(arguments: argparse.Namespace) -> int:
    # Imported here, as in _search: a question for help need not wait for faiss and duckdb.
    from codeintel_rev.cli.progress import shown
    from codeintel_rev.cli.render import index_json, index_text
    from codeintel_rev.indexing.build import BuildRequest, build_index

    settings, paths = Settings.from_environment(), tuple(arguments.paths)
    request = BuildRequest(arguments.repo, settings, paths, arguments.index_dir, not arguments.no_vectors)
    with shown(quiet=arguments.json) as progress:
        built = build_index(request, progress)
    sys.stdout.write(index_json(built) if arguments.json else index_text(built))
    return GOOD


def _search(arguments: argparse.Namespace) -> int:
    from codeintel_rev.cli.render import answer_json, answer_text
    from codeintel_rev.retrieval.search import SearchRequest, search

    settings = Settings.from_environment()
    answer = search(SearchRequest(arguments.query, settings, arguments.repo, arguments.k, arguments.index_dir))
    sys.stdout.write(answer_json(answer) if arguments.json else answer_text(answer))
    return GOOD if answer.hits else NO_ANSWER


_COMMANDS = {"index": _index, "search": _search}
