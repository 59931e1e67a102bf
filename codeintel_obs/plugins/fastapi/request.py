"""Reads what an ASGI scope says of a request: whose it is, which run it asks for, and whether it is excluded."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, Final

from codeintel_obs.asgi import ROUTES, Place, place_of
from codeintel_obs.incoming import carrier_in, is_trusted
from codeintel_obs.steps import Call, RunRequest

_ROWS: Final = {"http": "http application", "websocket": "websocket application", "lifespan": "lifespan application"}
_REMEMBERED: Final = 128
_OURS: Final = re.compile(rf"{ROUTES}(runs|run/[^/]+/report)")
# a proxy on this machine speaks for anybody
_FORWARDING: Final = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via"})


def scope_of(call: Call) -> dict[str, Any]:
    """Return the scope of an application's call."""
    found = call.arg(0, "scope")
    return found if isinstance(found, dict) else {}


def headers_of(scope: dict[str, Any]) -> dict[bytes, bytes]:
    """Return the request's headers, the first of each name."""
    found: dict[bytes, bytes] = {}
    headers = scope.get("headers")
    for name, value in headers if isinstance(headers, (list, tuple)) else ():
        found.setdefault(name.lower(), value)
    return found


def row_of(call: Call) -> str | None:
    """Return the row that describes this call; None where its path is excluded."""
    scope = scope_of(call)
    path = scope.get("path")
    if isinstance(path, str) and is_excluded(path, call.settings.excluded_paths):
        return None
    return _ROWS.get(scope.get("type", ""))


def is_excluded(path: str, patterns: tuple[str, ...]) -> bool:
    """Whether one of the patterns names this path."""
    # a thousand long paths of anybody's making would stay in memory
    return (_is_excluded if len(path) <= _REMEMBERED else _is_excluded.__wrapped__)(path, patterns)


@lru_cache(maxsize=1024)
def _is_excluded(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)


def is_for_us(call: Call) -> bool:
    """Whether the request is for the routes that show what was recorded, from somebody whom they may answer.

    Anybody else's is the application's, as it would be without us; and so is a path where it has a route of its own.
    """
    scope = scope_of(call)
    path = str(scope.get("path", ""))
    if scope.get("type") != "http" or scope.get("method") not in {"GET", "HEAD"} or not _OURS.fullmatch(path):
        return False
    if not is_local(scope) and not call.settings.report_token:
        return False
    return place_of(call.instance, path) is not Place.OWN


def is_local(scope: dict[str, Any]) -> bool:
    """Whether a request comes from this machine, through no proxy, and is meant for it.

    The name that it was sent to counts too: a page of anybody's can have a browser here send requests, once the name
    of its own site leads to this machine.
    """
    client, headers = scope.get("client"), headers_of(scope)
    if not client or not is_trusted(client[0], ()) or _FORWARDING.intersection(headers):
        return False
    host = (_text(headers.get(b"host")) or "").lower()
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name == "localhost" or is_trusted(name, ())


def identity(call: Call) -> Any:
    """Return what every scope of one request shares, also one that a middleware copied."""
    scope = scope_of(call)
    found = scope.get("asgi")
    return scope if found is None else found


def baggage(call: Call) -> str | None:
    """Return the sender's baggage."""
    return _text(headers_of(scope_of(call)).get(b"baggage"))


def asked_run(call: Call) -> RunRequest:
    """Return the run that the request asks for: named by its headers, or to be joined by its baggage."""
    scope = scope_of(call)
    headers = headers_of(scope)
    return RunRequest(
        name=f"{scope.get('method', 'WEBSOCKET')} {scope.get('path', '')}",
        run_id=_text(headers.get(b"x-run-id")),
        session_id=_text(headers.get(b"x-session-id")),
        join=_carrier(scope, headers, call.settings.propagate_hosts),
        traceparent=_text(headers.get(b"traceparent")),
    )


def _carrier(scope: dict[str, Any], headers: dict[bytes, bytes], allowed: tuple[str, ...]) -> dict[str, str] | None:
    client = scope.get("client")
    trusted = client and is_trusted(client[0], allowed) and not _FORWARDING.intersection(headers)
    return carrier_in(_text(headers.get(b"baggage"))) if trusted else None


def _text(value: bytes | None) -> str | None:
    return value.decode("latin-1") if value else None
