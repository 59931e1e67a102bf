"""Describes requests, websockets, lifespans and background tasks from their scopes and the messages that pass."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from codeintel_obs import semconv
from codeintel_obs.plugins.fastapi.request import scope_of
from codeintel_obs.steps import Call, Outcome, Status

_FAILED_FROM = 500


class Exchange:
    """What has passed between the server and the application so far."""

    __slots__ = (
        "accepted", "chunks", "close_code", "disconnected", "done_ns", "failure", "received", "root_path", "sent", "status",
    )  # fmt: skip

    def __init__(self, root_path: str = "") -> None:
        self.root_path = root_path
        self.done_ns: int | None = None
        self.status: int | None = None
        self.received = self.sent = self.chunks = 0
        self.disconnected = self.accepted = False
        self.close_code: int | None = None
        self.failure: str | None = None

    def done(self, call: Call) -> None:
        """Note when the response was complete, or the application up: the ns since the step's begin."""
        if self.done_ns is None and call.step is not None:
            self.done_ns = time.monotonic_ns() - call.step.mono_ns


# -- requests ----------------------------------------------------------------------------------------------------------


def begin_request(call: Call) -> Mapping[str, Any]:
    """Say what is asked for."""
    scope = scope_of(call)
    call.notes = Exchange(scope.get("root_path", ""))
    query = scope.get("query_string")
    return {
        "method": scope.get("method"),
        "path": scope.get("path"),
        "query": query.decode("latin-1") if query else None,
        "http_version": scope.get("http_version"),
    }


def request_received(call: Call, message: Mapping[str, Any]) -> None:
    """Note a part of the request's body, or that its client has gone."""
    seen: Exchange = call.notes
    if message["type"] == "http.request":
        seen.received += len(message.get("body", b""))
    elif message["type"] == "http.disconnect" and seen.done_ns is None:
        seen.disconnected = True


def request_sent(call: Call, message: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Note a part of the response; give its start our ids."""
    seen: Exchange = call.notes
    kind = message["type"]
    if kind == "http.response.start":
        seen.status = message["status"]
        return with_ids(call, message)
    if kind == "http.response.body":
        seen.chunks += 1
        seen.sent += len(message.get("body", b""))
        if not message.get("more_body", False):
            seen.done(call)
    elif kind == "http.response.pathsend":  # the server sends the file, and alone knows its size
        seen.done(call)
    return None


def request_ended(call: Call, _result: Any) -> Outcome:
    """Say how a request ended whose application returned."""
    seen: Exchange = call.notes
    said = request_facts(call)
    if seen.status is not None and seen.status >= _FAILED_FROM:
        return Outcome(said, Status.FAILED, f"status {seen.status}")
    if seen.disconnected:
        return Outcome(said, detail="client disconnected")
    return Outcome(said, detail=None if seen.status is not None else "no response was begun")


def request_facts(call: Call, _exc: BaseException | None = None) -> Mapping[str, Any]:
    """Say what has passed, of a request whose application raised too."""
    seen: Exchange = call.notes
    return {
        "status_code": seen.status,
        "route": route_of(call),
        "request_bytes": seen.received or None,
        "response_bytes": seen.sent if seen.status is not None else None,
        "chunks": seen.chunks if seen.chunks > 1 else None,
        "response_ns": seen.done_ns,
        "disconnected": True if seen.disconnected else None,
    }


def route_of(call: Call) -> str | None:
    """Return the route's template, with the prefix of the application that it is mounted in."""
    scope = scope_of(call)
    path = getattr(scope.get("route"), "path", None)
    if not isinstance(path, str):
        return None
    root, before = scope.get("root_path", ""), call.notes.root_path
    return (root.removeprefix(before) if root.startswith(before) else "") + path


def with_ids(call: Call, message: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the begin of a response with the ids of run and trace in its headers, unless the application set them."""
    headers = message.get("headers", ())
    step = call.step
    if step is None or not isinstance(headers, (list, tuple)):
        return None
    present = {bytes(name).lower() for name, _ in headers}
    ours = ((b"x-run-id", step.run.run_id.encode()), (b"x-trace-id", step.trace_id.encode()))
    return {**message, "headers": [*headers, *(pair for pair in ours if pair[0] not in present)]}


# -- websockets --------------------------------------------------------------------------------------------------------


def begin_websocket(call: Call) -> Mapping[str, Any]:
    """Say what is asked for; a handshake has no method of its own in ASGI."""
    return begin_request(call)


def websocket_received(call: Call, message: Mapping[str, Any]) -> None:
    """Count a message, or note with which code the client has gone."""
    seen: Exchange = call.notes
    if message["type"] == "websocket.receive":
        seen.received += 1
    elif message["type"] == "websocket.disconnect":
        seen.disconnected = True
        if seen.close_code is None:
            seen.close_code = message.get("code")


def websocket_sent(call: Call, message: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Count a message, note with which code the application closed; give an accepted handshake our ids."""
    seen: Exchange = call.notes
    kind = message["type"]
    if kind == "websocket.send":
        seen.sent += 1
    elif kind == "websocket.accept":
        seen.accepted = True
        return with_ids(call, message)
    elif kind == "websocket.close":
        seen.close_code = message.get("code", 1000)
    elif kind == "websocket.http.response.start":
        seen.status = message["status"]
        return with_ids(call, message)
    return None


def websocket_ended(call: Call, _result: Any) -> Mapping[str, Any]:
    """Say how a websocket ended."""
    return websocket_facts(call)


def websocket_facts(call: Call, _exc: BaseException | None = None) -> Mapping[str, Any]:
    """Say what has passed over a websocket."""
    seen: Exchange = call.notes
    return {
        "route": route_of(call),
        "accepted": seen.accepted,
        "received": seen.received,
        "sent": seen.sent,
        "close_code": seen.close_code,
        "status_code": seen.status,
        "disconnected": True if seen.disconnected else None,
    }


# -- lifespans and background tasks ------------------------------------------------------------------------------------


def begin_lifespan(call: Call) -> None:
    """Begin to watch an application's start-up."""
    call.notes = Exchange()


def lifespan_sent(call: Call, message: Mapping[str, Any]) -> None:
    """Note that the application is up, or what it says of its failure."""
    seen: Exchange = call.notes
    kind = message["type"]
    if kind == "lifespan.startup.complete":
        seen.accepted = True
        seen.done(call)
    elif kind.endswith(".failed"):
        seen.failure = kind


def lifespan_ended(call: Call, _result: Any) -> Outcome:
    """Say how a lifespan ended whose application returned."""
    failure = call.notes.failure
    status = Status.FAILED if failure else Status.COMPLETED
    return Outcome(lifespan_facts(call), status, failure)


def lifespan_facts(call: Call, _exc: BaseException | None = None) -> Mapping[str, Any]:
    """Say whether and when the application was up."""
    seen: Exchange = call.notes
    return {"started": seen.accepted, "startup_ns": seen.done_ns}


def background_task(call: Call) -> Mapping[str, Any]:
    """Say which function is run after the response."""
    function = getattr(call.instance, "func", None)
    return {"task": getattr(function, "__qualname__", None)}


def handled(call: Call, _exc: BaseException | None) -> BaseException | None:
    """Return the exception that an exception handler is asked to answer."""
    exc = call.arg(1, "exc")
    return exc if isinstance(exc, BaseException) and _exc is None else None


# -- spans -------------------------------------------------------------------------------------------------------------


def attributes(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the semantic conventions' attributes of a request or websocket."""
    return {
        semconv.HTTP_REQUEST_METHOD: payload.get("method"),
        semconv.HTTP_ROUTE: payload.get("route"),
        semconv.HTTP_RESPONSE_STATUS_CODE: payload.get("status_code"),
        semconv.URL_PATH: payload.get("path"),
        semconv.URL_QUERY: payload.get("query"),
        semconv.NETWORK_PROTOCOL_VERSION: payload.get("http_version"),
    }
