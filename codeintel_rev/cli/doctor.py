"""`codeintel-rev doctor`: what works here, what does not, and how to mend it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from codeintel_rev.cli.arguments import common
from codeintel_rev.cli.render import clean, to_json

if TYPE_CHECKING:
    import argparse

    from codeintel_rev.cli.arguments import Subparsers
    from codeintel_rev.cli.checks import Finding

SCHEMA = "codeintel_rev.doctor/1"
GOOD, FAILED = 0, 1


def add(subparsers: Subparsers) -> None:
    command = subparsers.add_parser("doctor", help="say what works here and what does not", allow_abbrev=False)
    command.description = "Checks git, the repository, the index, the models and the servers that the settings name."
    command.add_argument("repo", nargs="?", type=Path, default=Path(), metavar="REPO", help="default: here")
    common(command)


def run(arguments: argparse.Namespace) -> int:
    from codeintel_rev.cli.checks import examine

    findings = examine(arguments.repo, arguments.index_dir)
    healthy = all(finding.level != "fail" for finding in findings)
    sys.stdout.write(_json(findings, healthy=healthy) if arguments.json else _text(findings, healthy=healthy))
    return GOOD if healthy else FAILED


def _json(findings: list[Finding], *, healthy: bool) -> str:
    told = [{"check": found.check, "level": found.level, "what": found.what, "mend": found.mend} for found in findings]
    return to_json({"schema": SCHEMA, "healthy": healthy, "findings": told})


def _text(findings: list[Finding], *, healthy: bool) -> str:
    lines = [f"{found.level:<5} {found.check:<12} {found.what}" + _mend(found) for found in findings]
    lines.append("healthy" if healthy else "not healthy: see the lines that fail")
    return clean("\n".join(lines) + "\n")


def _mend(found: Finding) -> str:
    return f"\n{'':<19}{found.mend}" if found.mend else ""
