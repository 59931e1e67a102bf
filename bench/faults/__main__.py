"""The fault benchmark: each fault in a real run, and every field of its report against the expected one.

python -m bench.faults                      all, with the table in bench/results/faults.json
python -m bench.faults faiss git.hang       families or single cases
python -m bench.faults duckdb.locked --show what the reports say, in the words of the expectations
python -m bench.faults --opentelemetry      with what plain OpenTelemetry can answer beside it (needs its receiver)
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from . import cases, scores
from .plain import measure
from .running import Result, run_alone

RESULTS = Path(__file__).resolve().parents[1] / "results" / "faults.json"
BESIDE = RESULTS.with_name("faults_opentelemetry.json")


def main() -> int:
    """Run what was asked for; exit 1 when a field of any report is not as expected."""
    options = _options()
    chosen = cases.chosen(options.names)
    if not chosen:
        print(f"no case is called {' '.join(options.names)}; see --list", file=sys.stderr)
        return 2
    if options.list:
        print("\n".join(f"{each.sort:10} {each.name:36} {each.says}" for each in chosen))
        return 0
    if options.opentelemetry:
        BESIDE.parent.mkdir(exist_ok=True)
        kept = _beside() if options.names else {}
        measured = {**kept, **measure(chosen, options.jobs)}
        BESIDE.write_text(json.dumps({"commit": _commit(), "cases": measured}, indent=1) + "\n")
    results = _run(chosen, options)
    if options.show:
        print("\n".join(line for result in results for line in (f"# {result.case.name}", *result.told)))
    summary = scores.summary(results, _beside(), _commit())
    if not options.names:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(summary, indent=1) + "\n")
    print(json.dumps(summary, indent=1) if options.json else scores.table(summary))
    return 1 if any(result.wrong for result in results) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="families or cases; all by default")
    parser.add_argument("--list", action="store_true", help="say what there is")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    parser.add_argument("--show", action="store_true", help="print what the reports say")
    parser.add_argument("--opentelemetry", action="store_true", help="measure plain OpenTelemetry beside it")
    parser.add_argument("--jobs", type=int, choices=(1, 2), default=2, help="how many at once")
    return parser.parse_args()


def _run(chosen: list[cases.Case], options: argparse.Namespace) -> list[Result]:
    """Run the cases, those that need the machine for themselves after the others."""
    together = [case for case in chosen if not case.alone]
    found: dict[str, Result] = {}
    pool = ThreadPoolExecutor(options.jobs)
    try:
        for done, future in enumerate(as_completed([pool.submit(run_alone, case) for case in together]), 1):
            _progress(future.result(), found, done, len(chosen))
    finally:
        pool.shutdown(cancel_futures=True)
    for case in chosen:
        if case.alone:
            _progress(run_alone(case), found, len(found) + 1, len(chosen))
    return [found[case.name] for case in chosen]


def _progress(result: Result, found: dict[str, Result], done: int, total: int) -> None:
    found[result.case.name] = result
    mark = "not run" if result.not_run else ("exact" if result.exact else "WRONG")
    print(f"{done:3}/{total} {mark:8}{result.seconds:6.1f} s  {result.case.name}", file=sys.stderr, flush=True)
    for line in result.wrong:
        print(f"        {line}", file=sys.stderr)


def _beside() -> scores.Beside:
    """Return what OpenTelemetry could answer when that was measured last."""
    return dict(json.loads(BESIDE.read_text())["cases"]) if BESIDE.exists() else {}


def _commit() -> str:
    git = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False, cwd=RESULTS.parents[1]
    )
    return git.stdout.strip()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        sys.exit(130)
