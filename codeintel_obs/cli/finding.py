"""How commands find what they read: data directories, and the run that a RUN argument names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codeintel_obs.errors import RunNotFoundError

if TYPE_CHECKING:
    import argparse

    from codeintel_obs.report.attempts import Attempt


def data_dirs(options: argparse.Namespace) -> list[str]:
    """Return the data directories to read: those named, else the settings' own."""
    if options.data_dir:
        return list(options.data_dir)
    from codeintel_obs.settings import load

    return [load().data_dir]


def add_run(made: argparse.ArgumentParser, other: str, told: str) -> None:
    """Add the RUN argument and the option that may stand instead of it."""
    made.add_argument(
        "run", nargs="?", metavar="RUN", help="the run's id as it was given, as `runs` prints it, or how it begins"
    )
    made.add_argument(other, action="store_true", help=told)


def attempts_of(raw: str, folders: list[str]) -> list[Attempt]:
    """Return the attempts of the run that ``raw`` names, oldest first. ``raw`` is hostile input."""
    from codeintel_obs.report.attempts import find

    found = find(folders, raw)
    if not found:
        raise RunNotFoundError(f"no run {raw!r} in {', '.join(folders)}; `codeintel-obs runs` lists what there is")
    return found


def last(folders: list[str]) -> list[Attempt]:
    """Return the attempts of the run that began last."""
    from codeintel_obs.report.attempts import newest_first

    found = next(newest_first(folders), None)
    if found is None:
        raise RunNotFoundError(f"no run in {', '.join(folders)}; record one: codeintel-obs run -- CMD")
    return found
