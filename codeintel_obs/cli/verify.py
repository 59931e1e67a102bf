"""`codeintel-obs verify`: proves again that a ledger holds what its writers wrote, and says where it does not."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, Any, Final

from codeintel_obs.cli.finding import add_run, attempt_of, attempts_of, data_dirs, report_in
from codeintel_obs.cli.output import write, write_json
from codeintel_obs.cli.parsing import add_data_dir, add_json, parser

if TYPE_CHECKING:
    from codeintel_obs.report.attempts import Attempt
    from codeintel_obs.report_model import ReportProof

_EXAMPLES: Final = """\
  codeintel-obs verify 20261122T175022.123-9f3c1a2b4d
  codeintel-obs verify --all --json
  codeintel-obs verify nightly-42 --root 9f86d08188…    is this still what was closed then?
  codeintel-obs verify --report r.json          is every statement of this report in the ledger?

Checked are every line's checksum, the numbering without gaps, and that each writer closed its file
or is gone; of a chained file (setting `chain`) also that each record names the line before it. Who
forges all that follows too makes a sound chain: only a root that was kept elsewhere tells it.
With --report also every statement of a report that `report --format json` made, against
what its ledger says today, and where each evidence leads.
Exit codes: 0 whole and proved, 1 a report is refuted, 2 wrong use, 3 no such run, 4 damaged."""
_REFUTED: Final = 1
_DAMAGED: Final = 4
_LINES: Final = 20


def main(words: list[str]) -> int:
    """Print what was proved of each attempt; return 4 when one of them is damaged."""
    options = _parse(words)
    if options.report:
        return _report(options)
    attempts = _attempts(options)
    rows = [_row(attempt) for attempt in attempts]
    roots = [_root(root, rows, attempts) for root in options.root]
    if options.json:
        write_json({"attempts": rows, **({"roots": roots} if roots else {})})
    else:
        said = "".join(map(_line, rows)) + "".join(map(_root_line, roots)) + _summary(rows, options)
        write(said if rows else _nothing(options))
    return _DAMAGED if any(row["damaged"] for row in rows) or not all(each["file"] for each in roots) else 0


def _root(root: str, rows: list[dict[str, Any]], attempts: list[Attempt]) -> dict[str, Any]:
    """Return which file ends in ``root``; of one that none does, where a redaction says that it was before."""
    file = next((file for row in rows for file, found in row["roots"].items() if found == root), None)
    return {"root": root, "file": file, "redacted": _redacted(root, attempts) if file is None else None}


def _redacted(root: str, attempts: list[Attempt]) -> str | None:
    from codeintel_obs.ledger.attempts import entries
    from codeintel_obs.ledger.rewriting import EVENT

    for attempt in attempts:
        for place, record in entries(attempt.files):
            files = (record.payload or {}).get("files") if record.event == EVENT else None
            listed = files if isinstance(files, list) else ()
            if any(isinstance(each, dict) and each.get("root_before") == root for each in listed):
                return f"{place}:{record.n}"
    return None


def _root_line(told: dict[str, Any]) -> str:
    from codeintel_obs.report.words import plain

    if told["file"]:
        return f"ROOT      {told['root']}  ends {plain(told['file'])}\n"
    why = f"; {plain(told['redacted'])} says that it was redacted since" if told["redacted"] else ""
    return f"NO FILE   {told['root']}  is the root of none of its files{why}\n"


def _hash(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", text.lower()):
        raise argparse.ArgumentTypeError(f"{text!r} is no SHA-256: 64 digits of 0-9 and a-f are expected")
    return text.lower()


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
    made.add_argument("--report", metavar="FILE", help="prove a report in JSON again")
    root = "a root that was kept elsewhere, as 64 hex digits, must be one of its files'; may be given again"
    made.add_argument("--root", metavar="HEX", type=_hash, action="append", default=[], help=root)
    add_json(made)
    add_data_dir(made)
    options = made.parse_args(words)
    if bool(options.run) + options.all + bool(options.report) != 1:
        made.error("name a RUN, or --all, or --report FILE")
    if options.root and not options.run:
        made.error("--root is of one run: name the RUN")
    return options


def _report(options: argparse.Namespace) -> int:
    """Prove a report again; a damaged ledger is told before a report that it refutes."""
    import msgspec

    from codeintel_obs.report.proof import prove

    told = report_in(options.report)
    attempt = attempt_of(told, data_dirs(options))
    proof, row = prove(told, attempt), _row(attempt)
    if options.json:
        write_json({**msgspec.to_builtins(proof), "damaged": row["damaged"], "problems": row["problems"]})
    else:
        write(_proof(proof) + _line(row))
    return _DAMAGED if row["damaged"] else 0 if proof.proved else _REFUTED


def _proof(proof: ReportProof) -> str:
    from codeintel_obs.report.words import plain, plural

    what = f"{plural(proof.statements, 'statement')}, {plural(proof.evidence, 'evidence', 'evidences')}"
    lines = [f"{'PROVED' if proof.proved else 'REFUTED'}   {plain(proof.run_id)}  attempt {proof.attempt}  {what}"]
    lines += [f"  {plain(each.statement)}: the report says {plain(each.told)}, the ledger {plain(each.found)}"
              for each in proof.refuted[:_LINES]]  # fmt: skip
    lines += [f"  {plain(each)}: leads to nothing" for each in proof.unresolved[:_LINES]]
    more = proof.refuted_total + proof.unresolved_total - len(lines) + 1
    lines += [f"  … and {more:,} more; --json has them"] if more > 0 else []
    if proof.records_since:
        lines.append(f"  {plural(proof.records_since, 'record')} came after this report, and are not judged here")
    return "\n".join(lines) + "\n"


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
    lines += [f"          root {root}  {plain(file)}\n" for file, root in row["roots"].items()]
    return "".join(lines)
