"""`codeintel-obs doctor`: finds what would silently switch recording off, and says how to mend it."""

from __future__ import annotations

import os
from typing import Final

from codeintel_obs.cli.output import write, write_json
from codeintel_obs.cli.parsing import add_json, parser

_EXAMPLES: Final = """\
  codeintel-obs doctor                        this environment, these settings
  codeintel-obs doctor -- python -I app.py    and what this command would do to them

Each finding: what, the evidence, the mend. Exit code 1 when one of them is an error."""


def main(words: list[str]) -> int:
    """Print the findings; return 1 when one of them is an error."""
    cut = words.index("--") if "--" in words else len(words)
    made = parser(
        "doctor", "Find silent failures of launch and recording.", _EXAMPLES, usage="%(prog)s [options] [-- CMD ...]"
    )
    add_json(made)
    made.add_argument("--config", metavar="FILE", help="read settings from FILE")
    options = made.parse_args(words[:cut])
    from codeintel_obs.cli.checks import Surroundings, examine
    from codeintel_obs.settings import load

    settings = load(config=options.config)
    findings = examine(Surroundings(dict(os.environ), settings, words[cut + 1 :]))
    if options.json:
        write_json({"findings": [finding.as_dict() for finding in findings]})
    elif not findings:
        write("nothing found: launch, settings, plugins and the data directory look good\n")
    else:
        write("\n".join(finding.text() for finding in findings))
    return 1 if any(finding.level == "error" for finding in findings) else 0
