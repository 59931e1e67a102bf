"""What the benchmark says in the end: one row per case, and the score over all."""

from __future__ import annotations

import platform
from typing import Any

from .running import Result

Beside = dict[str, dict[str, str]]
"""Per case, what OpenTelemetry could answer, by the name of the processor."""


def summary(results: list[Result], beside: Beside, commit: str) -> dict[str, Any]:
    """Return the results as data."""
    ran = [result for result in results if result.not_run is None]
    return {
        "bench": "faults",
        "commit": commit,
        "python": platform.python_version(),
        "cases": len(results),
        "exact": sum(result.exact for result in ran),
        "not_run": {result.case.name: result.not_run for result in results if result.not_run},
        "expected_lines": sum(result.lines for result in ran),
        "false_statements": sum(len(result.false) for result in ran),
        "rows": [_row(result, beside.get(result.case.name, {})) for result in results],
    }


def _row(result: Result, beside: dict[str, str]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "case": result.case.name,
        "sort": result.case.sort,
        "exact": result.exact,
        "lines": result.lines,
        "seconds": result.seconds,
    }
    if result.not_run:
        row["not_run"] = result.not_run
    if result.wrong:
        row["wrong"] = result.wrong
    return {**row, **beside}


def table(summary: dict[str, Any]) -> str:
    """Return the results as a Markdown table."""
    beside = ["batch", "simple"] if any("batch" in row for row in summary["rows"]) else []
    lines = ["| case | report | lines | s |" + "".join(f" OpenTelemetry, {name} |" for name in beside)]
    lines.append("| --- | --- | --- | --- |" + " --- |" * len(beside))
    for row in summary["rows"]:
        verdict = f"not run: {row['not_run']}" if "not_run" in row else ("exact" if row["exact"] else "WRONG")
        cells = [
            row["case"],
            verdict,
            str(row["lines"]),
            f"{row['seconds']:.1f}",
            *(row.get(name, "") for name in beside),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    ran = summary["cases"] - len(summary["not_run"])
    lines.append("")
    lines.append(
        f"{summary['exact']} of {ran} exact, {summary['false_statements']} false statements, "
        f"{summary['expected_lines']} lines compared, {len(summary['not_run'])} not run"
    )
    return "\n".join(lines)
