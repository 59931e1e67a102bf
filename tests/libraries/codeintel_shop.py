"""An application whose author has never heard of us: what the tests of seams declare over."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import NamedTuple


class State(enum.Enum):
    FOUND = "found"
    OFF = "off"


class Item(NamedTuple):
    name: str
    score: int


@dataclass
class Channel:
    name: str
    why: str | None = None


@dataclass
class Answer:
    items: list = field(default_factory=list)
    state: State = State.FOUND
    error: str | None = None
    note: str | None = None
    channels: list = field(default_factory=list)

    @property
    def total(self):
        raise AssertionError("a property of the application's was run")


class Searcher:
    limit = 5

    def __init__(self, model="small"):
        self.model = model

    def __getattr__(self, name):
        raise AssertionError(f"__getattr__ of the application's was run for {name}")

    def find(self, query, limit=3, *, filters=None):
        if query == "broken":
            raise LookupError("no such shelf")
        if query == "refused":
            return Answer(error="shelf 7 is locked")
        if query == "off":
            return Answer(state=State.OFF, note="closed on Sundays")
        items = [Item(f"{query}-{number}", number) for number in range(limit)]
        return Answer(items, channels=[Channel("lexical"), Channel("semantic", "no model")])

    @classmethod
    def made(cls, model):
        return cls(model)

    @staticmethod
    def joined(first, second):
        return {"text": first + second, "parts": {"a": 1, "b": None}}


class Special(Searcher):
    def find(self, query, limit=3, *, filters=None):
        return super().find(query, limit, filters=filters)


def total(numbers):
    return sum(numbers)


async def fetch(count):
    return list(range(count))


def pages(count):
    yield from range(count)
