"""Which of the application's headers a request has, and what is added to them for those who may join the run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from codeintel_obs import outgoing
from codeintel_obs.plugins.http_client.asked import Asked
from codeintel_obs.steps import Call


def added(call: Call, asked: Asked, headers: Iterable[tuple[Any, Any]]) -> dict[str, str] | None:
    """Return the headers that this request gets besides its own; None where the run may not travel."""
    step = call.step
    allowed = call.settings.propagate_hosts
    if step is None or asked.proxied or not outgoing.is_carried_to(asked.host, asked.port, allowed):
        return None
    return outgoing.headers(step, {_text(name).lower(): _text(value) for name, value in headers})


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
