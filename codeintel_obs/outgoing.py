"""What a request to the outside may carry of a run, and to whom: this machine, and hosts that the settings name."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from codeintel_obs.steps import Step

REQUEST_ID: Final = "X-Request-Id"
_TRACEPARENT: Final = "traceparent"
_BAGGAGE: Final = "baggage"
_OURS: Final = ("run", "attempt", "day", "session")
ASKED: Final = frozenset({_TRACEPARENT, _BAGGAGE, REQUEST_ID.lower()})
"""The headers that decide, by lower-case name, what is added."""


def names(hosts: Iterable[str], host: str, port: int | None) -> bool:
    """Whether ``hosts`` (each ``host`` or ``host:port``; an IPv6 address with a port in brackets) names this one."""
    host = host.strip("[]").lower()
    accepted = {host, f"{host}:{port}", f"[{host}]", f"[{host}]:{port}"}
    return any(each.lower() in accepted for each in hosts)


def is_carried_to(host: str, port: int | None, allowed: Iterable[str]) -> bool:
    """Whether the run may travel to ``host``: it is this machine, or one of the ``allowed``."""
    return _is_this_machine(host) or names(allowed, host, port)


@lru_cache(maxsize=256)
def _is_this_machine(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def headers(step: Step, present: Mapping[str, str]) -> dict[str, str]:
    """Return the headers by which the receiver joins the run of ``step``: those that ``present`` lacks.

    ``present`` are the application's own of `ASKED`, by lower-case name; of its baggage a longer one is returned. The id of the
    request is the run's and the step's, because vLLM refuses a second request of one id.
    """
    run = step.run
    ours = _baggage_of(run.run_id, run.attempt, run.day, run.session_id)
    theirs = present.get(_BAGGAGE)
    made = {_BAGGAGE: f"{theirs},{ours}" if theirs else ours}
    if _TRACEPARENT not in present:
        flags = "00" if step.sampled is False else "01"
        made[_TRACEPARENT] = f"00-{step.trace_id}-{step.span_id}-{flags}"
    if REQUEST_ID.lower() not in present:
        made[REQUEST_ID] = f"{run.run_id}-{step.span_id}"
    return made


@lru_cache(maxsize=64)  # a run asks more than once
def _baggage_of(*values: str | None) -> str:
    """Return the run, the attempt, the day and the session in the words of baggage."""
    said = zip(_OURS, values, strict=True)
    return ",".join(f"codeintel.{key}={quote(value, safe='')}" for key, value in said if value)


def is_suppressed() -> bool:
    """Whether OpenTelemetry asks instrumentations to look away: an exporter's own request is no step."""
    api = sys.modules.get("opentelemetry.context")
    key = getattr(api, "_SUPPRESS_INSTRUMENTATION_KEY", None)
    return api is not None and key is not None and bool(api.get_value(key))
