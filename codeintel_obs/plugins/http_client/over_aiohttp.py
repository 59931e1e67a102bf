"""aiohttp: a request from its connection to the end of its answer; the connection's protocol ties the parts."""

from __future__ import annotations

from typing import Any, Final

from codeintel_obs.beside import Beside
from codeintel_obs.plugins.http_client.answered import CLOSED, Tally, cut, ended, see, tallies
from codeintel_obs.plugins.http_client.asked import Asked
from codeintel_obs.plugins.http_client.carry import added
from codeintel_obs.steps import Call, Outcome

_added: Final[Beside[dict[str, str]]] = Beside()
"""What was added to a request before: a middleware that tries again sends the same object."""
_of_vllm: Final[Beside[bool]] = Beside()
_CONNECTORS: Final = "aiohttp.connector"
"""Where aiohttp's own connectors are. Somebody else's may reach another machine by a name of this one, as SOCKS does."""


def asked(call: Call) -> Asked:
    """Return what the request says; its body only where the application gave it as a whole."""
    request = call.arg(0, "req")
    url = request.url
    body = getattr(request.body, "_value", request.body)
    return Asked(
        method=str(request.method),
        host=url.host or "",
        port=url.port,
        path=url.path,
        body=body if isinstance(body, bytes) else None,
        proxied=getattr(request, "proxy", None) is not None or type(call.instance).__module__ != _CONNECTORS,
    )


def carrying(call: Call, asked: Asked) -> Call:
    """Give aiohttp's own request new headers, those that it had besides ours."""
    request = call.arg(0, "req")
    before = _added.get(request) or {}
    present = [(name, value) for name, value in request.headers.items() if before.get(name) != value]
    ours = added(call, asked, present)
    if ours is not None:
        headers = request.headers.copy()
        for name, value in ours.items():
            headers[name] = value
        request.headers = headers
        _added.put(request, {name: value for name, value in ours.items() if not _is_theirs_too(name, value, ours)})
    return call


def _is_theirs_too(name: str, value: str, ours: dict[str, str]) -> bool:
    return name == "baggage" and not value.startswith("codeintel.") and len(ours) > 0


def tallied(connection: Any, *, of_vllm: bool) -> Any:
    """Return the protocol of a connection: no answer has come yet."""
    protocol = connection.protocol
    tallies.forget(protocol)  # of the request before on this connection
    _of_vllm.put(protocol, of_vllm)
    return protocol


# -- the answer's begin ------------------------------------------------------------------------------------------------


def connected(call: Call, _result: Any) -> Any:
    """Return what ties the sending of a request, or the begin of its answer, to its connection."""
    name = "conn" if call.name == "ClientRequest.send" else "connection"
    return call.arg(0, name).protocol


def is_no_end(_call: Call, _result: Any) -> bool:
    """Say that a request goes on after this call, if the call returned."""
    return False


def has_begun(call: Call, response: Any) -> bool:
    """Note the status of an answer, and say whether its body came with its head: then all of it is here."""
    protocol = call.notes
    headers = response.headers
    made = Tally(
        response.status,
        of_vllm=bool(_of_vllm.get(protocol)),
        content_type=headers.get("content-type", ""),
        encoded=False,  # what is fed to a reader has been decoded
    )
    early = tallies.get(protocol)
    for piece in early.early if isinstance(early, _Early) else ():
        made.see(piece)
    made.done = response.content.is_eof()
    tallies.put(protocol, made)
    return made.done


def answered(call: Call, _result: Any) -> Outcome | None:
    """Say how an answer ended that was here at once."""
    return ended(call.notes)


def note_connected(call: Call) -> None:
    """Keep the protocol, which the call may let go of."""
    call.notes = connected(call, None)


class _Early(Tally):
    """The first pieces of a body that came with the head, before anybody knows the status."""

    __slots__ = ("early",)

    def __init__(self) -> None:
        super().__init__(0, of_vllm=False)
        self.early: list[bytes] = []

    def see(self, piece: Any) -> None:
        self.early.append(bytes(piece))


# -- its body ----------------------------------------------------------------------------------------------------------


def fed(call: Call) -> None:
    """See a piece of the body as it comes from the wire."""
    protocol = call.instance._protocol  # noqa: SLF001 - a reader names its connection nowhere else
    if _of_vllm.get(protocol) is None:
        return  # a server's reader, or of a request that nobody watches
    if tallies.get(protocol) is None:
        tallies.put(protocol, _Early())
    see(protocol, call.arg(0, "data"))


def fed_all(call: Call) -> None:
    """Note that the body has come to its end."""
    tally = tallies.get(call.instance._protocol)  # noqa: SLF001 - as above
    if tally is not None:
        tally.done = True


def protocol_of_reader(call: Call, _result: Any) -> Any:
    """Return what ties a reader to its connection."""
    return call.instance._protocol  # noqa: SLF001 - as above


def protocol_of_connection(call: Call, _result: Any) -> Any:
    """Return what ties a connection that is let go of to its request."""
    return call.instance._protocol  # noqa: SLF001 - the property of the same name is newer


def is_under_way(call: Call, _result: Any) -> bool:
    """Whether an answer has begun on this connection: one that came at once ends where its status is known."""
    tally = tallies.get(call.notes)
    return tally is not None and not isinstance(tally, _Early)


def let_go(call: Call, _result: Any) -> Outcome | None:
    """Say how an answer ended whose connection was given back or closed: that comes before all of it is read."""
    tally = tallies.get(call.notes)
    if tally is None or isinstance(tally, _Early):
        return None
    return ended(call.notes, None if tally.done else CLOSED)


def note(call: Call) -> None:
    """Keep the protocol, which the call lets go of."""
    call.notes = protocol_of_connection(call, None)


def broken(call: Call, _exc: BaseException) -> dict[str, Any] | None:
    """Say how far an answer came that broke off."""
    is_reader = call.name.startswith("StreamReader.")
    protocol = protocol_of_reader(call, None) if is_reader else connected(call, None)
    tally = tallies.get(protocol)
    return None if tally is None or isinstance(tally, _Early) else cut(protocol)
