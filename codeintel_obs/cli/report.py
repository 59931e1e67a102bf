"""`codeintel-obs report`: what ran, what did not, and why it stopped where it did, with the proof of each."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from codeintel_obs.cli.finding import add_run, attempts_of, data_dirs, last
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
  codeintel-obs report --last --exit-code            exit 1 when the run did not do well

Exit codes: 0 told, 1 with --exit-code when the run failed, timed out or was interrupted,
            2 wrong use, 3 no such run."""
_BAD: Final = frozenset({"failed", "timed_out", "interrupted"})
_LATER: Final = frozenset({"md", "html"})
_FILE_WIDTH: Final = 120


def main(words: list[str]) -> int:
    """Print a Run Report."""
    options = _parse(words)
    folders = data_dirs(options)
    attempts = last(folders) if options.last else attempts_of(options.run, folders)
    from codeintel_obs.report.attempts import report_of

    report = report_of(_chosen(attempts, options.attempt))
    text = _rendered(report, options)
    if options.output:
        _save(options.output, text)
    else:
        write(text)
    return 1 if options.exit_code and report.outcome in _BAD else 0


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
        help="default: text; md and html are not there yet",
    )
    made.add_argument("--json", dest="format", action="store_const", const="json", help="the same as --format json")
    made.add_argument("-o", "--output", metavar="FILE", help="write to FILE")
    made.add_argument("--exit-code", action="store_true", help="exit 1 when the run did not do well")
    add_data_dir(made)
    options = made.parse_args(words)
    if bool(options.run) == options.last:
        made.error("name a RUN, or --last")
    if options.format in _LATER:
        made.error(f"--format {options.format} is not there yet; there are text and json")
    return options


def _chosen(attempts: list[Attempt], number: int | None) -> Attempt:
    if number is None:
        return attempts[-1]
    if not 1 <= number <= len(attempts):
        raise RunNotFoundError(f"run {attempts[0].run_id} has attempts 1 to {len(attempts)}, and no {number}")
    return attempts[number - 1]


def _rendered(report: RunReport, options: argparse.Namespace) -> str:
    if options.format == "json":
        from codeintel_obs.report.render_json import render as as_json

        return as_json(report)
    from codeintel_obs.report.render_text import render

    return render(report, _FILE_WIDTH if options.output else width())


def _save(path: str, text: str) -> None:
    try:
        Path(path).write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as exc:
        raise CodeIntelObsError(f"{path}: cannot be written ({exc.strerror}); name another file with -o") from exc
