"""`codeintel-obs config`: every setting with its value, where that comes from, and what it means."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from codeintel_obs.cli.output import table, write, write_json
from codeintel_obs.cli.parsing import add_json, parser

if TYPE_CHECKING:
    from codeintel_obs.settings import Definition, Settings

_EXAMPLES: Final = """\
  codeintel-obs config                       what holds here, and why
  codeintel-obs config --config prod.toml    what that file would make of it
  codeintel-obs config --install-pth         start recording in any Python with CODEINTEL_OBS=1
  codeintel-obs config --remove-pth          and take that back

Levels, the highest wins: command line, environment (CODEINTEL_OBS_<NAME>), codeintel_obs.toml,
[tool.codeintel_obs] in pyproject.toml. disabled_plugins adds up over all levels.
Exit code 2 when a setting is unknown or has a value that it cannot have."""


def main(words: list[str]) -> int:
    """Print the settings; return 2 when one of them is wrong."""
    made = parser("config", "Show every setting: value, source, meaning.", _EXAMPLES)
    add_json(made)
    made.add_argument("--config", metavar="FILE", help="read FILE instead of the files of the working directory")
    pth = made.add_mutually_exclusive_group()
    pth.add_argument("--install-pth", action="store_true", help="start recording wherever CODEINTEL_OBS=1 is set")
    pth.add_argument("--remove-pth", action="store_true", help="remove what --install-pth wrote")
    options = made.parse_args(words)
    if options.install_pth or options.remove_pth:
        return _pth(install=options.install_pth)
    from codeintel_obs.settings import load

    settings = load(config=options.config)
    if options.json:
        write_json({"settings": _rows(settings), "problems": [str(problem) for problem in settings.problems]})
    else:
        rows = [
            (row["name"], _shown(row["value"]) + _size(row), row["source"], row["meaning"]) for row in _rows(settings)
        ]
        write(table(("setting", "value", "source", "meaning"), rows))
        for problem in settings.problems:
            print(f"codeintel-obs config: {problem}", file=sys.stderr)
    return 2 if settings.problems else 0


def _rows(settings: Settings) -> list[dict[str, Any]]:
    from codeintel_obs.settings import TABLE

    return [
        {
            "name": each.name,
            "value": _told(each, getattr(settings, each.name)),
            "source": settings.sources[each.name],
            "variable": each.variable,
            "default": _plain(each.default),
            "meaning": each.meaning,
        }
        for each in TABLE
    ]


def _told(definition: Definition, value: Any) -> Any:
    from codeintel_obs.redact import MASK

    return MASK if definition.secret and value else _plain(value)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(value) or "-"
    if isinstance(value, float):
        return f"{value:g}" if value < 1 else f"{value:,.0f}"
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value) if value != "" else "-"


def _size(row: dict[str, Any]) -> str:
    """Return a number of bytes as a person says it."""
    return f" ({row['value'] / 2**30:.3g} GiB)" if row["name"].endswith("_bytes") else ""


def _pth(*, install: bool) -> int:
    from codeintel_obs.launch import pth

    if install:
        write(f"{pth.install()}: written; a Python of this environment records when CODEINTEL_OBS=1 is set\n")
        return 0
    removed = pth.remove()
    write(f"{removed}: removed\n" if removed else f"{pth.path()}: there is none\n")
    return 0
