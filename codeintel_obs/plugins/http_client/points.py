"""Where the watched libraries send a request and where its answer ends; and one row for each kind of request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, NamedTuple

from codeintel_obs import outgoing
from codeintel_obs.plugins.http_client import over_aiohttp, over_httpx, over_urllib3
from codeintel_obs.plugins.http_client.asked import OTHER, VERBS, VLLM_PATHS, WAIT, Asked, said
from codeintel_obs.steps import Call, Point

_SCOPES: Final = tuple(
    f"opentelemetry.instrumentation.{name}" for name in ("httpx", "requests", "urllib3", "aiohttp_client")
)
"""Who makes spans of these requests, where somebody does."""


class _Way(NamedTuple):
    """How one library's request is read, given headers, and tied to its answer."""

    asked: Callable[[Call], Asked]
    carrying: Callable[[Call, Asked], Call]
    tallied: Callable[..., Any]
    at_return: Callable[[Any], Any] | None = None


_HTTPX: Final = _Way(over_httpx.asked, over_httpx.carrying, over_httpx.tallied)
_URLLIB3: Final = _Way(over_urllib3.asked, over_urllib3.carrying, over_urllib3.tallied, over_urllib3.at_return)
_AIOHTTP: Final = _Way(over_aiohttp.asked, over_aiohttp.carrying, over_aiohttp.tallied)
_WAYS: Final = {
    "HTTPTransport.handle_request": _HTTPX,
    "AsyncHTTPTransport.handle_async_request": _HTTPX,
    "HTTPConnectionPool._make_request": _URLLIB3,
    "BaseConnector.connect": _AIOHTTP,
}


def _row_of(call: Call) -> str | None:
    """Return the row that describes this request; None for an exporter's own."""
    if outgoing.is_suppressed():
        return None
    asked = _WAYS[call.name].asked(call)
    verb = VLLM_PATHS.get(asked.path.rstrip("/"))
    if verb is not None and outgoing.names(call.settings.vllm_hosts, asked.host, asked.port):
        asked = replace(asked, verb=verb)
    call.notes = asked
    return asked.kind()


def _before(call: Call) -> dict[str, Any]:
    return said(call.notes)


def _carrying(call: Call) -> Call:
    return _WAYS[call.name].carrying(call, call.notes)


def _tied(call: Call, result: Any) -> Any:
    return _WAYS[call.name].tallied(result, of_vllm=call.notes.verb is not None)


def _at_return(call: Call, result: Any) -> Any:
    finish = _WAYS[call.name].at_return
    return finish(result) if finish is not None else None


def _timed_out(exc: BaseException) -> bool:
    return over_httpx.timed_out(exc) or over_urllib3.timed_out(exc)


# -- where answers end -------------------------------------------------------------------------------------------------


def _of_httpx(library: str) -> tuple[Point, ...]:
    module = f"{library}._transports.default"
    read: dict[str, Any] = {"after": over_httpx.exhausted, "item": over_httpx.passed}
    shut: dict[str, Any] = {"after": over_httpx.closed}
    rows = {
        "ResponseStream.__iter__": read,
        "ResponseStream.close": shut,
        "AsyncResponseStream.__aiter__": read,
        "AsyncResponseStream.aclose": shut,
    }
    both: dict[str, Any] = {"key": over_httpx.stream, "failed": over_httpx.broken, "timed_out": _timed_out}
    return (
        _entry(module, "HTTPTransport.handle_request"),
        _entry(module, "AsyncHTTPTransport.handle_async_request"),
        *(Point(module=module, name=name, kind=None, **how, **both) for name, how in rows.items()),
    )


def _entry(module: str, name: str) -> Point:
    """Return a row for where a library sends one request: which kind it is, the request decides."""
    return Point(module=module, name=name, kind=None, stands_for=_row_of, carrier=_carrying)


def _reading_urllib3(name: str, **how: Any) -> Point:
    values: dict[str, Any] = {"failed": over_urllib3.broken, "timed_out": _timed_out, **how}
    return Point(module="urllib3.response", name=f"HTTPResponse.{name}", kind=None, **values)


_OF_URLLIB3: Final = (
    _entry("urllib3.connectionpool", "HTTPConnectionPool._make_request"),
    _reading_urllib3("_raw_read", key=over_urllib3.body, ends_when=over_urllib3.was_last, after=over_urllib3.exhausted),
    _reading_urllib3("read_chunked", key=over_urllib3.body, item=over_urllib3.passed, after=over_urllib3.exhausted),
    # not where a read that fails calls them: it says itself how it ended
    _reading_urllib3("close", key=over_urllib3.unread, after=over_urllib3.closed, from_outside=True),
    _reading_urllib3("release_conn", key=over_urllib3.unread, after=over_urllib3.closed, from_outside=True),
    Point(
        module="urllib3.connectionpool",
        name="HTTPConnectionPool._get_conn",
        kind=WAIT,
        skip_when=over_urllib3.has_one,
        before=over_urllib3.waiting,
        timed_out=_timed_out,
    ),
)


def _of_aiohttp(module: str, name: str, **how: Any) -> Point:
    values: dict[str, Any] = {"failed": over_aiohttp.broken, "ends_when": over_aiohttp.is_no_end, **how}
    return Point(module=f"aiohttp.{module}", name=name, kind=None, **values)


_READERS: Final = ("readuntil", "read", "readany", "readchunk", "readexactly", "_wait")
_OF_AIOHTTP: Final = (
    _entry("aiohttp.connector", "BaseConnector.connect"),
    _of_aiohttp("client_reqrep", "ClientRequest.send", key=over_aiohttp.connected),
    _of_aiohttp(
        "client_reqrep",
        "ClientResponse.start",
        before=over_aiohttp.note_connected,
        key=over_aiohttp.connected,
        ends_when=over_aiohttp.has_begun,
        after=over_aiohttp.answered,
    ),
    Point(module="aiohttp.streams", name="StreamReader.feed_data", kind=None, before=over_aiohttp.fed),
    Point(module="aiohttp.streams", name="StreamReader.feed_eof", kind=None, before=over_aiohttp.fed_all),
    *(_of_aiohttp("streams", f"StreamReader.{name}", key=over_aiohttp.protocol_of_reader) for name in _READERS),
    _of_aiohttp(
        "connector",
        "Connection.release",
        before=over_aiohttp.note,
        key=over_aiohttp.protocol_of_connection,
        ends_when=over_aiohttp.is_under_way,
        after=over_aiohttp.let_go,
    ),
    _of_aiohttp(
        "connector",
        "Connection.close",
        before=over_aiohttp.note,
        key=over_aiohttp.protocol_of_connection,
        ends_when=None,
        after=over_aiohttp.let_go,
    ),
)

_ENDS: Final = (*_of_httpx("httpx"), *_of_httpx("httpx2"), *_OF_URLLIB3, *_OF_AIOHTTP)


def _kind(kind: str) -> Point:
    """Return the row of one kind of request, whichever library sends it."""
    return Point(
        module="httpx._transports.default",  # wherever it is handed on from: none is looked up
        name=kind,
        kind=kind,
        handed_on=True,
        before=_before,
        after=_at_return,
        timed_out=_timed_out,
        carrier=_carrying,
        annotate=_SCOPES,
        key=_tied,
        ends_at=tuple(dict.fromkeys(point.name for point in _ENDS if point.key is not None)),
        span_kind="client",
    )


POINTS: Final = (
    *_ENDS,
    *(_kind(f"http_client.{verb}") for verb in (*VERBS, OTHER)),
    *(_kind(f"vllm.{verb}") for verb in dict.fromkeys(VLLM_PATHS.values())),
)
