"""`codeintel-rev search`: one question to an index."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from codeintel_rev.cli.arguments import common, repository
from codeintel_rev.config.settings import Settings

if TYPE_CHECKING:
    from codeintel_rev.cli.arguments import Subparsers

GOOD, NO_ANSWER = 0, 1
_WEIGHT_HELP = "how much a channel counts (semantic, bm25, splade, exact); 0 leaves it out; may be given again"


def add(subparsers: Subparsers) -> None:
    command = subparsers.add_parser("search", help="ask an index", allow_abbrev=False)
    command.description = "Answers from the index: semantic and lexical ranks fused, with what did not run and why."
    command.add_argument("query", metavar="QUERY", help="words, a sentence, an identifier, a path, or an expression")
    repository(command)
    command.add_argument("-k", type=int, default=5, metavar="N", help="how many hits (default 5)")
    command.add_argument("--weight", type=_weight, action="append", default=[], metavar="CHANNEL=N", help=_WEIGHT_HELP)
    rerank_help = "score the best hits once more, or do not (default: as configured)"
    command.add_argument("--rerank", action=argparse.BooleanOptionalAction, default=None, help=rerank_help)
    command.add_argument("--deadline", type=_seconds, metavar="SECONDS", help="for the whole search (default 10)")
    command.add_argument("--explain", action="store_true", help="show what each stage did, and how long it took")
    common(command)


def run(arguments: argparse.Namespace) -> int:
    # Imported here: a question for help need not wait for faiss and duckdb.
    from codeintel_rev.cli.render_answer import answer_json, answer_text, explained_text
    from codeintel_rev.io.hybrid_search import Wish
    from codeintel_rev.retrieval.search import SearchRequest, search

    settings = Settings.load(arguments.repo)
    wish = Wish(dict(arguments.weight), arguments.rerank, arguments.deadline)
    answer = search(SearchRequest(arguments.query, settings, arguments.repo, arguments.k, arguments.index_dir, wish))
    if arguments.json:
        text = answer_json(answer, explain=arguments.explain)
    else:
        text = answer_text(answer) + (explained_text(answer) if arguments.explain else "")
    sys.stdout.write(text)
    return GOOD if answer.hits else NO_ANSWER


def _weight(text: str) -> tuple[str, float]:
    name, equals, number = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not CHANNEL=NUMBER")
    return name, _number(number)


def _seconds(text: str) -> float:
    if _number(text) == 0:
        raise argparse.ArgumentTypeError("no search can be done in 0 seconds")
    return _number(text)


def _number(text: str) -> float:
    try:
        made = float(text)
    except ValueError:
        made = -1.0
    if not 0 <= made <= 1e6:  # noqa: PLR2004 - NaN fails both, and no clock takes infinity
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 1000000")
    return made
