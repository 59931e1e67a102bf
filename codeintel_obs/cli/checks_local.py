"""Checks of our own side: settings, the data directory, plugins, and what recent processes complained of."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from codeintel_obs.cli.checks import Check, Finding, Surroundings
from codeintel_obs.ledger.networks import network_of
from codeintel_obs.variables import OFF_VARIABLE

_RECENT: Final = 20


def bad_settings(around: Surroundings) -> Iterator[Finding]:
    for problem in around.settings.problems:
        where, what = f"{problem.where}: {problem.key}", f"the setting {problem.key} is put aside for its default"
        yield Finding("bad-setting", "error", what, f"{where}: {problem.problem}", problem.mend)


def switched_off(around: Surroundings) -> Iterator[Finding]:
    value = around.environ.get(OFF_VARIABLE, "")
    if value.lower() in {"off", "0", "false", "no"}:
        yield Finding(
            "switched-off", "error", "everything is switched off", f"{OFF_VARIABLE}={value}", f"unset {OFF_VARIABLE}"
        )


def data_dir(around: Surroundings) -> Iterator[Finding]:
    path = Path(around.settings.data_dir)
    nearest = next(each for each in (path, *path.parents) if each.exists())
    refused = next(_refusals(path, nearest, around.settings.sources["data_dir"]), None)
    if refused is not None:
        yield refused
        return
    yield from _on_a_network(path)
    yield from _nearly_full(nearest, around.settings.min_free)


def _refusals(path: Path, nearest: Path, source: str) -> Iterator[Finding]:
    """Yield what keeps anything from being written under ``path``; ``nearest`` is what there is of it."""
    if not nearest.is_dir():
        yield Finding(
            "data-dir-not-writable",
            "error",
            f"{nearest} is no folder: nothing can be written",
            f"data_dir={path} ({source})",
            "name another folder: --data-dir or CODEINTEL_OBS_DATA_DIR",
        )
    below = [each for each in (nearest, path / "telemetry", path / "telemetry" / "runs") if each.exists()]
    for folder in below:
        if not os.access(folder, os.W_OK | os.X_OK):
            yield Finding(
                "data-dir-not-writable",
                "error",
                "ledgers cannot be written: every record will be dropped",
                f"{folder} is not writable for user {os.geteuid()} (data_dir from {source})",
                f"chown or chmod {folder}, or name another folder: CODEINTEL_OBS_DATA_DIR",
            )


def _on_a_network(path: Path) -> Iterator[Finding]:
    network = network_of(str(path))
    if network is not None:
        yield Finding(
            "data-dir-on-network",
            "warning",
            "records wait in memory before they are written, and are lost with a process that is killed",
            f"{path} lies on a network file system: {network}",
            "name a folder on a local disk: --data-dir or CODEINTEL_OBS_DATA_DIR",
        )


def _nearly_full(nearest: Path, min_free: float) -> Iterator[Finding]:
    usage = shutil.disk_usage(nearest)
    share = usage.free / usage.total if usage.total else 1.0
    if share < min_free:
        yield Finding(
            "disk-nearly-full",
            "warning",
            "retention keeps this much free, so old runs are removed early",
            f"{share:.1%} of the file system of {nearest} is free, min_free is {min_free:.1%}",
            "free some space, or lower min_free",
        )


def plugins(around: Surroundings) -> Iterator[Finding]:
    from codeintel_obs.cli.installed import plugins as installed

    for each in installed(around.settings):
        evidence = f"{each.name} of {each.distribution or 'an unknown distribution'}"
        if each.state.startswith("does not load"):
            yield Finding(
                "plugin-does-not-load",
                "error",
                f"the {each.sort} {each.name} {each.state}",
                evidence,
                f"mend or uninstall it, or switch it off: CODEINTEL_OBS_DISABLED_PLUGINS={each.name}",
            )
        elif each.state.startswith("disabled"):
            yield Finding(
                "plugin-disabled",
                "note",
                f"the {each.sort} {each.name} is {each.state}",
                evidence,
                "nothing, if that is what you want",
            )
        elif each.outside:
            yield Finding(
                "library-version-outside",
                "warning",
                f"{each.name} is not watched: {each.outside}",
                evidence,
                f"install {' or '.join(each.requires)}",
            )


def prometheus(around: Surroundings) -> Iterator[Finding]:
    settings = around.settings
    if settings.prometheus and find_spec("prometheus_client") is None:
        yield Finding(
            "prometheus-client-missing",
            "error",
            "nothing will be served to Prometheus: its client is not installed",
            f"prometheus={settings.prometheus} ({settings.sources['prometheus']})",
            "pip install 'codeintel-obs[metrics]', or unset the setting",
        )


def recent_problems(around: Surroundings) -> Iterator[Finding]:
    """Tell what recent processes of this data directory had to put aside: inside them it was one line on stderr."""
    folder = Path(around.settings.data_dir) / "telemetry" / "processes"
    manifests = sorted(folder.glob("*/*.json"), key=_modified, reverse=True)[:_RECENT]
    told: set[str] = set()
    for path in manifests:
        for problem in _problems(path):
            if problem not in told:
                told.add(problem)
                yield Finding(
                    "bad-setting-in-process",
                    "warning",
                    "a recorded process ran with a default instead of a setting",
                    f"{path.name}: {problem}",
                    "mend the setting where that process is started",
                )


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _problems(path: Path) -> list[str]:
    try:
        found = json.loads(path.read_text(encoding="utf-8", errors="replace")).get("problems", [])
    except (OSError, ValueError, AttributeError):
        return []
    return [str(each) for each in found] if isinstance(found, list) else []


CHECKS: Final[tuple[Check, ...]] = (bad_settings, switched_off, data_dir, plugins, prometheus, recent_problems)
