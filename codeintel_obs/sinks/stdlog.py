"""Writes each step as a JSON line through the application's own logging; off unless asked for.

The logger is ``codeintel_obs.steps``: where its lines go, and whether, is the application's configuration. Failed and
timed-out steps are warnings, all others infos. What is done for such a line is not recorded: the log bridge does not
see it, nor is what the application's handlers do with it a step.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from codeintel_obs.context import suppress
from codeintel_obs.hookspecs import hookimpl
from codeintel_obs.spans import failed, merged
from codeintel_obs.steps import Step

if TYPE_CHECKING:
    from codeintel_obs.recorder import Recorder
    from codeintel_obs.settings import Settings

LOGGER: Final = "codeintel_obs.steps"
_encode = msgspec.json.Encoder(enc_hook=repr).encode


class StdlogSink:
    """Built in and inline: the line is with the application's handlers before it goes on."""

    _logger: logging.Logger | None = None

    def configure(self, settings: Settings, _active: Recorder, _manifest: Callable[[], Any]) -> None:
        """Called once by launch, before the first event; the logger comes to be only where lines are asked for."""
        self._logger = logging.getLogger(LOGGER) if settings.stdlog else None

    @hookimpl
    def obs_step_ended(self, step: Step) -> None:
        """Write the step's line."""
        logger = self._logger
        level = logging.WARNING if failed(step) else logging.INFO
        if logger is not None and logger.isEnabledFor(level):
            with suppress():
                logger.log(level, "%s", _encode(line(step)).decode())


def line(step: Step) -> dict[str, Any]:
    """Return what a line says of ``step``; what is unknown is absent."""
    said = {
        "kind": step.kind,
        "status": str(step.status),
        "detail": step.detail,
        "duration_ns": step.duration_ns,
        "run_id": step.run.run_id,
        "trace_id": step.trace_id,
        "span_id": step.span_id,
        "parent_span_id": step.parent_span_id,
        "payload": merged(step) or None,
        "error": step.error,
    }
    return {key: value for key, value in said.items() if value is not None}
