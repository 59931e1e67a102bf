"""Uses the library of shapes as an application would."""

from __future__ import annotations

from codeintel_obs import FieldClass
from codeintel_obs.testing import workout


def error(call):
    try:
        call()
    except LookupError as exc:
        return exc


@workout("shapes", canaries={"canary-in-a-value": FieldClass.TEXT})
def plainly(_folder):
    import codeintel_shapes as lib

    treasure = ["found"]
    base, child = lib.Base(), lib.Child()
    process = lib.start(3)
    return [
        lib.plain(iter("abc")).__class__,
        lib.plain("canary-in-a-value"),
        error(lambda: lib.plain("fail")),
        lib.warn(),
        lib.caller_locals("treasure") is treasure,
        lib.nested(),
        [base.work(1), child.work(1), type(lib.Child.made(2)), lib.Base.helped(3), base.cached(4)],
        list(base.iterated(3)),
        [process.wait(), process.wait()],
    ]


@workout("shapes")
def generators(_folder):
    import codeintel_shapes as lib

    echo = lib.echo()
    numbers = lib.count(9)
    return [
        list(lib.count(3)),
        list(lib.counting(3)),
        error(lambda: list(lib.count(3, fail_at=2))),
        [next(echo), echo.send("a"), echo.throw(KeyError("k")), echo.close()],
        [next(numbers), numbers.close()],
    ]


@workout("shapes")
async def asynchronous(_folder):
    import codeintel_shapes as lib

    return [
        await lib.fetch(1),
        await lib.later(2),
        [number async for number in lib.stream(3)],
        [number async for number in lib.streaming(3)],
        [number async for number in await lib.opened(3)],
        await lib.Base().awaited(4),
    ]
