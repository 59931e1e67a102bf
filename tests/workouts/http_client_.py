"""Asks a server on a real socket through each library: answers, retries, redirects, streams, refusals, breaks."""

import contextlib

from codeintel_obs import FieldClass
from codeintel_obs.testing import workout

ASKED = {"model": "tiny", "input": ["canary-in-an-input", "two"]}
CANARIES = {
    "canary-in-a-query": FieldClass.SECRET,
    "canary-in-an-input": FieldClass.SECRET,
    "canary-in-a-password": FieldClass.SECRET,
    "canary-in-a-path": FieldClass.PATH,
}


def paths(url):
    """What each library asks for besides: those that fail differ in their exceptions."""
    return [
        f"{url}/{path}" for path in ("ok?key=canary-in-a-query", "canary-in-a-path", "empty", "moved", "cut", "slam")
    ]


def told(call):
    try:
        return call()
    except Exception as exc:
        return type(exc).__name__


async def told_async(call):
    try:
        return await call()
    except Exception as exc:
        return type(exc).__name__


def _over_httpx(library, server):
    with library.Client(auth=("me", "canary-in-a-password"), follow_redirects=True) as client:
        seen = [told(lambda url=url: client.get(url).status_code) for url in paths(server.url)]
        seen.append(client.post(f"{server.url}/v1/embeddings", json=ASKED).json())
        with client.stream("POST", f"{server.url}/v1/chat/completions", json={"messages": []}) as response:
            seen.append(next(response.iter_lines()))
        return seen


async def _over_httpx_async(library, server):
    async with library.AsyncClient(follow_redirects=True) as client:
        seen = []
        for url in paths(server.url):
            seen.append(await told_async(lambda url=url: client.get(url)))
        async with client.stream("GET", f"{server.url}/ok") as response:
            pieces = [piece async for piece in response.aiter_raw()]
        return [getattr(each, "status_code", each) for each in seen], pieces


@workout("http_client", canaries=CANARIES)
def httpx_and_httpx2(_folder):
    import httpx
    import httpx2
    from http_server import serving

    with serving() as server:
        return _over_httpx(httpx, server), _over_httpx(httpx2, server)


@workout("http_client", canaries=CANARIES)
async def httpx_and_httpx2_async(_folder):
    import httpx
    import httpx2
    from http_server import serving

    with serving() as server:
        return await _over_httpx_async(httpx, server), await _over_httpx_async(httpx2, server)


@workout("http_client", canaries=CANARIES)
def over_requests(_folder):
    import requests
    from http_server import serving
    from urllib3.util.retry import Retry

    retry = Retry(2, status_forcelist=[503], allowed_methods=None, backoff_factor=0, read=0)
    with serving() as server, requests.Session() as session:
        session.mount("http://", requests.adapters.HTTPAdapter(max_retries=retry))
        session.auth = ("me", "canary-in-a-password")
        server.does(statuses=[503])
        seen = [session.get(f"{server.url}/busy").text]
        seen += [told(lambda url=url: session.get(url).status_code) for url in paths(server.url)]
        seen.append(session.post(f"{server.url}/v1/embeddings", json=ASKED).json())
        with session.post(f"{server.url}/v1/chat/completions", json={"messages": []}, stream=True) as response:
            seen.append(next(response.iter_lines()))
        return seen


@workout("http_client", canaries=CANARIES)
def urllib3_alone(_folder):
    import urllib3
    from http_server import serving

    with serving() as server, urllib3.HTTPConnectionPool("127.0.0.1", server.port, maxsize=1, block=True) as pool:
        held = pool.urlopen("GET", "/v1/chat/completions", preload_content=False)
        with contextlib.suppress(urllib3.exceptions.EmptyPoolError):
            pool.urlopen("GET", "/ok", pool_timeout=0.01, retries=False)
        pieces = list(held.stream())
        return len(b"".join(pieces)), pool.request("POST", "/v1/embeddings", json=ASKED).json()


@workout("http_client", canaries=CANARIES)
async def over_aiohttp(_folder):
    import aiohttp
    from http_server import serving

    auth = aiohttp.BasicAuth("me", "canary-in-a-password")
    with serving() as server:
        async with aiohttp.ClientSession(auth=auth) as session:

            async def status(url):
                async with session.get(url) as response:
                    await response.read()
                    return response.status

            seen = [await told_async(lambda url=url: status(url)) for url in paths(server.url)]
            async with session.post(f"{server.url}/v1/embeddings", json=ASKED) as response:
                seen.append(await response.json())
            async with session.get(f"{server.url}/v1/chat/completions") as response:
                seen.append(await response.content.readline())
            async with session.get(f"{server.url}/v1/chat/completions") as response:
                seen.append(len([line async for line in response.content]))
        return seen
