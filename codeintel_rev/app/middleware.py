"""Bounds on what a client may send, before anything of it is read: plain ASGI, so that streams pass untouched."""

from __future__ import annotations

import asyncio
import contextlib
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

from codeintel_rev.app.problems import Problem, answer, refused

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from codeintel_rev.gate import Limits

# what remains of a body is not read, so the connection cannot be used again
_CLOSE = {"Connection": "close"}
_DRAINED = 64 << 20
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class BodyLimits:
    """413 for a body that is too large, whether it says so or not; 408 for one that does not arrive in time."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        body = _Body(receive, self._limits)
        if announced.isascii() and announced.isdigit() and int(announced) > self._limits.body:
            await body.drain()
            await refused(_too_large(self._limits))(scope, receive, send)
        else:
            await self._app(scope, body, send)


def _too_large(limits: Limits) -> HTTPException:
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    return HTTPException(status, f"a request body may have at most {limits.body} bytes", _CLOSE)


def _too_slow(limits: Limits) -> HTTPException:
    told = f"a request body has to arrive within {limits.body_seconds:g} s"
    return HTTPException(HTTPStatus.REQUEST_TIMEOUT, told, _CLOSE)


class _Body:
    """Counts what arrives, and times it until it is complete; afterwards a wait for the client's end has no limit.

    It raises what FastAPI lets pass: of every other exception while a body is read it makes a 400.
    """

    def __init__(self, receive: Receive, limits: Limits) -> None:
        self._receive = receive
        self._limits = limits
        self._left = limits.body
        self._until = asyncio.get_running_loop().time() + limits.body_seconds
        self._complete = False

    async def __call__(self) -> Message:
        if self._complete:
            return await self._receive()
        message = await self._next()
        if self._left < 0:
            await self.drain()
            raise _too_large(self._limits)
        return message

    async def drain(self) -> None:
        """Throw away what remains, within reason: a client that is still sending would not see the answer."""
        with contextlib.suppress(HTTPException):
            while not self._complete and self._left > -_DRAINED:
                await self._next()

    async def _next(self) -> Message:
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError as error:
            raise _too_slow(self._limits) from error
        self._left -= len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        return message


class KnownHosts:
    """421 for a Host that is not ours, so that no web page can read a repository through a name that it rebinds.

    403 for a request that a page of another origin makes. `hosts` empty: everybody may ask.
    """

    def __init__(self, app: ASGIApp, hosts: tuple[str, ...]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._hosts:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host, origin = _name(headers.get("host", "")), headers.get("origin")
        if host not in self._hosts:
            await _not_ours(HTTPStatus.MISDIRECTED_REQUEST, "Host")(scope, receive, send)
        elif origin is not None and _name(origin.partition("://")[2]) not in self._hosts:
            await _not_ours(HTTPStatus.FORBIDDEN, "Origin")(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _name(authority: str) -> str:
    """Without the port."""
    if authority.startswith("["):
        return authority.partition("]")[0] + "]"
    return authority.partition(":")[0]


def _not_ours(status: HTTPStatus, header: str) -> ASGIApp:
    mend = "serve with --allow-host to answer to another name"
    return answer(Problem(title=status.phrase, status=status, detail=f"this {header} is not served", mend=mend))
