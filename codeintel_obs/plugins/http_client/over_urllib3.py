"""urllib3, and requests above it: one attempt as a pool makes it, and what reads the answer's body."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from codeintel_obs.plugins.http_client.answered import CLOSED, Tally, cut, ended, see, tallies
from codeintel_obs.plugins.http_client.asked import Asked
from codeintel_obs.plugins.http_client.carry import added
from codeintel_obs.steps import Call, Outcome

_URL, _BODY, _HEADERS = 2, 3, 4
_POOLS: Final = "urllib3.connectionpool"
"""Where urllib3's own pools are. Somebody else's may reach another machine by a name of this one: through SOCKS, or SSH."""


def asked(call: Call) -> Asked:
    """Return what the attempt says; its body only where it is bytes or a text."""
    pool = call.instance
    target = str(call.arg(_URL, "url", ""))
    host, port, scheme = pool.host, pool.port, pool.scheme
    if "://" in target:  # a proxy is asked by the whole URL
        whole = urlsplit(target)
        host, port, scheme, target = whole.hostname or "", whole.port, whole.scheme, whole.path or "/"
    body = call.arg(_BODY, "body")
    if isinstance(body, str):
        body = body.encode("utf-8", "surrogatepass")
    return Asked(
        method=str(call.arg(1, "method", "")),
        host=host,
        port=port or {"http": 80, "https": 443}.get(scheme),
        path=target.partition("?")[0].partition("#")[0],
        body=body if isinstance(body, bytes) else None,
        proxied=pool.proxy is not None or type(pool).__module__ != _POOLS,
    )


def carrying(call: Call, asked: Asked) -> Call:
    """Return the call with new headers."""
    given = call.arg(_HEADERS, "headers")
    ours = added(call, asked, given.items() if given is not None else ())
    if ours is None:
        return call
    headers = given.copy() if hasattr(given, "copy") else dict(given or {})
    for name, value in ours.items():
        # of what is there already only the baggage comes again, longer
        headers[_spelled(headers, name) if name == "baggage" else name] = value
    args, kwargs = call.args, call.kwargs
    if len(args) > _HEADERS:
        args = (*args[:_HEADERS], headers, *args[_HEADERS + 1 :])
    else:
        kwargs = {**kwargs, "headers": headers}
    return Call(call.name, call.instance, args, kwargs, call.notes, call.step, call.settings)


def _spelled(headers: Any, name: str) -> str:
    """Return the name as the application wrote it: a plain dict would hold both spellings."""
    return next((str(each) for each in headers if str(each).lower() == name.lower()), name)


def tallied(response: Any, *, of_vllm: bool) -> Any:
    """Return the answer with a tally beside it; None where its body has been read, or there is none."""
    headers = response.headers
    preloaded = getattr(response, "_body", None)
    encoded = not preloaded and headers.get("content-encoding", "identity").lower() != "identity"
    tally = Tally(response.status, of_vllm=of_vllm, content_type=headers.get("content-type", ""), encoded=encoded)
    tallies.put(response, tally)
    if _is_read(response):
        tally.see(preloaded)
        return None
    return response


def at_return(response: Any) -> Outcome | None:
    """Say how an answer ended that was whole when the attempt returned."""
    return ended(response)


def _is_read(response: Any) -> bool:
    original = getattr(response, "_original_response", None)
    return original is None or original.isclosed()


# -- reading ----------------------------------------------------------------------------------------------------------


def body(call: Call, _result: Any) -> Any:
    """Return what ties the end of an answer to its attempt."""
    return call.instance


def unread(call: Call, _result: Any) -> Any:
    """Return the same for what lets go of an answer; one that was read has ended, or is about to."""
    return None if _is_read(call.instance) else call.instance


def was_last(call: Call, piece: Any) -> bool:
    """See a piece of the body, and say whether it was the last."""
    see(call.instance, piece)
    return _is_read(call.instance)


def passed(call: Call, piece: Any) -> None:
    """See a chunk of the body."""
    see(call.instance, piece)


def exhausted(call: Call, _result: Any) -> Outcome | None:
    """Say how an answer ended that was read."""
    return ended(call.instance)


def closed(call: Call, _result: Any) -> Outcome | None:
    """Say how an answer ended that was let go of before its end."""
    return ended(call.instance, CLOSED)


def broken(call: Call, _exc: BaseException) -> dict[str, Any] | None:
    """Say how far an answer came that broke off."""
    return cut(call.instance)


def timed_out(exc: BaseException) -> bool:
    """Whether this is a time-out of urllib3; a connection that was refused inherits from one."""
    names = {cls.__name__ for cls in type(exc).__mro__ if cls.__module__.startswith("urllib3")}
    return bool(names & {"TimeoutError", "EmptyPoolError"}) and "NewConnectionError" not in names


# -- the pool ---------------------------------------------------------------------------------------------------------


def has_one(call: Call) -> str | None:
    """Return why this is no wait: the pool makes a connection more, or has one at hand."""
    pool = call.instance
    queue = pool.pool
    return None if pool.block and queue is not None and queue.empty() else "no wait"


def waiting(call: Call) -> dict[str, Any]:
    """Say for which host a connection is waited for."""
    return {"host": call.instance.host, "port": call.instance.port}
