"""The command that tells the rest of a run, as it has to be typed where the reader is."""

from __future__ import annotations

import os
import shlex

from codeintel_obs.settings import NAMES


def report_command(run_id: str, data_dir: str | None, attempt: int | None = None, *more: str) -> str:
    """Return the `codeintel-obs report` of a run; the folder is named unless it is the default one from here."""
    words = ["codeintel-obs", "report", run_id]
    if attempt is not None:
        words += ["--attempt", str(attempt)]
    if data_dir is not None and data_dir != os.path.abspath(NAMES["data_dir"].default):
        here = data_dir.startswith(os.getcwd() + os.sep)
        words += ["--data-dir", os.path.relpath(data_dir) if here else data_dir]
    return shlex.join([*words, *more])
