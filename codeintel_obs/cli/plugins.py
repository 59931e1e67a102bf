"""`codeintel-obs plugins`: what is installed and enabled here, or what was watched in a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codeintel_obs.cli.finding import attempts_of, data_dirs
from codeintel_obs.cli.output import table, write, write_json
from codeintel_obs.cli.parsing import add_data_dir, add_json, parser

if TYPE_CHECKING:
    from codeintel_obs.cli.installed import Plugin
    from codeintel_obs.report_model import PluginFacts

_EXAMPLES: Final = """\
  codeintel-obs plugins                  instrumentors and sinks, enabled or disabled by what
  codeintel-obs plugins --run RUN        what each process of a run really watched, point by point"""
_SHOWN: Final = 12


def main(words: list[str]) -> int:
    """Print the plugins of this environment, or those of a run."""
    made = parser("plugins", "List instrumentors and sinks, or what they watched in a run.", _EXAMPLES)
    made.add_argument("--run", metavar="RUN", help="the activation facts of this run's processes")
    add_json(made)
    add_data_dir(made)
    options = made.parse_args(words)
    if options.run:
        return _of_run(options.run, data_dirs(options), as_json=options.json)
    from codeintel_obs.cli.installed import plugins
    from codeintel_obs.settings import load

    found = plugins(load())
    if options.json:
        write_json({"plugins": [each.as_dict() for each in found]})
    else:
        head = ("sort", "name", "state", "points", "library", "installed", "distribution")
        write(table(head, list(map(_cells, found))) + _never_run(found))
    return 0


def _never_run(found: list[Plugin]) -> str:
    lines = [f"  {each.name}: {each.never_run}\n" for each in found if each.never_run]
    return "".join(["\nnever run under these plugins:\n", *lines]) if lines else ""


def _cells(each: Plugin) -> tuple[str, ...]:
    state = f"{each.state}; {each.outside}" if each.outside else each.state
    points = "-" if each.points is None else str(each.points)
    return each.sort, each.name, state, points, each.library or "-", each.installed or "-", each.distribution or "-"


def _of_run(raw: str, folders: list[str], *, as_json: bool) -> int:
    import msgspec

    from codeintel_obs.report.attempts import report_of

    found = report_of(attempts_of(raw, folders)[-1]).plugins
    if as_json:
        write_json({"plugins": msgspec.to_builtins(found)})
    else:
        write("".join(map(_facts, found)) or "this run's processes told of no plugin\n")
    return 0


def _facts(each: PluginFacts) -> str:
    from codeintel_obs.report.words import plain

    counts = ", ".join(f"{count} {plain(fact)}" for fact, count in each.facts.items())
    state = plain(each.disabled) if each.disabled else counts or "no points"
    version = f" {plain(each.version)}" if each.version else ""
    lines = [f"{plain(each.name)}{version}: {state}  [{plain(each.process or '?')}]"]
    lines += [f"  not wrapped: {plain(row)}" for row in each.not_wrapped[:_SHOWN]]
    if len(each.not_wrapped) > _SHOWN:
        lines.append(f"  … and {len(each.not_wrapped) - _SHOWN} more: --json has them")
    return "\n".join(lines) + "\n"
