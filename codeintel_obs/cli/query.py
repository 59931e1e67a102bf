"""`codeintel-obs query`: a question in SQL over every record, in files and in Parquet alike."""

from __future__ import annotations

import argparse
import re
import sys
from typing import Any, Final

from codeintel_obs.cli.finding import data_dirs
from codeintel_obs.cli.output import table, write, write_json
from codeintel_obs.cli.parsing import add_data_dir, add_json, parser

_EXAMPLES: Final = """\
  codeintel-obs query "SELECT kind, status, count(*) FROM steps GROUP BY ALL ORDER BY 3 DESC"
  codeintel-obs query "SELECT run_id, name, outcome FROM runs WHERE failed_steps > 0 ORDER BY started_at DESC LIMIT 20"
  codeintel-obs query "SELECT file || ':' || n AS evidence, payload->>'sql' FROM records WHERE kind = 'duckdb.query'" --json
  codeintel-obs query "DESCRIBE steps"

Views: records (one row a whole line of the ledger; `file` and `n` are its evidence), steps (begin and end together;
a step without an end is in_flight), runs (one row an attempt; outcome as its run.end says it). One SELECT, in DuckDB's
SQL: it can read nothing but the ledger, and change nothing. Times are UTC.
Exit codes: 0 told, 2 wrong use or wrong SQL, 3 DuckDB is missing."""
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d\Z")
_WIDEST: Final = 120


def main(words: list[str]) -> int:
    """Print the answer."""
    options = _parse(words)
    from codeintel_obs.query.sql import ask

    answer = ask(options.sql, data_dirs(options), options.since)
    if options.json:
        write_json({"rows": [dict(zip(answer.columns, row, strict=True)) for row in answer.rows],
                    "damaged_lines": answer.left_out})  # fmt: skip
    else:
        write(table(answer.columns, [[_cell(value) for value in row] for row in answer.rows]))
    if answer.left_out:
        print(
            f"codeintel-obs query: {answer.left_out:,} damaged line(s) were left out;"
            " `codeintel-obs verify --all` says which",
            file=sys.stderr,
        )
    return 0


def _parse(words: list[str]) -> argparse.Namespace:
    made = parser("query", "Ask the ledger in SQL.", _EXAMPLES)
    made.add_argument("sql", metavar="SQL", help="one SELECT over records, steps and runs")
    made.add_argument(
        "--since", metavar="DAY", default="", help="only runs begun on this day (UTC) or later: 2026-11-22"
    )
    add_json(made)
    add_data_dir(made)
    options = made.parse_args(words)
    if options.since and not _DAY.match(options.since):
        made.error(f"--since {options.since}: expected a day like 2026-11-22")
    return options


def _cell(value: Any) -> str:
    import msgspec

    from codeintel_obs.report.words import clip, plain

    if value is None:
        return "-"
    text = value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=str).decode()
    return clip(plain(text), _WIDEST)
