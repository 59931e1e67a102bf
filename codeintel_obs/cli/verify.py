"""`codeintel-obs verify`: proves again that a ledger holds what its writers wrote, and says where it does not."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Final

from codeintel_obs.cli.finding import add_run, attempts_of, data_dirs
from codeintel_obs.cli.output import write, write_json
from codeintel_obs.cli.parsing import add_data_dir, add_json, parser

if TYPE_CHECKING:
    from codeintel_obs.report.attempts import Attempt

_EXAMPLES: Final = """\
  codeintel-obs verify 20261122T175022.123-9f3c1a2b4d
  codeintel-obs verify --all --json

Checked are every line's checksum, the numbering without gaps, and that each writer closed its file
or is gone. Exit codes: 0 whole, 3 no such run, 4 damaged."""
_DAMAGED: Final = 4


def main(words: list[str]) -> int:
    """Print what was proved of each attempt; return 4 when one of them is damaged."""
    options = _parse(words)
    rows = [_row(attempt) for attempt in _attempts(options)]
    if options.json:
        write_json({"attempts": rows})
    else:
        write("".join(map(_line, rows)) + _summary(rows, options) if rows else _nothing(options))
    return _DAMAGED if any(row["damaged"] for row in rows) else 0


def _summary(rows: list[dict[str, Any]], options: argparse.Namespace) -> str:
    if not options.all:
        return ""
    damaged = sum(row["damaged"] for row in rows)
    return f"{len(rows):,} checked, {f'{damaged:,} damaged' if damaged else 'none damaged'}\n"


def _nothing(options: argparse.Namespace) -> str:
    return f"no ledger in {', '.join(data_dirs(options))}; record one: codeintel-obs run -- CMD\n"


def _parse(words: list[str]) -> argparse.Namespace:
    made = parser("verify", "Prove again that a ledger holds what was written.", _EXAMPLES)
    add_run(made, "--all", "every run of the data directories")
    add_json(made)
    add_data_dir(made)
    options = made.parse_args(words)
    if bool(options.run) == options.all:
        made.error("name a RUN, or --all")
    return options


def _attempts(options: argparse.Namespace) -> list[Attempt]:
    folders = data_dirs(options)
    if not options.all:
        return attempts_of(options.run, folders)
    from codeintel_obs.report.attempts import every

    return every(folders)


def _row(attempt: Attempt) -> dict[str, Any]:
    import msgspec

    from codeintel_obs.ledger.reader import TORN
    from codeintel_obs.ledger.verifier import OPEN, UNKNOWN
    from codeintel_obs.report.attempts import integrity_of

    found = integrity_of(attempt)
    harmless = {OPEN, UNKNOWN, TORN}
    damaged = any(problem.kind not in harmless for problem in found.problems)
    where = {"run_id": attempt.run_id, "attempt": attempt.number, "ledger_path": attempt.ledger_path}
    return {**where, "damaged": damaged, **msgspec.to_builtins(found)}


def _line(row: dict[str, Any]) -> str:
    from codeintel_obs.report.words import plain, plural

    word = "DAMAGED" if row["damaged"] else {True: "whole", False: "open", None: "unknown"}[row["complete"]]
    held = f"{plural(row['records'], 'record')} in {plural(row['files'], 'file')}"
    lines = [f"{word:<8}  {plain(row['run_id'])}  attempt {row['attempt']}  {held}\n"]
    lines += [f"          {plain(each['evidence'])}  {plain(each['message'])}\n" for each in row["problems"]]
    return "".join(lines)
