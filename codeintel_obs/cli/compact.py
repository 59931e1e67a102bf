"""`codeintel-obs compact`: packs closed runs of past days into Parquet, or puts a run's files back."""

from __future__ import annotations

import argparse
import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from codeintel_obs.cli.finding import attempts_of, data_dirs
from codeintel_obs.cli.output import table, write, write_json
from codeintel_obs.cli.parsing import add_data_dir, add_json, parser
from codeintel_obs.errors import CodeIntelObsError

if TYPE_CHECKING:
    from codeintel_obs.query.compaction import Compacted

_EXAMPLES: Final = """\
  codeintel-obs compact                       closed runs, a day old, of days that are over
  codeintel-obs compact --dry-run --older-than 7d
  codeintel-obs compact --keep                write and prove the Parquet, and leave the files too
  codeintel-obs compact --restore nightly-42  put this run's files back where they lay

Each day's lines go into telemetry/compacted/day=DAY/*.parquet, are read back from the disk and proved, line by
line and file by file; only then the files go. Every command reads compacted runs as before. Runs that are open
or damaged stay as they are, and so do those that did not do well, unless --failed is given.
Exit codes: 0 done, 2 wrong use or no room, 3 DuckDB is missing or no such run, 4 the proof failed: nothing was removed."""
_AGE: Final = re.compile(r"(\d+(?:\.\d+)?)([smhdw])\Z")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SHOWN: Final = 20


def main(words: list[str]) -> int:
    """Compact every data directory."""
    options = _parse(words)
    from codeintel_obs.query.library import duckdb

    duckdb("compaction")  # before anything is touched
    if options.restore:
        return _restore(options)
    rows = [_row(folder, options) for folder in data_dirs(options)]
    if options.json:
        write_json({"dry_run": options.dry_run, "data_dirs": rows})
    else:
        write("".join(_told(row, options) for row in rows))
    return 0


def age(text: str) -> float:
    """Return seconds from ``1d``, ``12h``, ``0s``."""
    found = _AGE.match(text)
    if not found:
        raise argparse.ArgumentTypeError(f"expected an age like 1d or 12h, not {text!r}")
    return float(found[1]) * _UNITS[found[2]]


def _parse(words: list[str]) -> argparse.Namespace:
    made = parser("compact", "Pack closed runs of past days into Parquet.", _EXAMPLES)
    made.add_argument(
        "--older-than", metavar="AGE", type=age, default="1d", help="written to last longer ago; default 1d"
    )
    made.add_argument(
        "--failed", action="store_true", help="also runs that failed, timed out or were interrupted, but closed"
    )
    made.add_argument("--keep", action="store_true", help="leave the files beside their Parquet file")
    made.add_argument("--restore", metavar="RUN", help="put the files of this run back, and take it out of its Parquet")
    made.add_argument("--dry-run", action="store_true", help="say what would be compacted, and write nothing")
    add_json(made)
    add_data_dir(made)
    options = made.parse_args(words)
    if options.restore and (options.keep or options.dry_run or options.failed):
        made.error("--restore stands alone, with --data-dir and --json")
    return options


def _row(folder: str, options: argparse.Namespace) -> dict[str, Any]:
    import msgspec

    from codeintel_obs.query.compaction import Wanted, compact

    wanted = Wanted(options.older_than, options.failed, options.keep, options.dry_run)
    try:
        done = compact(folder, wanted)
    except OSError as exc:
        raise CodeIntelObsError(
            f"{folder}: {exc.filename or ''} {exc.strerror}; files that are not packed stay"
        ) from exc
    if done.busy:
        raise CodeIntelObsError(_busy(folder))
    return {"data_dir": folder, **_plain(done, msgspec.to_builtins(done))}


def _busy(folder: str) -> str:
    return f"{folder}: another process is pruning, redacting or compacting; try again when it is done"


def _plain(done: Compacted, told: dict[str, Any]) -> dict[str, Any]:
    del told["busy"]
    return {**told, "left_because": dict(sorted(Counter(each.why for each in done.left).items()))}


def _told(row: dict[str, Any], options: argparse.Namespace) -> str:
    from codeintel_obs.report.words import plain, plural

    left = [each for each in row["left"] if each["why"] == "damaged"]
    cells = [(each["day"], plain(each["run_id"]), "run `codeintel-obs verify` on it") for each in left[:_SHOWN]]
    lines = table(("day", "not whole", ""), cells) if left else ""
    lines += f"… and {len(left) - _SHOWN:,} more: --json has them\n" if len(left) > _SHOWN else ""
    where = plain(row["data_dir"])
    if row["finished"]:
        lines += f"{where}: {plural(row['finished'], 'file')} removed that an earlier compaction had packed\n"
    does = "would compact" if options.dry_run else "compacted"
    held = f"{plural(row['attempts'], 'attempt')}, {plural(row['files'], 'file')}"
    became = "" if options.dry_run else f", {_mib(row['before'])} became {_mib(row['after'])}"
    stay = ", ".join(f"{count:,} {why}" for why, count in row["left_because"].items())
    if not row["attempts"] and not stay:
        return f"{lines}{where}: nothing to compact; only closed runs of days that are over (UTC) are\n"
    return f"{lines}{where}: {does} {held}{became}{f'; left as they are: {stay}' if stay else ''}\n"


def _mib(count: int) -> str:
    return f"{count / 2**20:,.1f} MiB"


def _restore(options: argparse.Namespace) -> int:
    from contextlib import ExitStack

    from codeintel_obs.ledger.removal import only_one
    from codeintel_obs.query.repacking import restore

    folders = data_dirs(options)
    with ExitStack() as held:
        for folder in folders:
            if not held.enter_context(only_one(folder, touch=False)):
                raise CodeIntelObsError(_busy(folder))
        try:
            back = [(each.run_id, each.number, restore(each.files)) for each in attempts_of(options.restore, folders)]
        except OSError as exc:
            raise CodeIntelObsError(f"{options.restore}: cannot be put back ({exc.strerror})") from exc
    if options.json:
        write_json({"restored": [dict(zip(("run_id", "attempt", "files"), each, strict=True)) for each in back]})
    else:
        from codeintel_obs.report.words import plain, plural

        write("".join(f"{plain(run_id)}: {plural(files, 'file')} put back\n" for run_id, _, files in back))
    return 0
