"""Stands around an ASGI application, however it is made: its call is one coroutine, and our own routes come first."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any, Final

from codeintel_obs import recorder
from codeintel_obs.context import suppress, suppressed
from codeintel_obs.guard import quietly
from codeintel_obs.steps import Call
from codeintel_obs.streams import Held, Later, awaited, begun_now, named
from codeintel_obs.wiring import Begun, Wiring

Application = Callable[..., Awaitable[Any]]
Routes = Callable[[Application, Any, Any, Any], Awaitable[Any]]

ROUTES: Final = "/observability/"
mounted: Routes | None = None
"""Answers for the mounted routes on whatever application is watched, which it gets first and then ``scope``,
``receive`` and ``send``; set by launch."""
_DEEPEST: Final = 32


def report_address(run_id: str, *, over_http: bool) -> str:
    """Return where the report of a run is found: its path where our routes are mounted, else the command."""
    return f"{ROUTES}run/{run_id}/report" if mounted is not None and over_http else f"codeintel-obs report {run_id}"


class Place(Enum):
    """Whether an application has something of its own at a path."""

    OWN = "it has a route below ours"
    MAYBE = "something that takes many paths, or that cannot be looked into, may answer"
    FREE = "none of its routes matches"


def place_of(application: Any, path: str) -> Place:
    """Return whether ``application``, or what it is wrapped around, has a route of its own at ``path``; runs nothing."""
    for _ in range(_DEEPEST):
        routes = getattr(application, "routes", None)
        if isinstance(routes, list):
            return _place_among(routes, path)
        application = getattr(application, "app", None)
    return Place.MAYBE


def _place_among(routes: list[Any], path: str) -> Place:
    place = Place.FREE
    for route in routes:
        pattern, template = getattr(route, "path_regex", None), getattr(route, "path", None)
        if not isinstance(pattern, re.Pattern) or not isinstance(template, str):
            place = Place.MAYBE
        elif pattern.match(path):
            if f"{template}/".startswith(ROUTES):
                return Place.OWN
            place = Place.MAYBE
    return place


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
        if mounted is not None and _is_mounted(wiring, wrapped, args, kwargs):
            return _answered(mounted, wrapped, args, kwargs)
        if is_coroutine_function:
            # called at once: servers call an application without arguments to see whether that is a TypeError
            later: Later = Held(wrapped(*args, **kwargs), None, wrapped)
        else:
            later = _OfAnyMake(wrapped, args, kwargs)
        return named(awaited(lambda: begun_now(wiring, instance, args, kwargs), later), wrapped)

    return observed


def _is_mounted(wiring: Wiring, application: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    mount = wiring.point.mount
    active = recorder.active
    if mount is None or active is None or suppressed.get():
        return False
    owner = getattr(application, "__self__", application)
    return bool(quietly(mount, Call(wiring.point.name, owner, args, kwargs, settings=active.settings)))


async def _answered(routes: Routes, application: Application, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Let our own routes answer; what they do is not the application's, and not recorded."""
    with suppress():
        await routes(application, *args[:3], **kwargs)
