"""Names of the environment variables and files by which a process is told of us: known before anything is imported."""

from __future__ import annotations

TYPE_CHECKING = False  # as in `codeintel_obs`: a launched process does without `typing`
if TYPE_CHECKING:
    from typing import Final

OFF_VARIABLE: Final = "CODEINTEL_OBS"
"""``off`` switches everything off; ``1`` starts recording where the opt-in ``.pth`` is installed."""

CLI_VARIABLE: Final = "CODEINTEL_OBS_CLI"
"""Holds the command line's settings, from the launcher to its child, as JSON."""

CONTEXT_VARIABLE: Final = "CODEINTEL_OBS_CONTEXT"
"""Carries a run into a child process: JSON, see `codeintel_obs.runs.Run.carrier`."""

FILES: Final = ("codeintel_obs.toml", "pyproject.toml")
"""Where settings of a working directory stand, the higher level first."""

_OFF: Final = frozenset({"off", "0", "false", "no"})


def is_off(value: str | None) -> bool:
    """Whether this value of `OFF_VARIABLE` switches everything off."""
    return (value or "").lower() in _OFF
