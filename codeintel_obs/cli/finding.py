"""How commands find what they read: data directories, and the run that a RUN argument names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codeintel_obs.errors import CodeIntelObsError, RunNotFoundError

if TYPE_CHECKING:
    import argparse

    from codeintel_obs.report.attempts import Attempt
    from codeintel_obs.report_model import RunReport


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


def chosen(attempts: list[Attempt], number: int | None) -> Attempt:
    """Return the attempt with this ``number``, the newest without one."""
    if number is None:
        return attempts[-1]
    if not 1 <= number <= len(attempts):
        raise RunNotFoundError(f"run {attempts[0].run_id} has attempts 1 to {len(attempts)}, and no {number}")
    return attempts[number - 1]


def report_in(path: str) -> RunReport:
    """Return the report that the JSON file ``path`` holds."""
    import msgspec

    from codeintel_obs.report_model import RunReport

    try:
        with open(path, "rb") as file:
            return msgspec.json.decode(file.read(), type=RunReport, strict=True)
    except OSError as exc:
        raise CodeIntelObsError(f"{path}: cannot be read ({exc.strerror})") from exc
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise CodeIntelObsError(
            f"{path}: no Run Report ({exc}); make one: codeintel-obs report RUN --format json"
        ) from exc


def attempt_of(report: RunReport, folders: list[str]) -> Attempt:
    """Return the attempt that ``report`` tells of, by its token; where its own ledger lies is looked at last."""
    from codeintel_obs.report.attempts import find

    data_dir = (report.ledger_path or "").partition("/telemetry/runs/")
    places = [*folders, data_dir[0]] if data_dir[1] and not data_dir[0].startswith("-") else folders
    for attempt in find(places, report.run_id):
        if attempt.files.attempt == report.token:
            return attempt
    raise RunNotFoundError(f"no ledger of run {report.run_id!r}, attempt {report.token!r}, in {', '.join(folders)}")
