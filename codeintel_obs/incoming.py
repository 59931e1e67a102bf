"""What a request from outside may say of runs: ids that name one, and the carrier of one to join. All hostile input."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote

from codeintel_obs.runs import accept_id, place_in
from codeintel_obs.steps import Link

_PREFIX: Final = "codeintel."
_CAP: Final = 8192


_NAME: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_VALUE: Final = r"[!#-+\--:<-\[\]-~]*"
_ENTRY: Final = re.compile(
    rf"[ \t]*{_NAME}[ \t]*=[ \t]*{_VALUE}[ \t]*(?:;[ \t]*{_NAME}[ \t]*(?:=[ \t]*{_VALUE}[ \t]*)?)*"
)
_ENTRIES: Final = 180
_ENTRY_CAP: Final = 4096


def sound(baggage: str) -> str:
    """Return those entries of W3C baggage that keep its format and limits; of a longer header none.

    OpenTelemetry leaves the others out too, but logs each with its content: anybody could write into the
    application's log, and the sender's words would be in it.
    """
    if len(baggage) > _CAP:
        return ""
    entries = [each for each in baggage.split(",") if len(each) <= _ENTRY_CAP and _ENTRY.fullmatch(each)]
    return ",".join(entries[:_ENTRIES])


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
