"""Which of the application's headers a request has, and what is added to them for those who may join the run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from codeintel_obs import outgoing
from codeintel_obs.plugins.http_client.asked import Asked
from codeintel_obs.steps import Call

_ASKED: Final = outgoing.ASKED | {name.encode() for name in outgoing.ASKED}
"""As the libraries have names: texts or bytes."""


def added(call: Call, asked: Asked, headers: Iterable[tuple[Any, Any]]) -> dict[str, str] | None:
    """Return the headers that this request gets besides its own; None where the run may not travel."""
    step = call.step
    allowed = call.settings.propagate_hosts
    if step is None or asked.proxied or not outgoing.is_carried_to(asked.host, asked.port, allowed):
        return None
    present: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        if key in _ASKED:
            key = _text(key)
            # baggage may come in several lines, and means what they say together
            present[key] = f"{present[key]},{_text(value)}" if key in present else _text(value)
    return outgoing.headers(step, present)


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
