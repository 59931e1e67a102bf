"""The command line: finds the command's own module and runs it. Importing this imports nothing heavy."""

from __future__ import annotations

import sys
from typing import Final

COMMANDS: Final = {
    "run": "run a command and record what happens in it",
    "runs": "list recorded runs, newest first",
    "report": "tell what ran, what did not, and why it stopped where it did",
    "diff": "tell what is other in one run than in another",
    "verify": "prove again that a ledger, or a report, holds what was written",
    "prune": "remove what is beyond the limits, or a run or a session; never an open run",
    "redact": "take secrets out of ledgers that are written already",
    "compact": "pack closed runs of past days into Parquet; every line is proved before a file goes",
    "export": "write runs as Parquet, or as a zip of their very files, for elsewhere",
    "query": "ask the ledger in SQL, files and Parquet alike",
    "plugins": "list instrumentors and sinks, and what they watched in a run",
    "doctor": "find what would silently switch recording off, and say how to mend it",
    "config": "show every setting with its value, source and meaning",
}

_EXAMPLES: Final = """\
examples:
  codeintel-obs run -- python app.py          record a program; its exit code is yours
  codeintel-obs report --last                 what happened, why it stopped, and the proof
  codeintel-obs runs --failed --since 2h      what went wrong in the last two hours
  codeintel-obs doctor                        when nothing is recorded

exit codes: 0 good, 1 the run failed or a check was refuted, 2 wrong use or configuration,
            3 not found, 4 damaged ledger
`codeintel-obs COMMAND --help` tells more about each command."""

INTERRUPTED: Final = 130


def main(argv: list[str] | None = None) -> int:
    """Run the command that ``argv`` (default: the process's arguments) names and return its exit code.

    Wrong use raises ``SystemExit(2)``, as argparse does.
    """
    words = sys.argv[1:] if argv is None else argv
    try:
        if words and words[0] in COMMANDS:
            return _command(words[0], words[1:])
        return _no_command(words)
    except KeyboardInterrupt:
        return INTERRUPTED


def _command(name: str, words: list[str]) -> int:
    from importlib import import_module

    from codeintel_obs.errors import CodeIntelObsError

    # only the named command's module is imported: `run` hands its process over and must stay light
    module = import_module(f"codeintel_obs.cli.{name}")
    try:
        code: int = module.main(words)
    except CodeIntelObsError as exc:
        print(f"codeintel-obs {name}: {exc}", file=sys.stderr)
        return exc.exit_code
    return code


def _no_command(words: list[str]) -> int:
    if words and words[0] in {"--version", "-V"}:
        from importlib.metadata import version

        print(f"codeintel-obs {version('codeintel-obs')}")
        return 0
    if not words or words[0] in {"-h", "--help", "help"}:
        print(_usage())
        return 0 if words else 2
    import difflib

    close = difflib.get_close_matches(words[0], COMMANDS, 1)
    mend = f"did you mean `{close[0]}`?" if close else f"commands are: {', '.join(COMMANDS)}"
    print(f"codeintel-obs: there is no command {words[0]!r}; {mend}", file=sys.stderr)
    return 2


def _usage() -> str:
    lines = [f"  {name:<9} {does}" for name, does in COMMANDS.items()]
    head = ["usage: codeintel-obs COMMAND ...", "", "A flight recorder for retrieval and code-intelligence services."]
    return "\n".join([*head, "", "commands:", *lines, "", _EXAMPLES])
