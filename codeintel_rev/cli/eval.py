"""`codeintel-rev eval`: how good the retrieval is on Python sources, each function found by its own docstring."""

from __future__ import annotations

import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeintel_rev.config.settings import Settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from codeintel_rev.cli.arguments import Subparsers
    from codeintel_rev.evaluation.measures import Interval
    from codeintel_rev.evaluation.run import Evaluation

EVAL_SCHEMA = "codeintel_rev.eval/1"
_DESCRIPTION = """Takes the docstrings out of Python sources, indexes what is left, and asks for each function by what its
docstring said. Shows, for each channel and for all together, the mean reciprocal rank among the first ten (MRR@10)
with its 95 % bootstrap interval."""
_SCOPE_HELP = "what competes: the functions asked for (default), all functions and methods, or all chunks"
_WORK_HELP = "keeps the vectors, so that the next run embeds nothing (default: a temporary folder)"


def add(subparsers: Subparsers) -> None:
    command = subparsers.add_parser("eval", help="measure how good the retrieval is", allow_abbrev=False)
    command.description = _DESCRIPTION
    sources_help = "a folder, or a source distribution (.tar.gz); default: here"
    command.add_argument("sources", nargs="*", type=Path, default=[Path()], metavar="SOURCE", help=sources_help)
    command.add_argument("--scope", choices=("asked", "functions", "chunks"), default="asked", help=_SCOPE_HELP)
    command.add_argument(
        "--sample", type=int, default=0, metavar="N", help="ask for N functions, by lot (default: all)"
    )
    command.add_argument("--work", type=Path, metavar="DIR", help=_WORK_HELP)
    command.add_argument("--json", action="store_true", help="one JSON object on stdout")


def run(arguments: argparse.Namespace) -> int:
    # Imported here: a question for help need not wait for faiss and duckdb.
    from codeintel_rev.cli.progress import shown
    from codeintel_rev.evaluation.corpora import read_corpus
    from codeintel_rev.evaluation.run import evaluate

    # No repository's file is read: whoever is measured does not choose how.
    settings = Settings.from_environment()
    corpora = [read_corpus(source) for source in arguments.sources]
    with _work(arguments.work) as work, shown(quiet=arguments.json) as progress:
        made = evaluate(corpora, settings, work, scope=arguments.scope, sample=arguments.sample, progress=progress)
    sys.stdout.write(eval_json(made) if arguments.json else eval_text(made))
    return 0


def eval_text(made: Evaluation) -> str:
    """A Markdown table, so that it can stand in a document as it is."""
    from codeintel_rev.cli.render import clean, degraded_text

    lines = [
        f"{made.queries} queries, {made.candidates} candidates ({made.scope}), model {made.model or 'none'}",
        "",
        "| channel | MRR@10 | 95 % interval | first | in ten |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {row.channel} | {row.mrr.mean:.3f} | {row.mrr.low:.3f} to {row.mrr.high:.3f} "
            f"| {row.first:.1%} | {row.ten:.1%} |"
            for row in made.rows
        ),
        "",
        f"hybrid over BM25 alone: {made.gain.mean:+.3f} ({made.gain.low:+.3f} to {made.gain.high:+.3f})",
        *(
            f"{name}: {made.by_corpus.get(name, 0.0):.3f} ({asked} functions)"
            + (f", sha256 {digest}" if digest else "")
            for name, digest, asked in made.corpora
        ),
        *map(degraded_text, made.degraded),
    ]
    return clean("\n".join(lines) + "\n")


def eval_json(made: Evaluation) -> str:
    from codeintel_rev.cli.render import to_json

    names = ("name", "sha256", "functions")
    return to_json(
        {
            "schema": EVAL_SCHEMA,
            "scope": made.scope,
            "queries": made.queries,
            "candidates": made.candidates,
            "model": made.model,
            "channels": {
                row.channel: _interval(row.mrr) | {"first": round(row.first, 4), "in_ten": round(row.ten, 4)}
                for row in made.rows
            },
            "hybrid_over_bm25": _interval(made.gain),
            "corpora": [dict(zip(names, corpus, strict=True)) for corpus in made.corpora],
            "hybrid_by_corpus": {name: round(value, 4) for name, value in made.by_corpus.items()},
            "degraded": [{"channel": d.channel, "reason": d.reason, "mend": d.mend} for d in made.degraded],
        }
    )


def _interval(value: Interval) -> dict[str, Any]:
    return {"mrr10": round(value.mean, 4), "low": round(value.low, 4), "high": round(value.high, 4)}


@contextmanager
def _work(chosen: Path | None) -> Iterator[Path]:
    if chosen is not None:
        yield chosen.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="codeintel-rev-eval-") as made:
        yield Path(made)
