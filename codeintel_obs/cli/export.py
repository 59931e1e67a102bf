"""`codeintel-obs export`: runs as a Parquet table, or as a zip of their very files."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Final

from codeintel_obs.cli.finding import add_run, attempts_of, data_dirs
from codeintel_obs.cli.output import write, write_json
from codeintel_obs.cli.parsing import add_data_dir, add_json, parser
from codeintel_obs.errors import CodeIntelObsError, RunNotFoundError

if TYPE_CHECKING:
    from codeintel_obs.report.attempts import Attempt

_EXAMPLES: Final = """\
  codeintel-obs export --to parquet nightly-42 -o run.parquet   a row a record, for any tool that reads Parquet
  codeintel-obs export --to parquet --all -o ledger.parquet
  codeintel-obs export --to zip nightly-42 -o run.zip           its files and manifests, as they lie there
      unzip run.zip -d moved && codeintel-obs report nightly-42 --data-dir moved

A damaged line is in no Parquet table, and in every zip. Exit codes: 0 written, 2 wrong use, 3 no such run."""
_TARGETS: Final = ("parquet", "zip")


def main(words: list[str]) -> int:
    """Write runs to a file."""
    options = _parse(words)
    folders = data_dirs(options)
    attempts = [] if options.all else attempts_of(options.run, folders)
    count, what = _parquet(options, folders, attempts) if options.to == "parquet" else _zip(options, folders, attempts)
    if options.json:
        write_json({"file": os.path.abspath(options.output), "to": options.to, what: count})
    else:
        write(f"{options.output}: {count:,} {what}\n")
    return 0


def _parse(words: list[str]) -> argparse.Namespace:
    made = parser("export", "Write runs for elsewhere.", _EXAMPLES)
    add_run(made, "--all", "every run of the data directories")
    made.add_argument("--to", choices=_TARGETS, required=True, help="parquet: a table of records; zip: the very files")
    made.add_argument("-o", "--output", metavar="FILE", required=True, help="write to FILE")
    add_json(made)
    add_data_dir(made)
    options = made.parse_args(words)
    if bool(options.run) == options.all:
        made.error("name a RUN, or --all")
    return options


def _parquet(options: argparse.Namespace, folders: list[str], attempts: list[Attempt]) -> tuple[int, str]:
    from codeintel_obs.query.exporting import export_parquet

    return export_parquet(options.output, folders, {each.run_id for each in attempts}), "records"


def _zip(options: argparse.Namespace, folders: list[str], attempts: list[Attempt]) -> tuple[int, str]:
    from codeintel_obs.report.archive import write_zip
    from codeintel_obs.report.attempts import every

    found = every(folders) if options.all else attempts
    if not found:
        raise RunNotFoundError(f"no run in {', '.join(folders)}; record one: codeintel-obs run -- CMD")
    try:
        return write_zip(options.output, found), "ledger files"
    except OSError as exc:
        raise CodeIntelObsError(
            f"{options.output}: cannot be written ({exc.strerror}); name another file with -o"
        ) from exc
