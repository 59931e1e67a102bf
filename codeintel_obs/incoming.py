"""What a request from outside may say of runs: ids that name one, and the carrier of one to join. All hostile input."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote

from codeintel_obs.runs import accept_id, place_in
from codeintel_obs.steps import Link

_PREFIX: Final = "codeintel."
_CAP: Final = 8192


def carrier_in(baggage: str | None) -> dict[str, str] | None:
    """Return what W3C baggage carries of a run to join, or None when it carries none."""
    carried = {}
    for entry in (baggage or "")[:_CAP].split(","):
        name, _, value = entry.partition(";")[0].partition("=")
        name = name.strip()
        if name.startswith(_PREFIX):
            carried[name.removeprefix(_PREFIX)] = unquote(value.strip())
    return carried or None


def asked_place(run_id: str | None, traceparent: str | None) -> tuple[Link, ...]:
    """Return a link to the run and the place in a trace that a sender names, for a part of another run."""
    found = place_in(traceparent or "")
    stored = accept_id(run_id)[0] if run_id else None
    if found is None:
        return (Link(run_id=stored),) if stored else ()
    return (Link(stored, found[0], found[1]),)


def is_trusted(peer: str | None, allowed: Iterable[str]) -> bool:
    """Whether the network peer may join a run: it is this machine, or one of the ``allowed`` addresses or names."""
    if peer is None:
        return False
    if peer in allowed:
        return True
    try:
        return ipaddress.ip_address(peer).is_loopback
    except ValueError:
        return False
