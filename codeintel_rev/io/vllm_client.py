"""Speaks to a vLLM server, or any other with its OpenAI-compatible interface: bounded, retried, never for ever."""

from __future__ import annotations

import asyncio
import json
import random
import ssl
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import httpx2

from codeintel_rev.config.sources import is_loopback
from codeintel_rev.errors import RemoteError, RemoteTimeoutError, UsageError
from codeintel_rev.io.http_loop import HttpLoop

if TYPE_CHECKING:
    from collections.abc import Sequence

RETRIED = frozenset({408, 429, 500, 502, 503, 504})
# vLLM's own field: cut a text at what the model reads; without it a longer one is refused
TRUNCATED = {"truncate_prompt_tokens": -1}
FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0
LARGEST_ANSWER = 256 << 20
_SAID = 200  # characters of a server's own words in our message
_MENDS = {
    401: "Mend: set the API key in the environment",
    403: "Mend: set an API key that may do this",
    404: "Mend: check the URL and the model's name",
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`url` with or without its final `/v1`. Times are seconds: `timeout` for one request, `deadline` for a call."""

    url: str
    api_key: str = ""
    timeout: float = 60.0
    deadline: float = 300.0
    attempts: int = 5
    concurrency: int = 4


class VllmClient:
    """One server. Threads may share it; together they have `concurrency` requests under way, no more."""

    def __init__(self, endpoint: Endpoint) -> None:
        """UsageError for what is no http URL."""
        url = _parsed(endpoint.url)
        self._endpoint = endpoint
        self._base = str(url).rstrip("/").removesuffix("/v1")
        # a loopback server is not reached through the proxy that the environment names
        self._trust_env = not is_loopback(url.host)
        self._loop = HttpLoop("codeintel-rev-http")
        self._client: httpx2.AsyncClient | None = None
        self._slots = asyncio.Semaphore(max(1, endpoint.concurrency))

    @property
    def url(self) -> str:
        return self._base

    def get(self, path: str, *, seconds: float | None = None) -> Any:
        """The JSON of one answer; errors as in `post_all`."""
        return self._loop.run(self._calls("GET", path, [None], seconds))[0]

    def post_all(self, path: str, bodies: Sequence[Any], *, seconds: float | None = None) -> list[Any]:
        """One answer per body, in their order; the first that fails for good cancels the others.

        RemoteTimeoutError when `seconds` (default: the endpoint's deadline) have passed, RemoteError for a server
        that cannot be reached, refuses, or still fails at the last attempt. 429, 5xx and broken connections are
        tried again, later each time, and as late as a Retry-After asks for.
        """
        return self._loop.run(self._calls("POST", path, bodies, seconds))

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            self._loop.run(client.aclose())
        self._loop.close()

    async def _calls(self, method: str, path: str, bodies: Sequence[Any], seconds: float | None) -> list[Any]:
        seconds = self._endpoint.deadline if seconds is None else seconds
        ends = time.monotonic() + seconds
        seen: list[str] = []
        try:
            async with asyncio.timeout(seconds):
                return await _together([self._persistent(method, path, body, ends, seen) for body in bodies])
        except TimeoutError as error:
            before = f"; before that: {seen[-1]}" if seen else ""
            what = f"{self._base}{path} did not answer within {seconds:g} s{before}"
            raise RemoteTimeoutError(what, "Mend: see whether that server still works") from error

    async def _persistent(self, method: str, path: str, body: Any, ends: float, seen: list[str]) -> Any:
        """One request until it succeeds, cannot, or has been tried often enough."""
        for attempt in range(1, max(1, self._endpoint.attempts) + 1):
            try:
                async with self._slots:
                    return await self._once(method, path, body)
            except _Passing as passing:
                seen.append(str(passing))
                wait = max(passing.after, _backoff(attempt))
                if attempt >= self._endpoint.attempts:
                    raise RemoteError(f"{passing}, {attempt} times", passing.mend) from passing
                if time.monotonic() + wait >= ends:
                    raise RemoteError(f"{passing}; the next try would come too late", passing.mend) from passing
            await asyncio.sleep(wait)
        raise AssertionError  # the last attempt returns or raises

    async def _once(self, method: str, path: str, body: Any) -> Any:
        where = f"{self._base}{path}"
        try:
            async with asyncio.timeout(self._endpoint.timeout):
                status, headers, content = await self._exchange(method, where, body)
        except TimeoutError as error:
            raise _Passing(f"{where} did not answer within {self._endpoint.timeout:g} s") from error
        except httpx2.TransportError as error:
            said = str(error) or type(error).__name__
            raise _Passing(f"{where} cannot be reached: {said}", mend="Mend: start that server") from error
        if status in RETRIED:
            raise _Passing(f"{where} said {_said(status, content)}", _retry_after(headers))
        if status != httpx2.codes.OK:
            raise RemoteError(f"{where} said {_said(status, content)}", _MENDS.get(status, ""))
        return _json(where, content)

    async def _exchange(self, method: str, where: str, body: Any) -> tuple[int, httpx2.Headers, bytes]:
        content = bytearray()
        async with self._opened().stream(method, where, json=body) as response:
            async for piece in response.aiter_bytes():
                content += piece
                if len(content) > LARGEST_ANSWER:
                    raise RemoteError(f"{where} sent more than {LARGEST_ANSWER >> 20} MiB")
            return response.status_code, response.headers, bytes(content)

    def _opened(self) -> httpx2.AsyncClient:
        """Made inside the loop that it belongs to. It has no time-outs of its own: ours are for the whole."""
        if self._client is None:
            key = self._endpoint.api_key
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            limits = httpx2.Limits(max_connections=None, max_keepalive_connections=self._endpoint.concurrency)
            options: dict[str, Any] = {"timeout": None, "limits": limits, "trust_env": self._trust_env}
            if self._base.startswith("http:"):
                # nothing to verify, so no certificates are loaded: some 30 ms, and this context would accept none
                options["verify"] = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self._client = httpx2.AsyncClient(headers=headers, **options)
        return self._client


class _Passing(Exception):  # noqa: N818 - no error of ours to the outside, a reason to try again
    def __init__(self, what: str, after: float = 0.0, mend: str = "") -> None:
        super().__init__(what)
        self.after = after
        self.mend = mend


async def _together(calls: list[Any]) -> list[Any]:
    """Like a TaskGroup, but the first error comes out as itself."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _parsed(url: str) -> httpx2.URL:
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise UsageError(f"{url!r} is no URL: {error}", "Mend: give one like http://127.0.0.1:8000") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise UsageError(f"{url!r} is no URL of a server", "Mend: give one like http://127.0.0.1:8000")
    return parsed


def _backoff(attempt: int) -> float:
    """Full jitter: a crowd that failed together does not come back together."""
    longest = min(LONGEST_WAIT, FIRST_WAIT * 2**attempt)
    return random.uniform(longest / 2, longest)  # noqa: S311 - no secret hangs on it


def _retry_after(headers: httpx2.Headers) -> float:
    """Seconds, from either of the two forms of RFC 9110; 0 without one or for what is neither."""
    asked = headers.get("Retry-After", "").strip()
    try:
        return max(0.0, float(asked)) if asked.isdigit() else parsedate_to_datetime(asked).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _said(status: int, content: bytes) -> str:
    words = " ".join(content[: _SAID * 4].decode("utf-8", "replace").split())
    return f"{status}" + (f": {words[:_SAID]}" if words else "")


def _json(where: str, content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError as error:
        raise RemoteError(f"{where} answered what is no JSON: {_said(200, content)[5:]}") from error
