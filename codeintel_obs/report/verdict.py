"""The one line after a failure: what stopped the run, and the command that tells the rest."""

from __future__ import annotations

from typing import Final

from codeintel_obs.errors import RunNotFoundError
from codeintel_obs.report.attempts import find, report_of
from codeintel_obs.report.command import report_command
from codeintel_obs.report.render_text import verdict

_WIDTH: Final = 240


def verdict_line(data_dir: str, run_id: str, token: str) -> str:
    """Return the line for the attempt ``token`` of a run that is on disk; RunNotFoundError when it is not."""
    attempt = next((each for each in find([data_dir], run_id) if each.files.attempt == token), None)
    if attempt is None:
        raise RunNotFoundError(f"nothing was recorded of run {run_id} in {data_dir}; try `codeintel-obs doctor`")
    command = report_command(attempt.run_id, data_dir, attempt.number if attempt.total > 1 else None)
    said = " ".join(verdict(report_of(attempt, keep=0), _WIDTH).split())
    return f"codeintel-obs: {said}; see: {command}"
