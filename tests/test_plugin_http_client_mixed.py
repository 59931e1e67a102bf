"""Requests that are read, left, cut, cancelled and timed out at once: every step that begins ends, whoever ends it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading

import aiohttp
import pytest
import requests
from http_server import serving
from test_plugin_http_client import async_client, watched

PATHS = ("/ok", "/empty", "/busy", "/moved", "/hang", "/slow", "/cut", "/slam", "/missing", "/v1/chat/completions")
WAYS = ("read", "close", "part", "cancel", "timeout")


async def by_aiohttp(session, url, how):
    async with session.get(url) as response:
        if how == "read":
            await response.read()
        elif how == "part":
            await response.content.read(3)


async def by_httpx(session, url, how):
    async with session.stream("GET", url) as response:
        if how == "read":
            await response.aread()
        elif how == "part":
            async for _ in response.aiter_bytes(3):
                break


async def one(ask, session, url, how, wait):
    if how == "timeout":
        async with asyncio.timeout(wait):
            await ask(session, url, "read")
    elif how == "cancel":
        task = asyncio.create_task(ask(session, url, "read"))
        await asyncio.sleep(wait)
        task.cancel()
        await task
    else:
        await ask(session, url, how)


async def many(url, dice):
    timeout = aiohttp.ClientTimeout(sock_read=0.2)
    async with aiohttp.ClientSession(timeout=timeout) as first, async_client(timeout=0.2) as second:
        for _ in range(8):
            chosen = [dice.choice([(by_aiohttp, first), (by_httpx, second)]) for _ in range(8)]
            asked = (one(*each, url + dice.choice(PATHS), dice.choice(WAYS), dice.random() / 50) for each in chosen)
            await asyncio.gather(*asked, return_exceptions=True)


def by_threads(url, dice):
    def work(seed):
        mine = random.Random(seed)
        with requests.Session() as session:
            for _ in range(8):
                how = mine.choice(WAYS)
                with (
                    contextlib.suppress(requests.RequestException),
                    session.get(url + mine.choice(PATHS), timeout=0.2, stream=how != "read") as response,
                ):
                    response.raw.read(3 if how == "part" else 0)

    threads = [threading.Thread(target=work, args=(dice.random(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_every_request_that_began_has_an_end(seed):
    """Connections that are kept, closed and used again by others: no step is left open, and none is told twice."""
    dice = random.Random(seed)
    with serving() as server, watched() as told:
        asyncio.run(many(server.url, dice))
        by_threads(server.url, dice)
        left = [step.kind for run in {step.run for step in told.steps} for step in run.open.values()]
    assert left == []
    ids = [step.span_id for step in told.steps]
    assert len(ids) == len(set(ids)) > 60
