"""The composition root: settings, providers, sinks and instrumentors become one recorder."""

from __future__ import annotations

TYPE_CHECKING = False  # as in `codeintel_obs`: a launched process does without `typing`
if TYPE_CHECKING:
    from typing import Any

__all__ = ["start"]


def start(**overrides: Any) -> bool:
    """Start recording in this process; return whether it records now. Idempotent; never raises.

    ``overrides`` are settings by name (see ``codeintel-obs config``) and win over the environment and files.
    Libraries that are imported already are wrapped too; what was bound before (``from faiss import knn``) is not seen.
    """
    from codeintel_obs.launch.compose import start_recording

    return start_recording(overrides)
