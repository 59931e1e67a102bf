"""`codeintel-obs run`: parses what the supervisor needs, and hands over. Imports argparse only to help, and to complain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codeintel_obs.launch.options import Options

if TYPE_CHECKING:
    from argparse import ArgumentParser

_EXAMPLES: Final = """\
  codeintel-obs run -- python app.py --port 8000
  codeintel-obs run --run-id nightly-42 -- pytest -q
  codeintel-obs run --plugins faiss,duckdb --data-dir /var/lib/codeintel -- uvicorn app:app
  codeintel-obs run --disable git -- codeintel-rev index .

The command's exit code, signals and terminal pass through. Settings given here win over
the environment and over codeintel_obs.toml; a bad setting is refused before anything starts."""

# What each option takes (None: nothing, it is a switch), and what it does.
_OPTIONS: Final = {
    "--run-id": ("ID", "name the run; without it a new id that sorts by time is made"),
    "--config": ("FILE", "read settings from FILE and not from codeintel_obs.toml or pyproject.toml"),
    "--plugins": ("A,B", "watch with these plugins only"),
    "--disable": ("C", "switch a plugin or sink off; may be repeated"),
    "--data-dir": ("DIR", "write ledgers there; default .codeintel"),
    "--exec": (None, "replace this process by the command: nobody witnesses its exit code then"),
    "--quiet": (None, "say nothing after a failure"),
}
_REPEATED: Final = "--disable"


def main(words: list[str]) -> int:
    """Launch the command under a recorder; return its exit code."""
    options = parse(words)
    from codeintel_obs.launch.supervisor import run_command

    code: int = run_command(options)
    return code


def parse(words: list[str]) -> Options:
    """Return the options; ``command`` is the command to run, never empty."""
    cut = words.index("--") if "--" in words else len(words)
    own, command = words[:cut], words[cut + 1 :]
    options = _plain(own) if command else None
    if options is None:
        options = _judged(own, whole=cut == len(words), command=command)
    options.command = command
    return options


def _plain(own: list[str]) -> Options | None:
    """Return what is plainly asked for; None where argparse has to judge: help, and whatever is wrong or unusual."""
    options = Options()
    words = iter(own)
    for word in words:
        name, given, value = word.partition("=")
        takes = _OPTIONS[name][0] if name in _OPTIONS else ""
        if takes and not given:
            value = next(words, "-")
        if takes == "" or (takes is None and given) or (takes and not given and value.startswith("-")):
            return None
        if name == _REPEATED:
            options.disable = [*(options.disable or ()), value]
        else:
            setattr(options, name[2:].replace("-", "_"), value if takes else True)
    return options


def _judged(own: list[str], *, whole: bool, command: list[str]) -> Options:
    made = _parser()
    options, rest = made.parse_known_args(own, Options())
    if rest and whole and not rest[0].startswith("-"):
        made.error(f"put `--` before the command: codeintel-obs run -- {' '.join(rest)}")
    if rest:
        made.error(f"unrecognized arguments: {' '.join(rest)}")
    if not command:
        made.error("no command to run; for example: codeintel-obs run -- python app.py")
    return options


def _parser() -> ArgumentParser:
    from codeintel_obs.cli.parsing import parser

    made = parser("run", "Run a command under the recorder.", _EXAMPLES, usage="%(prog)s [options] -- CMD ...")
    for name, (takes, does) in _OPTIONS.items():
        if takes is None:
            made.add_argument(name, action="store_true", help=does)
        else:
            made.add_argument(name, metavar=takes, action="append" if name == _REPEATED else "store", help=does)
    return made
