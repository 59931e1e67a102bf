"""The report routes on a watched ASGI application: who may read, in which form, and never in its own routes' way.

The application is asked first wherever something of it might answer, and has the last word with anything but a 404.
What is answered is made on a thread of its own, one report at a time: the event loop only waits for it.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import re
import sys
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qs

from codeintel_obs import asgi, context, guard
from codeintel_obs.launch.route_answers import Answer, problem, report_answer, runs_answer
from codeintel_obs.plugins.fastapi.request import headers_of, is_local
from codeintel_obs.settings import Settings

Scope = MutableMapping[str, Any]
Send = Callable[[Any], Awaitable[Any]]

MOST_WAITING: Final = 8
_CHUNK: Final = 65_536
_NOT_FOUND: Final = 404
_REPORT: Final = re.compile(rf"{asgi.ROUTES}run/(?P<run>[^/]+)/report")
_FORMATS: Final = {"text/html": "html", "text/markdown": "md", "application/json": "json", "text/plain": "text"}
_BROKEN: Final = problem(500, "the report could not be made; the process's ledger tells of the fault")
_BUSY: Final = problem(503, "other reports are being made; ask again", retry="2")


def mount(settings: Settings) -> None:
    """Have the routes answered on every watched ASGI application of this process."""
    asgi.mounted = Routes(settings)


class Routes:
    """Answers ``GET /observability/runs`` and ``GET /observability/run/{run_id}/report``."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._gate = _Gate()

    async def __call__(self, application: asgi.Application, scope: Scope, receive: Any, send: Send) -> None:
        """Answer a request that `is_for_us`."""
        owner = getattr(application, "__self__", application)
        if asgi.place_of(owner, scope["path"]) is not asgi.Place.FREE:
            first = _First(send)
            await application(scope, receive, first.send)
            if not first.declined:
                return
        await _sent(await self._answer(scope), send, body=scope["method"] != "HEAD")

    async def _answer(self, scope: Scope) -> Answer:
        if not self._may_read(scope):
            return problem(401, "send `Authorization: Bearer TOKEN` with the token of the setting report_token")
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        form = query["format"][-1] if "format" in query else wanted(headers_of(dict(scope)).get(b"accept", b""))
        if form not in _FORMATS.values():
            return problem(400, "format is one of html, json, md and text")
        folder = self._settings.data_dir
        found = _REPORT.fullmatch(scope["path"])
        if found is None:
            return await self._gate.through(partial(runs_answer, folder, form, _number(query, "limit")))
        return await self._gate.through(partial(report_answer, folder, found["run"], _number(query, "attempt"), form))

    def _may_read(self, scope: Scope) -> bool:
        token = self._settings.report_token.encode()
        sent = headers_of(dict(scope)).get(b"authorization", b"")
        kind, _, said = sent.partition(b" ")
        if token and kind.lower() == b"bearer" and hmac.compare_digest(said.strip(), token):
            return True
        return is_local(dict(scope))


class _First:
    """What an application sends, handed on unless it is a 404: then nothing of it is."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.declined = False

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start" and message["status"] == _NOT_FOUND:
            self.declined = True
        if not self.declined:
            await self._send(message)


class _Gate:
    """Lets one piece of work through at a time, on a thread; a few wait, more are turned away."""

    def __init__(self) -> None:
        self._open()

    def _open(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._waiting = 0

    async def through(self, work: Callable[[], Answer]) -> Answer:
        """Return what ``work`` gives, from a thread."""
        if self._pid != os.getpid():  # a fork has the lock as it was, and nobody who would let it go
            self._open()
        if self._waiting >= MOST_WAITING:
            return _BUSY
        self._waiting += 1
        try:
            return await _on_a_thread(partial(self._alone, work))
        finally:
            self._waiting -= 1

    def _alone(self, work: Callable[[], Answer]) -> Answer:
        with self._lock, context.suppress():
            return guard.call(work) or _BROKEN


async def _on_a_thread(work: Callable[[], Answer]) -> Answer:
    """Return what ``work`` gives. Under trio it is trio's thread; else one of our own, which holds up no exit."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        found: Answer = await sys.modules["trio"].to_thread.run_sync(work)
        return found
    answer: asyncio.Future[Answer] = loop.create_future()

    def deliver(made: Answer) -> None:
        if not answer.done():  # the client may have gone
            answer.set_result(made)

    def run() -> None:
        made = _BROKEN
        try:
            made = work()
        finally:
            with suppress(RuntimeError):  # the loop has closed meanwhile
                loop.call_soon_threadsafe(deliver, made)

    try:
        threading.Thread(target=run, name="codeintel-obs-report", daemon=True).start()
    except RuntimeError:  # no thread to be had: the application's server is not to hear of it
        return _BUSY
    return await answer


def wanted(accept: bytes) -> str:
    """Return the form that an ``Accept`` header likes best: JSON where it does not say."""
    best, most = "json", 0.0
    for entry in accept.decode("latin-1").split(","):
        name, *parameters = (part.strip().lower() for part in entry.split(";"))
        quality = next((_quality(each) for each in parameters if each.startswith("q=")), 1.0)
        if name in _FORMATS and quality > most:
            best, most = _FORMATS[name], quality
    return best


def _quality(parameter: str) -> float:
    text = parameter.removeprefix("q=")
    return float(text) if re.fullmatch(r"[01](\.\d{0,3})?", text) else 0.0


def _number(query: dict[str, list[str]], name: str) -> int | None:
    text = query.get(name, [""])[-1]
    return int(text) if re.fullmatch(r"[0-9]{1,6}", text) else None


async def _sent(answer: Answer, send: Send, *, body: bool) -> None:
    headers = [(b"content-length", str(len(answer.body)).encode()), *answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    data = answer.body if body else b""
    for at in range(0, len(data), _CHUNK):
        await send({"type": "http.response.body", "body": data[at : at + _CHUNK], "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
