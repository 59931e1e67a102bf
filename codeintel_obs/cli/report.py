"""`codeintel-obs report`: what ran, what did not, and why it stopped where it did, with the proof of each."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from codeintel_obs.cli.finding import add_run, attempts_of, chosen, data_dirs, last
from codeintel_obs.cli.output import width, write
from codeintel_obs.cli.parsing import add_data_dir, parser
from codeintel_obs.errors import CodeIntelObsError, RunNotFoundError

if TYPE_CHECKING:
    from codeintel_obs.report.attempts import Attempt
    from codeintel_obs.report_model import RunReport

_EXAMPLES: Final = """\
  codeintel-obs report --last                        the run that began last
  codeintel-obs report nightly-42 --attempt 1        its first attempt; the newest is the default
  codeintel-obs report --last --format json -o r.json
  codeintel-obs report --last --max-tokens 1000      what a language model needs first, and no more
  codeintel-obs report --last --format html -o r.html
  codeintel-obs report --spans spans.jsonl           from sampled spans, and where they disagree with a ledger
  codeintel-obs report --last --exit-code            exit 1 when the run did not do well

Exit codes: 0 told, 1 with --exit-code when the run failed, timed out or was interrupted,
            2 wrong use, 3 no such run."""
_BAD: Final = frozenset({"failed", "timed_out", "interrupted"})
_FILE_WIDTH: Final = 120


def main(words: list[str]) -> int:
    """Print a Run Report."""
    options = _parse(words)
    from codeintel_obs.launch.reading import completed

    report = completed(_with_spans(options) if options.spans else _of_ledger(options))
    text = _rendered(report, options)
    if options.output:
        _save(options.output, text)
    else:
        write(text)
    return 1 if options.exit_code and report.outcome in _BAD else 0


def _of_ledger(options: argparse.Namespace) -> RunReport:
    from codeintel_obs.report.attempts import report_of

    return report_of(_attempt(options, options.run))


def _attempt(options: argparse.Namespace, run: str | None) -> Attempt:
    folders = data_dirs(options)
    attempts = last(folders) if options.last or run is None else attempts_of(run, folders)
    return chosen(attempts, options.attempt)


def _with_spans(options: argparse.Namespace) -> RunReport:
    """Return the report from ledger and spans, or where there is no ledger of the run, from its spans alone."""
    from codeintel_obs.report.attempts import report_of
    from codeintel_obs.report.sampled import beside, report_of_spans, sampled

    found = None if options.last else sampled(options.spans, options.run, options.attempt)
    try:
        attempt = _attempt(options, found.run_id if found else None)
    except RunNotFoundError:
        if found is None:
            raise
        return report_of_spans(found)
    return beside(options.spans, attempt, report_of(attempt))


def _parse(words: list[str]) -> argparse.Namespace:
    made = parser("report", "Tell what ran, what did not, and why it stopped where it did.", _EXAMPLES)
    add_run(made, "--last", "the run that began last")
    made.add_argument(
        "--attempt", metavar="N", type=int, help="which attempt, counted from 1 by begin; default: the newest"
    )
    made.add_argument(
        "--format",
        choices=("text", "json", "md", "html"),
        default="text",
        help="default: text; html is one page without network, md is for a ticket or a chat",
    )
    made.add_argument(
        "--max-tokens",
        metavar="N",
        type=int,
        help="a digest in at most N tokens, as estimated from above; payload text is fenced as data",
    )
    made.add_argument("--json", dest="format", action="store_const", const="json", help="the same as --format json")
    made.add_argument("-o", "--output", metavar="FILE", help="write to FILE")
    made.add_argument(
        "--spans",
        metavar="FILE",
        help="read sampled spans too: OTLP in JSON, as the collector's file exporter writes it",
    )
    made.add_argument("--exit-code", action="store_true", help="exit 1 when the run did not do well")
    add_data_dir(made)
    options = made.parse_args(words)
    if bool(options.run) == options.last and not (options.spans and not options.last):
        made.error("name a RUN, or --last")
    if options.max_tokens is not None:
        _check_digest(made, options)
    return options


def _check_digest(made: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    from codeintel_obs.report.digest import LEAST

    if options.max_tokens < LEAST:
        made.error(f"--max-tokens {options.max_tokens}: expected {LEAST} or more")
    if options.format != "text":
        made.error(f"--max-tokens gives a digest as text, and no {options.format}")


def _rendered(report: RunReport, options: argparse.Namespace) -> str:
    if options.max_tokens is not None:
        from codeintel_obs.report.digest import digest

        return digest(report, options.max_tokens)
    if options.format == "json":
        from codeintel_obs.report.render_json import render as as_json

        return as_json(report)
    if options.format == "md":
        from codeintel_obs.report.render_md import render as as_markdown

        return as_markdown(report)
    if options.format == "html":
        return _page(report)
    from codeintel_obs.report.render_text import render

    return render(report, _FILE_WIDTH if options.output else width())


def _page(report: RunReport) -> str:
    from codeintel_obs.report.raw import raw_records
    from codeintel_obs.report.render_html import render

    return render(report, raw_records(report))


def _save(path: str, text: str) -> None:
    try:
        Path(path).write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as exc:
        raise CodeIntelObsError(f"{path}: cannot be written ({exc.strerror}); name another file with -o") from exc
