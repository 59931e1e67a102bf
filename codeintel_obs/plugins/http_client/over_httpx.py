"""httpx and httpx2: a request as a transport sends it, and the stream that the answer's body comes from."""

from __future__ import annotations

from typing import Any

from codeintel_obs.plugins.http_client.answered import CLOSED, Tally, cut, ended, see, tallies
from codeintel_obs.plugins.http_client.asked import Asked
from codeintel_obs.plugins.http_client.carry import added
from codeintel_obs.steps import Call, Outcome

_PORTS = {"http": 80, "https": 443}


def asked(call: Call) -> Asked:
    """Return what the request says; its body only where the application gave it as a whole."""
    request = call.arg(0, "request")
    url = request.url
    body = getattr(request, "_content", None)  # the property would raise for one that is streamed
    pool = type(getattr(call.instance, "_pool", None)).__name__
    return Asked(
        method=str(request.method),
        host=url.host,
        port=url.port or _PORTS.get(url.scheme),
        path=url.path,
        body=body if isinstance(body, bytes) else None,
        proxied="Proxy" in pool or "SOCKS" in pool,
    )


def carrying(call: Call, asked: Asked) -> Call:
    """Return the call with a request of the same content and stream whose headers are new."""
    request = call.arg(0, "request")
    ours = added(call, asked, request.headers.raw)
    if ours is None:
        return call
    changed = object.__new__(type(request))
    changed.__dict__.update(request.__dict__)  # copy.copy would leave the stream out, as pickling does
    theirs = [pair for pair in request.headers.raw if pair[0].lower() != b"baggage"]  # it comes again, longer
    changed.headers = type(request.headers)(
        [*theirs, *((name.encode(), value.encode()) for name, value in ours.items())]
    )
    args = (changed, *call.args[1:]) if call.args else ()
    kwargs = call.kwargs if call.args else {**call.kwargs, "request": changed}
    return Call(call.name, call.instance, args, kwargs, call.notes, call.step, call.settings)


def tallied(response: Any, *, of_vllm: bool) -> Any:
    """Return the stream of the answer, with a tally beside it."""
    headers = response.headers
    encoded = headers.get("content-encoding", "identity").lower() != "identity"
    tally = Tally(response.status_code, of_vllm=of_vllm, content_type=headers.get("content-type", ""), encoded=encoded)
    tallies.put(response.stream, tally)
    return response.stream


def stream(call: Call, _result: Any) -> Any:
    """Return what ties the end of an answer to its request."""
    return call.instance


def passed(call: Call, piece: Any) -> None:
    """See a piece of the body."""
    see(call.instance, piece)


def exhausted(call: Call, _result: Any) -> Outcome | None:
    """Say how an answer ended that was read."""
    return ended(call.instance)


def closed(call: Call, _result: Any) -> Outcome | None:
    """Say how an answer ended that was closed before its end."""
    return ended(call.instance, CLOSED)


def broken(call: Call, _exc: BaseException) -> dict[str, Any] | None:
    """Say how far an answer came that broke off."""
    return cut(call.instance)


def timed_out(exc: BaseException) -> bool:
    """Whether this is one of httpx's four time-outs: connect, read, write, pool."""
    return any(cls.__name__ == "TimeoutException" and cls.__module__.startswith("httpx") for cls in type(exc).__mro__)
