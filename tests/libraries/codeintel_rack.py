"""An application whose functions are registered while it is imported: nobody calls them by their names."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any


@dataclass
class Route:
    endpoint: Any


@dataclass(slots=True)
class Slotted:
    path: str
    call: Any


class Unset:
    __slots__ = ("call", "never")

    def __init__(self, call):
        self.call = call


class Closed:
    def __init__(self, call):
        def run(query):
            return call(query)

        self.run = run


def attribute(query):
    return {"hits": [query], "problem": None}


def slot(query):
    return {"hits": [query], "problem": None}


def unset(query):
    return {"hits": [query], "problem": None}


def key(query):
    return {"hits": [query], "problem": None}


def position(query):
    return {"hits": [query], "problem": None}


def cell(query):
    return {"hits": [query], "problem": None}


async def coroutine(query):
    return {"hits": [query], "problem": None}


def bound_before(query):
    return {"hits": [query], "problem": None}


def alias(query):
    return {"hits": [query], "problem": None}


def unheld(query):
    return {"hits": [query], "problem": None}


def refuses(query):
    return {"hits": [], "problem": f"no {query}"}


ROUTE, SLOTTED, UNSET, CLOSED = Route(attribute), Slotted("/", slot), Unset(unset), Closed(cell)
BY_KEY, IN_ORDER, ASYNC = {"key": key, "refuses": refuses}, [position], Route(coroutine)
PARTIAL = functools.partial(bound_before)


also = alias


class Handlers:
    taken = bound_before

    def first(self, query):
        return {"hits": [query], "problem": None}

    second = first

    def alone(self, query):
        return {"hits": [query], "problem": None}


def called(name, query):
    """Call a function as its holder does."""
    holders = {
        "attribute": ROUTE.endpoint,
        "slot": SLOTTED.call,
        "unset": UNSET.call,
        "key": BY_KEY["key"],
        "position": IN_ORDER[0],
        "cell": CLOSED.run,
        "coroutine": ASYNC.endpoint,
        "alias": also,
    }
    return holders[name](query)
