"""A small library that has every shape of callable; it knows nothing of who watches it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import warnings


class Answer:
    """A result with an identity."""


def plain(value, *, times=1):
    """Return ``value`` as it came."""
    if value == "fail":
        raise LookupError("no such value")
    return value


def answer():
    return Answer()


def warn():
    warnings.warn("shapes grow old", DeprecationWarning, stacklevel=2)


def caller_locals(name):
    import sys

    return sys._getframe(1).f_locals[name]


def callers(depth):
    """Return the names of the code of the ``depth`` frames above."""
    import sys

    return [sys._getframe(level).f_code.co_name for level in range(1, depth + 1)]


def raises(exc):
    raise exc


def count(upto, fail_at=None):
    """Yield 0 to ``upto`` - 1; return their number."""
    for number in range(upto):
        if number == fail_at:
            raise LookupError("no such number")
        yield number
    return upto


def echo():
    """Yield what is sent in; answer a thrown KeyError with 'caught'."""
    said = None
    while said != "stop":
        try:
            said = yield said
        except KeyError:
            said = "caught"
    return "stopped"


def stubborn():
    """A generator that yields on being closed."""
    while True:
        try:
            yield 1
        except GeneratorExit:
            yield 2


def closing():
    """A generator that returns a value on being closed."""
    try:
        yield 1
    except GeneratorExit:
        return "closed"


def counting(upto):
    """A function, no generator function, that returns a generator."""
    return count(upto)


def later(value):
    """A function, no coroutine function, that returns a coroutine."""
    return fetch(value)


def streaming(upto):
    """A function that returns an async generator."""
    return stream(upto)


async def fetch(value):
    """Return ``value`` after a turn of the loop."""
    await asyncio.sleep(0)
    if isinstance(value, BaseException):
        raise value
    return value


async def opened(upto):
    """A coroutine whose result is an async generator."""
    await asyncio.sleep(0)
    return stream(upto)


async def stream(upto, fail_at=None):
    for number in range(upto):
        await asyncio.sleep(0)
        if number == fail_at:
            raise LookupError("no such number")
        yield number


async def async_echo():
    said = None
    while said != "stop":
        try:
            said = yield said
        except KeyError:
            said = "caught"


async def slow_to_close(log):
    try:
        while True:
            yield 1
    finally:
        await asyncio.sleep(0)
        log.append("cleaned")


@contextlib.contextmanager
def opened_file(name):
    """A function whose ``__wrapped__`` is a generator function, and which is none itself."""
    yield name.upper()


def _sync(coroutine_function):
    @functools.wraps(coroutine_function)
    def run(*args, **kwargs):
        return asyncio.run(coroutine_function(*args, **kwargs))

    return run


fetch_now = _sync(fetch)
length = len


class Base:
    def work(self, value):
        return value

    def more(self):
        """A method that only the parent class has."""
        return "more"

    @classmethod
    def made(cls, value=None):
        made = cls()
        made.value = value
        return made

    @staticmethod
    def helped(value):
        return value

    async def awaited(self, value):
        await asyncio.sleep(0)
        return value

    def iterated(self, upto):
        yield from range(upto)

    @functools.lru_cache(maxsize=8)  # noqa: B019
    def cached(self, value):
        return value * 2

    halved = functools.partialmethod(work, 0.5)
    size = len

    def __len__(self):
        return 3

    def __eq__(self, other):
        return type(other) is type(self)

    def __hash__(self):
        return 7


class Child(Base):
    def work(self, value):
        return super().work(value) + 1


class Process:
    """What `start` returns; its end is another call."""

    def __init__(self, code=0):
        self.code = code

    def wait(self):
        if self.code < 0:
            raise OSError("killed")
        return self.code

    async def wait_async(self):
        await asyncio.sleep(0)
        return self.wait()


class Slotted:
    __slots__ = ()

    def wait(self):
        return 0


def start(code=0):
    return Process(code)


def start_slotted():
    return Slotted()


def nested():
    """A call that runs another watched call."""
    return plain("inner")


def serve(inner):
    """Handle a request: call ``inner``."""
    return inner()


async def serve_async(inner):
    return await inner()


def serve_stream(items):
    yield from items


def send(headers):
    """A call whose headers travel."""
    return headers


async def send_async(headers):
    await asyncio.sleep(0)
    return headers


def log(text):
    return text


async def warn_in_coroutine():
    warnings.warn("shapes grow old", DeprecationWarning, stacklevel=2)


def warn_in_generator():
    warnings.warn("shapes grow old", DeprecationWarning, stacklevel=2)
    yield 1


async def warn_in_async_generator():
    warnings.warn("shapes grow old", DeprecationWarning, stacklevel=2)
    yield 1
