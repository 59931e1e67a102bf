"""The one line after a failure: what stopped the run, and the command that tells the rest."""

from __future__ import annotations

import os
import shlex
from typing import Final

from codeintel_obs.errors import RunNotFoundError
from codeintel_obs.report.attempts import find, report_of
from codeintel_obs.report.render_text import verdict
from codeintel_obs.report.words import clip
from codeintel_obs.settings import NAMES

_WIDTH: Final = 240


def verdict_line(data_dir: str, run_id: str, token: str) -> str:
    """Return the line for the attempt ``token`` of a run that is on disk; RunNotFoundError when it is not."""
    attempt = next((each for each in find([data_dir], run_id) if each.files.attempt == token), None)
    if attempt is None:
        raise RunNotFoundError(f"nothing was recorded of run {run_id} in {data_dir}; try `codeintel-obs doctor`")
    command = ["codeintel-obs", "report", attempt.run_id]
    if attempt.total > 1:
        command += ["--attempt", str(attempt.number)]
    if data_dir != os.path.abspath(NAMES["data_dir"].default):
        command += ["--data-dir", os.path.relpath(data_dir) if data_dir.startswith(os.getcwd() + os.sep) else data_dir]
    said = clip(" ".join(verdict(report_of(attempt, keep=0)).split()), _WIDTH)
    return f"codeintel-obs: {said}; see: {shlex.join(command)}"
