"""Compares roots of a chained ledger that were kept elsewhere with those that its files have today."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from codeintel_obs.report.attempts import Attempt


def sha256_of(text: str) -> str:
    """Return the root that a user gave; raises argparse's error for what is none."""
    if not re.fullmatch(r"[0-9a-f]{64}", text.lower()):
        raise argparse.ArgumentTypeError(f"{text!r} is no SHA-256: 64 digits of 0-9 and a-f are expected")
    return text.lower()


def compared(root: str, rows: list[dict[str, Any]], attempts: list[Attempt]) -> dict[str, Any]:
    """Return which file of the verified ``rows`` ends in ``root``; else where a redaction says that one did."""
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


def line_of(told: dict[str, Any]) -> str:
    """Return what `compared` found, as a line."""
    from codeintel_obs.report.words import plain

    if told["file"]:
        return f"ROOT      {told['root']}  ends {plain(told['file'])}\n"
    why = f"; {plain(told['redacted'])} says that it was redacted since" if told["redacted"] else ""
    return f"NO FILE   {told['root']}  is the root of none of its files{why}\n"
