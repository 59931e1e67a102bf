"""Checks of what the user declared: targets that are not there, arguments that they do not have, kinds nobody records."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from codeintel_obs.cli.checks import Check, Finding, Surroundings

if TYPE_CHECKING:
    from codeintel_obs.cli.seam_targets import Found
    from codeintel_obs.seams import Seam

_PYTHONS: Final = ("python", "pypy")
_WITH_A_VALUE: Final = ("-X", "-W")


def targets(around: Surroundings) -> Iterator[Finding]:
    """Look each target up in the source: along this interpreter's path, behind the folder that the program starts in."""
    if not around.settings.seams:
        return
    from codeintel_obs.cli.seam_targets import look_up

    path = [*_folders(around), *sys.path]
    script = _script(around)
    for seam in around.settings.seams:
        if seam.module == script:
            yield _of_the_script(seam, around.command)
        else:
            yield from _target(seam, look_up(seam.module, seam.name, path))


def _script(around: Surroundings) -> str | None:
    """Return the name of the module that the command runs as its program."""
    words = iter(around.command[1:] if _is_python(around) else ())
    for word in words:
        if word == "-m":
            return next(words, None)
        if word == "-c":
            return None
        if not word.startswith("-"):
            return os.path.basename(word).removesuffix(".py")
        if word in _WITH_A_VALUE:
            next(words, None)
    return None


def _of_the_script(seam: Seam, command: Sequence[str]) -> Finding:
    what = f"the seam {seam.kind} names a function of the program itself, whose module is called __main__ while it runs"
    evidence = f"target = {seam.target!r}, command: {' '.join(command)}"
    return Finding(
        "seam-in-the-script", "error", what, evidence, "let a module of its own have the function, or import it"
    )


def _folders(around: Surroundings) -> list[str]:
    """Return where the program's own modules are: the current folder, and that of the script which is to be run."""
    scripts = [word for word in around.command[1:] if word.endswith(".py")] if _is_python(around) else []
    return [*(os.path.dirname(os.path.abspath(word)) for word in scripts[:1]), os.getcwd()]


def _is_python(around: Surroundings) -> bool:
    return bool(around.command) and os.path.basename(around.command[0]).startswith(_PYTHONS)


def _target(seam: Seam, found: Found) -> Iterator[Finding]:
    evidence = f"target = {seam.target!r}, kind {seam.kind}"
    if found.missing is not None:
        what = f"the seam {seam.kind} has nothing to wrap: {found.missing}"
        yield Finding("seam-target-missing", "error", what, evidence, "name a function or method that is there")
    elif found.is_class:
        what = f"the seam {seam.kind} names a class, which is never wrapped"
        yield Finding("seam-target-is-class", "error", what, evidence, "name one of its methods, such as .__init__")
    elif found.unknown is not None:
        what = f"whether the seam {seam.kind} finds its target shows when the program runs: {found.unknown}"
        yield Finding(
            "seam-not-checked", "note", what, evidence, "look at it in `codeintel-obs plugins RUN` afterwards"
        )
    elif not found.open_ended:
        for name in sorted(seam.arguments() - set(found.parameters)):
            what = f"the seam {seam.kind} reads args.{name}, which {seam.name} does not have"
            mend = f"its arguments are: {', '.join(found.parameters) or 'none'}"
            yield Finding("seam-argument-missing", "error", what, evidence, mend)


def kinds(around: Surroundings) -> Iterator[Finding]:
    """Compare the declared kinds with those of the plugins: two tellers of one kind, and plans of kinds without any."""
    if not (around.settings.seams or around.settings.plans):
        return
    known = _kinds_of_plugins()
    for seam in around.settings.seams:
        owner = known.get(seam.kind)
        if owner is not None:
            what = f"the seam on {seam.target} has a kind of the plugin {owner}: calls of both would be one number"
            yield Finding("seam-kind-of-a-plugin", "warning", what, f"kind = {seam.kind!r}", "name a stage of your own")
    known |= {seam.kind: "seams" for seam in around.settings.seams}
    known |= {event.kind: "seams" for seam in around.settings.seams for event in seam.events}
    for plan in around.settings.plans:
        for kind in plan.kinds:
            if kind not in known:
                what = f"the plan of {plan.match} expects {kind}, which no plugin and no seam records"
                mend = "mend the kind, or declare a seam for it; a report can only call it not observed"
                yield Finding("plan-kind-unknown", "warning", what, f"kinds = {list(plan.kinds)}", mend)


def _kinds_of_plugins() -> dict[str, str]:
    from importlib import metadata

    from codeintel_obs import guard
    from codeintel_obs.cli.installed import INSTRUMENTORS, PREFIX

    found = {"python.import": "obs"}
    for entry_point in metadata.entry_points(group=INSTRUMENTORS):
        if entry_point.name.startswith(PREFIX):
            plugin = guard.call(entry_point.load)  # what does not load is another check's finding
            points = getattr(plugin, "points", ())
            found |= {point.kind: entry_point.name.removeprefix(PREFIX) for point in points if point.kind is not None}
    return found


CHECKS: Final[tuple[Check, ...]] = (targets, kinds)
