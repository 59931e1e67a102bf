"""How commands find what they read: data directories, and the run that a RUN argument names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codeintel_obs.cli.compacted import readable
from codeintel_obs.errors import CodeIntelObsError, RunNotFoundError

if TYPE_CHECKING:
    import argparse

    from codeintel_obs.report.attempts import Attempt
    from codeintel_obs.report_model import RunReport

_WORTH_SAVING: Final = 256


def data_dirs(options: argparse.Namespace) -> list[str]:
    """Return the data directories to read: those named, else the settings' own. What is compacted can be read then."""
    readable()
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
        _tell_pruned(raw, folders)
        raise RunNotFoundError(f"no run {raw!r} in {', '.join(folders)}; `codeintel-obs runs` lists what there is")
    return found


def _tell_pruned(raw: str, folders: list[str]) -> None:
    from codeintel_obs.ledger.tombstones import pruned

    stones = [stone for folder in folders for stone in pruned(folder, raw)]
    if stones:
        last = stones[-1]
        why = {"asked": "because somebody asked for it"}.get(last.reason, f"by the limit on {last.reason}")
        raise RunNotFoundError(f"run {last.run_id} of {last.day} was pruned at {last.ts}, {why}; its ledger is gone")


def last(folders: list[str]) -> list[Attempt]:
    """Return the attempts of the run that began last."""
    from codeintel_obs.ledger.attempts import Catalogue
    from codeintel_obs.ledger.index import DayIndex
    from codeintel_obs.report.attempts import numbered

    names = Catalogue(folders)
    for day in sorted(names.days, reverse=True):
        pages = [DayIndex(folder, day) for folder in names.days[day]]
        for page in pages:
            page.save(_WORTH_SAVING)
        found = sorted((each for page in pages for each in page.entries), key=lambda each: each.begun_at)
        for entry in reversed(found):
            attempts = names.attempts(entry.run_id)
            if attempts:
                return numbered(attempts)
    raise RunNotFoundError(f"no run in {', '.join(folders)}; record one: codeintel-obs run -- CMD")


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
