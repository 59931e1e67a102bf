"""Writes the pages that mirror code: steps from the plugins' tables, settings, and in the budgets what was measured."""

from __future__ import annotations

import argparse
import json
import sys
from importlib.metadata import entry_points
from pathlib import Path

from codeintel_obs import settings
from codeintel_obs.instrumentor import LibraryInstrumentor
from codeintel_obs.steps import Point

DOCS = Path(__file__).resolve().parent
RESULTS = DOCS.parent / "bench" / "results" / "plugins.json"
OWN = "codeintel_obs.plugins."
MEASURED = "## What each plugin adds"


def plugins() -> list[type[LibraryInstrumentor]]:
    """Return our own plugins' classes by name."""
    found = [each for each in entry_points(group="opentelemetry_instrumentor") if each.value.startswith(OWN)]
    return [each.load() for each in sorted(found, key=lambda each: each.name)]


def steps_page() -> str:
    """Return the page of every kind of step, its points and its payload, and of what is not watched and why."""
    lines = [
        "# Steps",
        "",
        "Generated from the plugins' tables by `make docs`. A kind is `library.verb`; a payload key is kept from the",
        "content level on that stands beside it (`none` keeps counts, codes and ids; `messages` adds paths and names; `all`",
        "adds texts; a secret is never kept). `python.import` (module, version) is recorded for every library named here.",
    ]
    for plugin in plugins():
        lines += ["", f"## {plugin.plugin}", "", f"Library `{plugin.library}`: {_versions(plugin)}."]
        if plugin.never_run:
            lines += ["", f"Never run: {plugin.never_run}."]
        lines += ["", "| kind | wrapped | |", "| --- | --- | --- |"]
        kinds = sorted({point.kind or _purpose(point) for point in plugin.points})
        lines += [
            _row(kind, [each for each in plugin.points if (each.kind or _purpose(each)) == kind]) for kind in kinds
        ]
        lines += [f"| `{kind}` | (an instant in another step) | |" for kind in plugin.instants]
        lines += ["", "| payload key | class |", "| --- | --- |"]
        lines += [f"| `{key}` | {field} |" for key, field in sorted(plugin.fields.items())]
        lines += ["", f"<details><summary>Not watched: {len(plugin.exclusions)} names and patterns</summary>", ""]
        lines += [f"- `{name}`: {reason}" for name, reason in sorted(plugin.exclusions.items())]
        lines += ["", "</details>"]
    return "\n".join(lines) + "\n"


def _versions(plugin: type[LibraryInstrumentor]) -> str:
    return " or ".join(f"`{each}`" for each in plugin.requires) or "the standard library's"


def _purpose(point: Point) -> str:
    if point.emits == "log":
        return "(log records)"
    looks = point.hands_on or point.stands_for or point.handled_error or point.run or point.flushes
    looks = looks or point.carrier or (point.after is not None and point.key is None)
    return "(no step itself)" if looks else "(ends a step)"


def _row(kind: str, points: list[Point]) -> str:
    names = sorted({f"`{'*.' if point.every_class else ''}{point.name}`" for point in points})
    notes = sorted({note for point in points for note in _notes(point)})
    shown = f"`{kind}`" if not kind.startswith("(") else kind
    return f"| {shown} | {', '.join(names)} | {'; '.join(notes)} |"


def _notes(point: Point) -> list[str]:
    notes = []
    if point.handed_on:
        notes.append("watched where it is handed on")
    if point.every_class:
        notes.append("every class that defines it")
    if point.ends_at:
        notes.append("may end at " + ", ".join(f"`{name}`" for name in point.ends_at))
    return notes


def settings_page() -> str:
    """Return the page of every setting."""
    lines = [
        "# Settings",
        "",
        "Generated from `codeintel_obs/settings.py` by `make docs`. The command line wins over the environment, over",
        "`codeintel_obs.toml`, over `[tool.codeintel_obs]` in `pyproject.toml`. Denials of all levels add up and win;",
        "`OTEL_PYTHON_DISABLED_INSTRUMENTATIONS` counts among them. `codeintel-obs config` shows what is in effect, and why.",
        "",
        "| setting | environment | default | meaning |",
        "| --- | --- | --- | --- |",
    ]
    for each in settings.TABLE:
        default = ", ".join(each.default) if isinstance(each.default, tuple) else each.default
        lines.append(
            f"| `{each.name}` | `{each.variable}` | {f'`{default}`' if default != '' else ''} | {each.meaning} |"
        )
    lines += [
        "",
        "Besides: `CODEINTEL_OBS=off` switches everything off, `CODEINTEL_OBS_RUN_ID` and `CODEINTEL_OBS_SESSION_ID` name",
        "the process's run and session, and `CODEINTEL_OBS_CONFIG` names a settings file.",
    ]
    return "\n".join(lines) + "\n"


def budgets_page() -> str:
    """Return the page of budgets, with the measured overhead of each plugin below its last heading."""
    head = (DOCS / "budgets.md").read_text(encoding="utf-8").partition(MEASURED)[0]
    rows = json.loads(RESULTS.read_text(encoding="utf-8"))
    commits = ", ".join(sorted({row["commit"] for row in rows.values()}))
    rounds = ", ".join(sorted({str(row["rounds"]) for row in rows.values()}))
    lines = [
        MEASURED,
        "",
        "Each row is a ratio in one run: the same call bare and recorded in turns, by the CPU of the whole process, p10 of",
        f"{rounds} rounds each (`make bench`, `make vllm`; bench/results/plugins.json, commit {commits}). Of the two",
        "calls of a library the first is the cheapest that there is, where nothing hides what a step costs, and the last one",
        "as applications make them.",
        "",
        "| plugin | call | bare, µs | added, µs | ratio |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, row in rows.items():
        plugin, _, call = name.partition(": ")
        lines.append(f"| {plugin} | {call} | {row['bare_us']} | {row['added_us']} | {row['ratio']:.2f} |")
    return head + "\n".join(lines) + "\n"


PAGES = {"steps.md": steps_page, "settings.md": settings_page, "budgets.md": budgets_page}


def main() -> int:
    """Write the pages, or with ``--check`` say which are stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a page is stale")
    check = parser.parse_args().check
    stale = [name for name, page in PAGES.items() if not _same(name, page())]
    for name in stale:
        if not check:
            (DOCS / name).write_text(PAGES[name](), encoding="utf-8")
        print(f"docs/{name} {'is stale: run `make docs`' if check else 'written'}")
    return 1 if check and stale else 0


def _same(name: str, text: str) -> bool:
    path = DOCS / name
    return path.exists() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
