"""`codeintel-obs diff`: what is other in one run than in another, by the identity of their steps."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, Final

from codeintel_obs.cli.finding import attempts_of, chosen, data_dirs
from codeintel_obs.cli.output import width, write, write_json
from codeintel_obs.cli.parsing import add_data_dir, add_json, parser
from codeintel_obs.errors import RunNotFoundError

if TYPE_CHECKING:
    from codeintel_obs.report.attempts import Attempt

_EXAMPLES: Final = """\
  codeintel-obs diff good bad                  what the bad run did otherwise than the good one
  codeintel-obs diff nightly nightly           the newest attempt of a run against the one before it
  codeintel-obs diff nightly nightly --attempt-a 1 --attempt-b 4
  codeintel-obs diff main branch --slower 1.2 --exit-code

Steps are compared by their identity: their kinds from the root down (`http.request > retrieval.fuse >
duckdb.query`), whatever ids, times and threads they had. Of several steps of one identity the statuses and
values are compared together, so that another order is no difference. A payload key that hardly has the same
value twice within each run is noise. So is a duration, unless 9 of 10 in one run are longer than 9 of 10 in
the other; of less than 5 durations the noise is not known, and a difference below 1 ms is not told.

Exit codes: 0 told, 1 with --exit-code when the runs differ, 2 wrong use, 3 no such run."""


def main(words: list[str]) -> int:
    """Print what is other in B than in A."""
    options = _parse(words)
    from codeintel_obs.report.compare import compare

    diff = compare(*_pair(options), options.slower)
    if options.json:
        import msgspec

        write_json(msgspec.to_builtins(diff))
    else:
        from codeintel_obs.report.render_diff import render

        write(render(diff, width()))
    return int(options.exit_code and not diff.same)


def _parse(words: list[str]) -> argparse.Namespace:
    made = parser("diff", "Tell what is other in run B than in run A.", _EXAMPLES)
    for name in ("a", "b"):
        made.add_argument(name, metavar=name.upper(), help="a run's id, as `report` takes it")
    for name in ("a", "b"):
        made.add_argument(
            f"--attempt-{name}", metavar="N", type=int, help=f"which attempt of {name.upper()}; default: the newest"
        )
    made.add_argument(
        "--slower", metavar="RATIO", type=float, default=1.5, help="tell of durations from this ratio on; default 1.5"
    )
    made.add_argument("--exit-code", action="store_true", help="exit 1 when the runs differ")
    add_json(made)
    add_data_dir(made)
    options = made.parse_args(words)
    if not (math.isfinite(options.slower) and options.slower > 1):
        made.error(f"--slower {options.slower}: expected a number above 1")
    return options


def _pair(options: argparse.Namespace) -> tuple[Attempt, Attempt]:
    """Return the two attempts; of one run named twice, its newest and the one before that."""
    folders = data_dirs(options)
    of_a, of_b = (attempts_of(name, folders) for name in (options.a, options.b))
    b = chosen(of_b, options.attempt_b)
    if options.attempt_a is None and of_a[-1].run_id == b.run_id:
        earlier = [each for each in of_a if each.number < b.number]
        if not earlier:
            raise RunNotFoundError(f"run {b.run_id} has no attempt before {b.number} to compare it with")
        return earlier[-1], b
    return chosen(of_a, options.attempt_a), b
