"""Seams over functions that a decorator has registered: a router calls what it holds, and knows no name."""

import asyncio
import inspect
import sys
from pathlib import Path
from typing import Annotated

import httpx2
import pytest
from fastapi import Depends, FastAPI
from mcp import Client
from mcp.server.mcpserver import MCPServer

from codeintel_obs.plugins.seams.instrumentor import SeamsInstrumentor
from codeintel_obs.testing import recording

sys.path.insert(0, str(Path(__file__).parent / "libraries"))
PAYLOAD = {"query_len": "len(args.query)", "hits": "len(result.hits)"}


@pytest.fixture
def rack():
    import codeintel_rack

    return codeintel_rack


def declared(name, module="codeintel_rack"):
    table = {"target": f"{module}:{name}", "kind": "rack.call", "payload": PAYLOAD}
    return recording(
        SeamsInstrumentor, seams=[{**table, "failed_when": "result.problem", "failed_reason": "result.problem"}]
    )


@pytest.mark.parametrize("name", ["attribute", "slot", "unset", "key", "position", "cell", "coroutine", "alias"])
def test_a_call_past_the_name_is_a_step(rack, name):
    """What holds the function holds the watched one, for as long as it is watched."""
    bare = getattr(rack, name)
    with declared(name) as told:
        answer = rack.called(name, "spoon")
        if inspect.isawaitable(answer):
            answer = asyncio.run(answer)
        assert SeamsInstrumentor().activation[f"codeintel_rack:{name}"] == "wrapped"
    assert answer == {"hits": ["spoon"], "problem": None}
    assert told.payload(told.only("rack.call")) == {"query_len": 5, "hits": 1}
    held = (
        rack.ROUTE.endpoint,
        rack.SLOTTED.call,
        rack.UNSET.call,
        *rack.BY_KEY.values(),
        *rack.IN_ORDER,
        rack.ASYNC.endpoint,
    )
    held += (rack.alias, rack.also)
    held += tuple(each.cell_contents for each in rack.CLOSED.run.__closure__)
    assert getattr(rack, name) is bare
    assert any(each is bare for each in held)


def test_what_cannot_be_exchanged_is_said(rack):
    """A partial is closed, and what a class has is cached by Python: the fact says that calls may go past the seam."""
    with declared("bound_before") as told:
        assert rack.PARTIAL("spoon") == rack.bound_before("spoon")
        fact = SeamsInstrumentor().activation["codeintel_rack:bound_before"]
    assert told.kinds == ["rack.call"]
    assert fact == "wrapped, but 2 more hold it unwrapped"


def test_a_class_may_have_a_method_by_two_names(rack):
    """The other name stays with the bare function: it is said."""
    with declared("Handlers.first") as told:
        rack.Handlers().first("spoon")
        fact = SeamsInstrumentor().activation["codeintel_rack:Handlers.first"]
    assert told.kinds == ["rack.call"]
    assert fact == "wrapped, but 1 more hold it unwrapped"


def test_nobody_is_looked_for_who_is_not_there(rack, monkeypatch):
    """The whole heap is looked through for a function only that somebody else holds."""
    monkeypatch.setattr("codeintel_obs.plugins.seams.holders.gc", None)
    for name in ("unheld", "Handlers.alone"):
        with declared(name):
            assert SeamsInstrumentor().activation[f"codeintel_rack:{name}"] == "wrapped"


def test_a_result_that_says_that_it_failed_does_so_behind_a_router(rack):
    """That is what such seams are for: errors inside a successful answer."""
    with declared("refuses") as told:
        rack.BY_KEY["refuses"]("spoon")
    step = told.only("rack.call")
    assert (step.status, step.detail) == ("failed", "no spoon")


def application():
    """Return a module with an application of FastAPI and a server of MCP in it, as its import leaves it."""
    module = type(sys)("codeintel_pantry")
    app, server = FastAPI(), MCPServer("pantry")

    def limit():
        return 3

    @app.get("/search")
    async def search(query: str, most: Annotated[int, Depends(limit)]):
        return {"hits": [query] * most, "problem": "nothing was asked" if not query.strip() else None}

    @server.tool()
    def lend(query: str) -> dict[str, object]:
        return {"hits": [], "problem": f"no {query}"}

    module.app, module.server, module.search, module.lend, module.limit = app, server, search, lend, limit
    for each in (search, lend, limit):
        each.__module__, each.__qualname__ = module.__name__, each.__name__
    return module


async def asked(app, query):
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://app.invalid") as session:
        return (await session.get("/search", params={"query": query})).json()


@pytest.fixture
def pantry(monkeypatch):
    module = application()
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


async def test_an_endpoint_of_fastapi_is_watched(pantry):
    """Declared by its name, though its router has it by another way; its dependencies are asked once, as before."""
    bare = await asked(pantry.app, " ")
    with declared("search", "codeintel_pantry") as told:
        assert await asked(pantry.app, " ") == bare
        pantry.app.dependency_overrides[pantry.limit] = lambda: 1
        assert (await asked(pantry.app, "spoon"))["hits"] == ["spoon"]
    empty, full = told.of("rack.call")
    assert (empty.status, empty.detail, full.status) == ("failed", "nothing was asked", "completed")
    assert told.payload(full) == {"query_len": 5, "hits": 1}


async def test_a_dependency_of_fastapi_is_watched_and_still_overridden(pantry):
    """It is looked up by the function itself: an override by its name holds, and one call is asked for once."""
    with declared("limit", "codeintel_pantry") as told:
        await asked(pantry.app, "spoon")
        pantry.app.dependency_overrides[pantry.limit] = lambda: 1
        assert (await asked(pantry.app, "spoon"))["hits"] == ["spoon"]
    assert told.kinds == ["rack.call"]


async def test_a_tool_of_mcp_is_watched(pantry):
    """An error in a successful answer of a tool, too."""
    with declared("lend", "codeintel_pantry") as told:
        async with Client(pantry.server) as client:
            await client.call_tool("lend", {"query": "spoon"})
    step = told.only("rack.call")
    assert (step.status, step.detail) == ("failed", "no spoon")


class Loud:
    """A holder that says so when anything of it is run."""

    def __init__(self, kept):
        self.kept = kept

    @property
    def call(self):
        raise AssertionError("a property of the application's was run")

    def __getattr__(self, name):
        raise AssertionError(f"{name} was asked for")

    def __eq__(self, other):
        raise AssertionError("was compared")

    __hash__ = object.__hash__


def test_nothing_of_a_holder_is_run(rack):
    """No property, no method, no comparison: what it holds is exchanged where it is stored."""
    loud = Loud(rack.attribute)
    with declared("attribute") as told:
        loud.kept("spoon")
    assert told.kinds == ["rack.call"]
    assert loud.kept is rack.attribute
    assert type(loud.kept).__name__ == "function"
