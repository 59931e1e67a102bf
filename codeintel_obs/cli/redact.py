"""`codeintel-obs redact`: takes secrets out of ledgers that are written already, and says where it did."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from codeintel_obs.cli.finding import add_run, attempts_of, data_dirs
from codeintel_obs.cli.output import write, write_json
from codeintel_obs.cli.parsing import add_data_dir, add_json, parser
from codeintel_obs.errors import CodeIntelObsError

if TYPE_CHECKING:
    from codeintel_obs.ledger.attempts import AttemptFiles
    from codeintel_obs.ledger.rewriting import Rewritten, Scrub

_EXAMPLES: Final = """\
  codeintel-obs redact --all --dry-run                   where today's redactor would take something out
  codeintel-obs redact nightly-42
  codeintel-obs redact --all --literal-from leaked.txt   one secret a line; - reads them from stdin

Closed files are made anew with fresh checksums, and a record in the run says which. An open run is left alone.
A chained file gets a new chain, and the record names its root before and after: `verify --root` knows neither by itself.
What was exported, printed or backed up is elsewhere: replace the credential as well.
Exit codes: 0 done, 1 a run is still being written, 2 wrong use, 3 no such run."""
_HELD: Final = 1
_SHORTEST: Final = 4


def main(words: list[str]) -> int:
    """Redact the attempts of a run, or all; return 1 when one of them is open and was left alone."""
    options = _parse(words)
    scrub = _scrub(_literals(options.literal_from))
    with ExitStack() as held:
        for folder in data_dirs(options):
            _hold(folder, held)
        rows = [_row(attempt, scrub, options) for attempt in _attempts(options)]
    days = {(row["data_dir"], row["day"]) for row in rows if row["files"]}
    if not options.dry_run:
        from codeintel_obs.ledger.index import forget

        for data_dir, day in days:
            forget(data_dir, [day])
    if options.json:
        write_json({"dry_run": options.dry_run, "attempts": [row for row in rows if row["files"] or row["open"]]})
    else:
        write(_told(rows, dry_run=options.dry_run))
    return _HELD if any(row["open"] for row in rows) else 0


def _hold(folder: str, held: ExitStack) -> None:
    """Keep pruning away meanwhile: a file that it removes must not come back under its name."""
    from codeintel_obs.ledger.places import RUNS
    from codeintel_obs.ledger.removal import only_one

    if not held.enter_context(only_one(folder)) and Path(folder, *RUNS).is_dir():
        raise CodeIntelObsError(f"{folder}: another process is pruning or redacting; try again when it is done")


def _parse(words: list[str]) -> argparse.Namespace:
    made = parser("redact", "Take secrets out of what is written already.", _EXAMPLES)
    add_run(made, "--all", "every run of the data directories")
    made.add_argument("--literal-from", metavar="FILE", help="texts to take out as well, one a line; - is stdin")
    made.add_argument("--dry-run", action="store_true", help="say what would change, and change nothing")
    add_json(made)
    add_data_dir(made)
    options = made.parse_args(words)
    if bool(options.run) == options.all:
        made.error("name a RUN, or --all")
    return options


def _literals(path: str | None) -> list[str]:
    """Return the texts that the user knows to be secrets, the longest first. They are never in our arguments."""
    if path is None:
        return []
    try:
        text = Path("/dev/stdin" if path == "-" else path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise CodeIntelObsError(f"--literal-from {path}: cannot be read ({exc}); name a text file") from exc
    found = sorted(set(filter(None, text.splitlines())), key=len, reverse=True)
    if any(len(each) < _SHORTEST for each in found):
        raise CodeIntelObsError(f"--literal-from {path}: a text of under {_SHORTEST} characters stands everywhere")
    return found


def _scrub(literals: list[str]) -> Scrub:
    from codeintel_obs.redact import MASK, redact

    def scrub(text: str) -> str:
        for each in literals:
            text = text.replace(each, MASK)
        return redact(text)

    return scrub


def _attempts(options: argparse.Namespace) -> list[AttemptFiles]:
    from codeintel_obs.ledger.attempts import list_runs

    folders = data_dirs(options)
    return list(list_runs(folders)) if options.all else [each.files for each in attempts_of(options.run, folders)]


def _row(attempt: AttemptFiles, scrub: Scrub, options: argparse.Namespace) -> dict[str, Any]:
    from codeintel_obs.ledger.candidates import candidate
    from codeintel_obs.ledger.rewriting import rewrite

    is_open = candidate(attempt).is_open
    try:
        found = [] if is_open else rewrite(attempt, scrub, dry_run=options.dry_run)
    except OSError as exc:
        raise CodeIntelObsError(f"{attempt.data_dir}: {attempt.run_id} cannot be rewritten ({exc.strerror})") from exc
    files = [_file(attempt.day, each) for each in found]
    where = {"data_dir": attempt.data_dir, "day": attempt.day}
    return {**where, "run_id": attempt.run_id, "attempt": attempt.attempt, "open": is_open, "files": files}


def _file(day: str, made: Rewritten) -> dict[str, Any]:
    told: dict[str, Any] = {"file": f"{day}/{made.file}", "lines": made.lines}
    return told if made.root_after is None else {**told, "root_before": made.root_before, "root_after": made.root_after}


def _told(rows: list[dict[str, Any]], *, dry_run: bool) -> str:
    from codeintel_obs.report.words import plain, plural

    verb = "would change" if dry_run else "redacted"
    lines = []
    for file in (file for row in rows for file in row["files"]):
        lines.append(f"{plain(file['file'])}: {plural(file['lines'], 'line')} {verb}\n")
        if "root_after" in file and not dry_run:
            lines.append(f"  its chain was made anew: root {file['root_before']} is now {file['root_after']}\n")
    lines += [f"still being written, and left alone: {plain(row['run_id'])}\n" for row in rows if row["open"]]
    return "".join(lines) or f"nothing to take out of {plural(len(rows), 'attempt')}\n"
