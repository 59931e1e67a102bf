"""Checks of the interpreter: flags and start-up files that keep a launcher's sitecustomize from running."""

from __future__ import annotations

import os
import re
import shutil
import site
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Final

import codeintel_obs
from codeintel_obs.cli.checks import Check, Finding, Surroundings
from codeintel_obs.cli.installed import version_of

_PYTHON: Final = re.compile(r"(?:python|pypy)[0-9.]*(?:\.exe)?\Z")
_WITH_VALUE: Final = "WXcm"
_SILENCING: Final = {
    "E": "ignores PYTHONPATH, through which a launcher's sitecustomize is found",
    "I": "ignores PYTHONPATH and the user's site-packages",
    "S": "does not run site, and so no sitecustomize and no .pth",
}


def flags_of_command(around: Surroundings) -> Iterator[Finding]:
    words = list(around.command)
    for flag, where in _flags(words):
        if flag in _SILENCING:
            yield Finding(
                "python-flag",
                "error",
                f"python -{flag} {_SILENCING[flag]}: nothing is recorded",
                where,
                f"leave -{flag} out, or call codeintel_obs.start() in the program",
            )


def no_site_variables(around: Surroundings) -> Iterator[Finding]:
    if around.environ.get("PYTHONNOUSERSITE") and _installed_for_user():
        yield Finding(
            "user-site-off",
            "error",
            "this package is installed for the user, and Python is told not to look there",
            f"PYTHONNOUSERSITE={around.environ['PYTHONNOUSERSITE']}, installed in {site.getusersitepackages()}",
            "install into the environment of the program, or unset PYTHONNOUSERSITE",
        )
    if around.environ.get("PYTHONSAFEPATH"):
        yield Finding(
            "safe-path",
            "note",
            "Python does not add the working directory to its path; a launcher does",
            f"PYTHONSAFEPATH={around.environ['PYTHONSAFEPATH']}",
            "nothing, if the program is installed",
        )


def own_sitecustomize(around: Surroundings) -> Iterator[Finding]:
    """A launcher puts its own sitecustomize first: the stock one hides the user's, ours runs it afterwards."""
    launchers = ("auto_instrumentation", os.path.join("codeintel_obs", "launch", "site"))
    paths = [path for path in sys.path if not path.rstrip("/").endswith(launchers)]
    paths += [path for path in around.environ.get("PYTHONPATH", "").split(os.pathsep) if path and path not in paths]
    spec = PathFinder.find_spec("sitecustomize", [path for path in paths if not path.rstrip("/").endswith(launchers)])
    if spec is not None and spec.origin:
        yield Finding(
            "sitecustomize-shadowed",
            "note",
            "plain opentelemetry-instrument hides this sitecustomize; codeintel-obs run runs it after its own",
            spec.origin,
            "launch with codeintel-obs run, or move it to usercustomize",
        )


def gevent(around: Surroundings) -> Iterator[Finding]:
    version = version_of("gevent")
    name = "OTEL_PYTHON_AUTO_INSTRUMENTATION_EXPERIMENTAL_GEVENT_PATCH"
    value = around.environ.get(name)
    if version and value is None:
        yield Finding(
            "gevent-late-patch",
            "warning",
            "a launcher imports threading and ssl before gevent can patch them",
            f"gevent {version} is installed, {name} is not set",
            f"where gevent patches: set {name}=patch_all",
        )
    if value is not None and value != "patch_all":
        yield Finding(
            "gevent-late-patch",
            "error",
            "the only value that this variable can have is patch_all",
            f"{name}={value}",
            f"set {name}=patch_all",
        )


def other_python(around: Surroundings) -> Iterator[Finding]:
    """The command may run in another Python, which does not have us: then nothing is recorded, in silence."""
    if not around.command:
        return
    executable = shutil.which(around.command[0], path=around.environ.get("PATH"))
    if executable is None:
        yield Finding(
            "command-not-found", "error", "there is no such command", around.command[0], "name a command that exists"
        )
        return
    interpreter = executable if _PYTHON.match(Path(executable).name) else _shebang(executable)
    if interpreter and os.path.isfile(interpreter) and not _same_environment(interpreter):
        yield Finding(
            "other-python",
            "warning",
            "the command runs in another Python than this one: nothing is recorded unless this"
            " package is installed there too",
            f"{interpreter}, and this is {sys.executable}",
            "install codeintel-obs into that environment and launch from there",
        )


def _flags(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the single-letter flags of a python command line, or of a script's first line."""
    if not words:
        return
    shown = " ".join(words[:6])
    if _PYTHON.match(Path(words[0]).name):
        yield from ((flag, shown) for flag in _letters(words[1:]))
        return
    executable = shutil.which(words[0])
    line = _first_line(executable) if executable else ""
    if line.startswith("#!"):
        yield from ((flag, f"{executable}: {line}") for flag in _letters(line.split()[1:]))


def _letters(words: Sequence[str]) -> Iterator[str]:
    for word in words:
        if not word.startswith("-") or word.startswith("--") or word == "-":
            return
        for letter in word[1:]:
            yield letter
            if letter in _WITH_VALUE:
                return


def _first_line(path: str) -> str:
    try:
        with open(path, "rb") as script:
            return script.readline(512).decode("utf-8", "replace").strip()
    except OSError:
        return ""


def _shebang(path: str) -> str | None:
    words = _first_line(path).removeprefix("#!").split()
    if not _first_line(path).startswith("#!") or not words:
        return None
    if Path(words[0]).name == "env" and len(words) > 1:
        return shutil.which(words[1])
    return words[0] if _PYTHON.match(Path(words[0]).name) else None


def _same_environment(interpreter: str) -> bool:
    return Path(interpreter).parent.resolve() == Path(sys.executable).parent.resolve() or os.path.samefile(
        Path(interpreter).parent, Path(sys.prefix) / "bin"
    )


def _installed_for_user() -> bool:
    return Path(codeintel_obs.__file__).is_relative_to(site.getusersitepackages())


CHECKS: Final[tuple[Check, ...]] = (flags_of_command, no_site_variables, own_sitecustomize, gevent, other_python)
