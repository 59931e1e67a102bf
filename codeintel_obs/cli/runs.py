"""`codeintel-obs runs`: the recorded runs, newest first, filtered by what one remembers of them."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from codeintel_obs.cli.finding import data_dirs
from codeintel_obs.cli.output import table, width, write, write_json
from codeintel_obs.cli.parsing import add_data_dir, add_json, parser

if TYPE_CHECKING:
    from codeintel_obs.report_model import RunReport

_EXAMPLES: Final = """\
  codeintel-obs runs                              the last 20
  codeintel-obs runs --failed --since 2h          failed, timed out or interrupted in two hours
  codeintel-obs runs --since 2026-11-22T08:00 --kind duckdb.query
  codeintel-obs runs --trace-id 4bf92f3577b34da6a3ce929d0e0e4736 --json"""
_BAD: Final = frozenset({"failed", "timed_out", "interrupted"})
_LEAST: Final = 60
_AGE: Final = re.compile(r"(\d+)([smhdw])\Z")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def main(words: list[str]) -> int:
    """Print the runs that match all filters; an empty list is no error."""
    options = _parse(words)
    rows = [_row(report) for report in _matching(options)]
    if options.json:
        write_json({"runs": rows})
    elif rows:
        write(_table(rows))
    else:
        write(_nothing(options))
    return 0


def since(text: str) -> datetime:
    """Return a moment from ``2h``, ``30m``, ``7d``, or an ISO 8601 date or time (UTC unless it says otherwise)."""
    age = _AGE.match(text)
    try:
        if age:
            return datetime.now(UTC) - timedelta(**{_UNITS[age[2]]: int(age[1])})
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        message = f"expected an age like 2h or 7d, or a time like 2026-11-22T08:00, not {text!r}"
        raise argparse.ArgumentTypeError(message) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _parse(words: list[str]) -> argparse.Namespace:
    made = parser("runs", "List recorded runs, newest first.", _EXAMPLES)
    made.add_argument("--failed", action="store_true", help="only runs that failed, timed out or were interrupted")
    made.add_argument("--since", metavar="T", type=since, help="only runs begun since: 2h, 7d, or an ISO 8601 time")
    made.add_argument("--trace-id", metavar="X", help="only runs that have this trace")
    made.add_argument("--session", metavar="X", help="only runs of this session, as it was given")
    made.add_argument("--kind", metavar="K", help="only runs in which a step of this kind began")
    made.add_argument("--limit", metavar="N", type=int, default=20, help="at most so many; default 20, 0 for all")
    add_json(made)
    add_data_dir(made)
    options = made.parse_args(words)
    if options.limit < 0:
        made.error(f"--limit {options.limit}: expected 0 or more")
    return options


def _matching(options: argparse.Namespace) -> Iterator[RunReport]:
    from codeintel_obs.report.attempts import newest_first, report_of

    found = 0
    for attempts in newest_first(data_dirs(options)):
        report = report_of(attempts[-1], keep=0)
        if options.since and report.started_at and datetime.fromisoformat(report.started_at) < options.since:
            continue
        if _matches(report, options):
            yield report
            found += 1
            if found == options.limit:
                return


def _nothing(options: argparse.Namespace) -> str:
    where = ", ".join(data_dirs(options))
    if options.failed or options.since or options.trace_id or options.session or options.kind:
        return f"no run in {where} matches; leave a filter out, or raise --limit\n"
    return f"no run in {where}; record one: codeintel-obs run -- CMD\n"


def _matches(report: RunReport, options: argparse.Namespace) -> bool:
    from codeintel_obs.runs import accept_id

    kinds = {*report.ran, *(absent.kind for absent in report.did_not_run if absent.why == "skipped")}
    return (
        (not options.failed or report.outcome in _BAD)
        and (not options.trace_id or options.trace_id.lower() in report.trace_ids)
        and (not options.session or report.session_id in {options.session, accept_id(options.session)[0]})
        and (not options.kind or options.kind in kinds)
    )


def _row(report: RunReport) -> dict[str, Any]:
    from codeintel_obs.report.render_text import verdict

    return {
        "run_id": report.run_id,
        "name": report.name,
        "outcome": report.outcome,
        "verdict": verdict(report),
        "attempts": report.attempts,
        "session_id": report.session_id,
        "started_at": report.started_at,
        "steps": report.steps_total,
        "duration_ns": report.duration_ns,
        "complete": report.integrity.complete,
        "ledger_path": report.ledger_path,
    }


def _table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as columns, and beneath each run that did not do well the reason: it is what one looks for."""
    from codeintel_obs.report.words import clip, duration, moment, plain

    complete = {True: "yes", False: "NO", None: "?"}
    body = [
        (
            moment(row["started_at"]),
            plain(row["run_id"]),
            clip(plain(row["name"] or "-"), 32),
            row["outcome"],
            f"{row['steps']:,}",
            duration(row["duration_ns"]),
            complete[row["complete"]],
        )
        for row in rows
    ]
    head, *lines = table(("began", "run", "name", "outcome", "steps", "lasted", "complete"), body).splitlines()
    told = [f"{line}\n{_why(row)}" for line, row in zip(lines, rows, strict=True)]
    return f"{head}\n{''.join(told)}"


def _why(row: dict[str, Any]) -> str:
    if row["outcome"] not in _BAD:
        return ""
    from codeintel_obs.report.words import clip

    return clip(f"  {row['verdict'].partition('  ')[2]}", max(width(), _LEAST)) + "\n"
