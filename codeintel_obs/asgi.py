"""Stands around an ASGI application, however it is made: its call is one coroutine, and our own routes come first."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Final

from codeintel_obs import recorder
from codeintel_obs.calls import Begun, Wiring
from codeintel_obs.context import suppress, suppressed
from codeintel_obs.guard import quietly
from codeintel_obs.steps import Call
from codeintel_obs.streams import Held, Later, awaited, begun_now, named

Application = Callable[..., Awaitable[Any]]

ROUTES: Final = "/observability/"
mounted: Application | None = None
"""The ASGI application that answers for the mounted routes on whatever application is watched; set by launch."""


def report_address(run_id: str, *, over_http: bool) -> str:
    """Return where the report of a run is found: its path where our routes are mounted, else the command."""
    return f"{ROUTES}run/{run_id}/report" if mounted is not None and over_http else f"codeintel-obs report {run_id}"


class _OfAnyMake:
    """An application until it is awaited: calling it may do anything, so it is called once, with what it then gets."""

    __slots__ = ("_application", "_args", "_kwargs")

    def __init__(self, application: Application, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._application = application
        self._args = args
        self._kwargs = kwargs

    def take(self, begun: Begun | None) -> Awaitable[Any]:
        if begun is None:
            return self._application(*self._args, **self._kwargs)
        return self._application(*begun.call.args, **begun.call.kwargs)

    def drop(self) -> None:
        """Do nothing: it was not called."""


def application_wrapper(wiring: Wiring, original: Any) -> Callable[..., Any]:
    """Return wrapt's wrapper function for ``original``, an ASGI application."""
    is_coroutine_function = inspect.iscoroutinefunction(original)

    def observed(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if mounted is not None and _is_mounted(wiring, instance, args, kwargs):
            return _answered(mounted, args, kwargs)
        if is_coroutine_function:
            # called at once: servers call an application without arguments to see whether that is a TypeError
            later: Later = Held(wrapped(*args, **kwargs), None, wrapped)
        else:
            later = _OfAnyMake(wrapped, args, kwargs)
        return named(awaited(lambda: begun_now(wiring, instance, args, kwargs), later), wrapped)

    return observed


def _is_mounted(wiring: Wiring, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    mount = wiring.point.mount
    if mount is None or recorder.active is None or suppressed.get():
        return False
    return bool(quietly(mount, Call(wiring.point.name, instance, args, kwargs)))


async def _answered(application: Application, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Let our own routes answer; what they do is not the application's, and not recorded."""
    with suppress():
        await application(*args[:3], **kwargs)
