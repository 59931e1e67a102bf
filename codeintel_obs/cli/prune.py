"""`codeintel-obs prune`: removes what is beyond the limits, or what is asked for, and says what it removed and why."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from codeintel_obs.cli.compacted import repacking
from codeintel_obs.cli.finding import data_dirs
from codeintel_obs.cli.output import table, write, write_json
from codeintel_obs.cli.parsing import add_data_dir, add_json, parser
from codeintel_obs.errors import CodeIntelObsError, RunNotFoundError

if TYPE_CHECKING:
    from codeintel_obs.ledger.candidates import Candidate
    from codeintel_obs.ledger.removal import Pruned
    from codeintel_obs.ledger.retention import Limits

_EXAMPLES: Final = """\
  codeintel-obs prune --dry-run                       what the settings' limits would remove
  codeintel-obs prune --max-days 7 --failed-days 30   runs that did not do well are kept longer
  codeintel-obs prune --max-bytes 500M --max-runs 10000
  codeintel-obs prune --run nightly-42                every attempt of this run, and nothing else
  codeintel-obs prune --session alice                 every run of this session, and nothing else

An open run is never removed. Each removed run leaves a tombstone: `report` says that it was pruned.
Exit codes: 0 done, 1 what was asked for is still being written, 2 wrong use, 3 no such run or session."""
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)([KMGT]?)(?:i?B)?\Z", re.IGNORECASE)
_SHOWN: Final = 40
_HELD: Final = 1


def main(words: list[str]) -> int:
    """Prune every data directory; return 1 when something that was named is open, and therefore still there."""
    options = _parse(words)
    rows: list[dict[str, Any]] = []
    for folder in data_dirs(options):
        done = _of(folder, options)
        if done.busy:
            raise CodeIntelObsError(
                f"{folder}: another process is pruning, redacting or compacting; try again when it is done"
            )
        rows.append(_row(folder, done))
    if (options.run or options.session) and not any(row["attempts"] or row["open"] for row in rows):
        raise RunNotFoundError(f"nothing of it in {', '.join(data_dirs(options))}; `codeintel-obs runs` lists what is")
    if options.json:
        write_json({"dry_run": options.dry_run, "data_dirs": rows})
    else:
        write("".join(_told(row, dry_run=options.dry_run) for row in rows))
    return _HELD if any(row["open"] for row in rows) else 0


def size(text: str) -> int:
    """Return bytes from ``2G``, ``500M``, ``1.5GiB`` or a plain number; the units are powers of 1024."""
    found = _SIZE.match(text)
    if not found:
        raise argparse.ArgumentTypeError(f"expected a size like 500M or 2G, not {text!r}")
    return int(float(found[1]) * 1024 ** " KMGT".index(found[2].upper() or " "))


def _parse(words: list[str]) -> argparse.Namespace:
    made = parser("prune", "Remove what is beyond the limits, or the runs that are named.", _EXAMPLES)
    made.add_argument("--run", metavar="RUN", action="append", help="only this run (repeatable): as it was given")
    made.add_argument("--session", metavar="X", action="append", help="only runs of this session (repeatable)")
    limits: dict[str, tuple[Callable[[str], Any], str, str]] = {
        "--max-days": (_from_nothing, "N", "most days that a run is kept; default: the setting"),
        "--failed-days": (_from_nothing, "N", "most days for what failed, timed out or was interrupted"),
        "--max-bytes": (size, "SIZE", "most bytes of all ledgers together; default: the setting"),
        "--max-runs": (int, "N", "most attempts that are kept"),
        "--min-free": (_from_nothing, "SHARE", "share of the file system left free; default: the setting"),
    }
    for name, (parse, metavar, told) in limits.items():
        made.add_argument(name, type=parse, metavar=metavar, help=told)
    made.add_argument("--dry-run", action="store_true", help="say what would be removed, and remove nothing")
    add_json(made)
    add_data_dir(made)
    options = made.parse_args(words)
    given = [name for name in limits if getattr(options, name[2:].replace("-", "_")) is not None]
    if given and (options.run or options.session):
        made.error(f"{given[0]} is a limit on all runs; leave it out, or leave --run and --session out")
    return options


def _from_nothing(text: str) -> float:
    number = float(text)
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number from 0 on, not {text!r}")
    return number


def _of(folder: str, options: argparse.Namespace) -> Pruned:
    from codeintel_obs.ledger.retention import delete, prune

    if options.run or options.session:
        return delete(folder, _named(options), dry_run=options.dry_run, repack=repacking([folder]))
    return prune(folder, _limits(options), dry_run=options.dry_run, repack=repacking([folder]))


def _named(options: argparse.Namespace) -> Callable[[Candidate], bool]:
    """Return whether an attempt is of one of the runs or sessions, under the name that hostile input is stored by."""
    from codeintel_obs.runs import accept_id

    runs = {name for raw in options.run or () for name in (raw, accept_id(raw)[0])}
    sessions = {name for raw in options.session or () for name in (raw, accept_id(raw)[0])}

    def wanted(each: Candidate) -> bool:
        firsts = [file.first for file in each.attempt.files()]
        return each.attempt.run_id in runs or any(first and first.session_id in sessions for first in firsts)

    return wanted


def _limits(options: argparse.Namespace) -> Limits:
    from codeintel_obs.ledger.retention import Limits
    from codeintel_obs.settings import load

    settings = load()

    def either(name: str) -> Any:
        given = getattr(options, name)
        return getattr(settings, name) if given is None else given

    limits = Limits(int(either("max_bytes")), either("max_days"), either("min_free"))
    return Limits(limits.max_bytes, limits.max_days, limits.min_free, options.max_runs, options.failed_days)


def _row(folder: str, done: Pruned) -> dict[str, Any]:
    return {
        "data_dir": folder,
        "attempts": done.attempts,
        "files": done.files,
        "removed_bytes": done.removed_bytes,
        "kept_bytes": done.kept_bytes,
        "open": [{"run_id": each.run_id, "attempt": each.attempt} for each in done.open],
        "pruned": [
            {"run_id": each.run_id, "attempt": each.attempt, "day": each.day, "reason": each.reason, "bytes": each.size}
            for each in done.gone
        ],
    }


def _told(row: dict[str, Any], *, dry_run: bool) -> str:
    from codeintel_obs.report.words import plain, plural

    gone = row["pruned"]
    cells = [(each["day"], plain(each["run_id"]), each["reason"], _mib(each["bytes"])) for each in gone[:_SHOWN]]
    lines = table(("day", "run", "why", "size"), cells) if gone else ""
    if len(gone) > _SHOWN:
        lines += f"… and {len(gone) - _SHOWN:,} more: --json has them\n"
    for each in row["open"]:
        lines += f"still being written, and kept: {plain(each['run_id'])}\n"
    does = "would remove" if dry_run else "removed"
    held = f"{plural(row['attempts'], 'attempt')}, {_mib(row['removed_bytes'])}; {_mib(row['kept_bytes'])}"
    return f"{lines}{plain(row['data_dir'])}: {does} {held} {'would stay' if dry_run else 'stay'}\n"


def _mib(count: int) -> str:
    return f"{count / 2**20:,.1f} MiB"
