"""`codeintel-obs runs`: the recorded runs, newest first, filtered by what one remembers of them."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import islice
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
  codeintel-obs runs --pruned                     which were removed, when and why
  codeintel-obs runs --trace-id 4bf92f3577b34da6a3ce929d0e0e4736 --json"""
_BAD: Final = frozenset({"failed", "timed_out", "interrupted"})
_LEAST: Final = 60
_AGE: Final = re.compile(r"(\d+)([smhdw])\Z")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def main(words: list[str]) -> int:
    """Print the runs that match all filters; an empty list is no error."""
    options = _parse(words)
    if options.pruned:
        return _pruned(options)
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
    made.add_argument("--pruned", action="store_true", help="the runs that were removed instead: which, when and why")
    made.add_argument(
        "--no-index", action="store_true", help="read every run, and neither use nor make the index of runs"
    )
    made.add_argument("--limit", metavar="N", type=int, default=20, help="at most so many; default 20, 0 for all")
    add_json(made)
    add_data_dir(made)
    options = made.parse_args(words)
    if options.limit < 0:
        made.error(f"--limit {options.limit}: expected 0 or more")
    return options


def _matching(options: argparse.Namespace) -> Iterator[RunReport]:
    from codeintel_obs.cli.listing import Filters, Listing

    filters = Filters(options.failed, options.since, options.trace_id, options.session, options.kind)
    with closing(Listing(data_dirs(options), filters, use_index=not options.no_index).reports()) as found:
        yield from islice(found, options.limit or None)


def _pruned(options: argparse.Namespace) -> int:
    """Print the tombstones, newest first; they hold no session, trace or outcome, so only --since filters them."""
    from codeintel_obs.ledger.tombstones import tombstones
    from codeintel_obs.report.words import moment, plain

    found = sorted((each for folder in data_dirs(options) for each in tombstones(folder)), key=lambda each: each.ts)
    if options.since:
        found = [each for each in found if datetime.fromisoformat(each.ts) >= options.since]
    found = found[::-1][: options.limit or None]
    if options.json:
        write_json({"pruned": [each._asdict() for each in found]})
    elif found:
        cells = [(moment(each.ts), plain(each.run_id), plain(each.day), plain(each.reason)) for each in found]
        write(table(("pruned", "run", "of", "why"), cells))
    else:
        write(f"no run in {', '.join(data_dirs(options))} was pruned\n")
    return 0


def _nothing(options: argparse.Namespace) -> str:
    where = ", ".join(data_dirs(options))
    if options.failed or options.since or options.trace_id or options.session or options.kind:
        return f"no run in {where} matches; leave a filter out, or raise --limit\n"
    return f"no run in {where}; record one: codeintel-obs run -- CMD\n"


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
