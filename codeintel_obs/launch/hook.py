"""Plain ``opentelemetry-instrument``: its pre-instrument hook is all that we need of it."""

from __future__ import annotations


def pre_instrument() -> None:
    """Start recording, with whatever provider the stock launcher's configurator installed."""
    from codeintel_obs.launch import start

    start()
