"""The instrumentor for ASGI applications: its table of points, and what their payload keys hold."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from codeintel_obs.instrumentor import LibraryInstrumentor
from codeintel_obs.plugins import validation
from codeintel_obs.plugins.fastapi import describe, request
from codeintel_obs.plugins.fastapi.exclusions import EXCLUSIONS
from codeintel_obs.steps import FieldClass, Point

_APPLICATION: Final = "ASGI application"
_HANDLER: Final = "exception handler"
_MIDDLEWARE: Final = "starlette.middleware.exceptions"


def _application(module: str, name: str, **declared: Any) -> Point:
    """Return a row for an ASGI application as ``name`` calls it; the scope decides what the call is."""
    return Point(module=module, name=name, kind=None, stands_for=request.row_of, mount=request.is_for_us, **declared)


def _scope(name: str, kind: str, **declared: Any) -> Point:
    """Return a row for the calls of an ASGI application with one type of scope."""
    return Point(
        module="starlette.applications", name=name, kind=kind, handed_on=True, same=request.identity, **declared
    )


_REQUESTS: Final[dict[str, Any]] = {
    "run": request.asked_run,
    "baggage": request.baggage,
    "span_kind": "server",
    "message": validation.message,
}

POINTS: Final = (
    _application("starlette.applications", "Starlette.__call__"),
    _application("starlette.applications", _APPLICATION, handed_on=True),
    _application("hypercorn.app_wrappers", "ASGIWrapper.__call__", optional=True),
    Point(
        module="uvicorn.config", name="Config.load", kind=None, hands_on=((".loaded_app", _APPLICATION),), optional=True
    ),
    Point(
        module="gunicorn.workers.gasgi",
        name="ASGIWorker.load_wsgi",
        kind=None,
        hands_on=((".asgi", _APPLICATION),),
        optional=True,
    ),
    Point(module="uvicorn.server", name="Server.shutdown", kind=None, flushes=True, optional=True),
    _scope(
        "http application",
        "http.request",
        before=describe.begin_request,
        received=describe.request_received,
        sent=describe.request_sent,
        after=describe.request_ended,
        failed=describe.request_facts,
        **_REQUESTS,
    ),
    _scope(
        "websocket application",
        "http.websocket",
        before=describe.begin_websocket,
        received=describe.websocket_received,
        sent=describe.websocket_sent,
        after=describe.websocket_ended,
        failed=describe.websocket_facts,
        **_REQUESTS,
    ),
    _scope(
        "lifespan application",
        "http.lifespan",
        before=describe.begin_lifespan,
        sent=describe.lifespan_sent,
        after=describe.lifespan_ended,
        failed=describe.lifespan_facts,
        message=validation.message,  # of settings: they hold credentials
        flushes=True,
    ),
    Point(
        module="starlette.background",
        name="BackgroundTask.__call__",
        kind="http.background",
        before=describe.background_task,
        message=validation.message,
    ),
    # where Starlette and FastAPI hand an exception over: the call of the application returns then
    Point(
        module=_MIDDLEWARE,
        name="ExceptionMiddleware.add_exception_handler",
        kind=None,
        hands_on=(("1:handler", _HANDLER),),
    ),
    Point(module=_MIDDLEWARE, name=_HANDLER, kind=None, handed_on=True, handled_error=describe.handled),
    Point(module=_MIDDLEWARE, name="ExceptionMiddleware.http_exception", kind=None, handled_error=describe.handled),
    Point(
        module=_MIDDLEWARE, name="ExceptionMiddleware.websocket_exception", kind=None, handled_error=describe.handled
    ),
)

_COUNTS: Final = ("request_bytes", "response_bytes", "chunks", "response_ns", "startup_ns", "received", "sent")
_CODES: Final = ("method", "http_version", "status_code", "disconnected", "accepted", "close_code", "started")


class FastAPIInstrumentor(LibraryInstrumentor):
    """FastAPI, Starlette, and any ASGI application under uvicorn, gunicorn and hypercorn."""

    plugin = "fastapi"
    library = "starlette"
    requires = ("starlette>=0.40,<2", "uvicorn>=0.30,<1", "hypercorn>=0.17,<1", "gunicorn>=24,<28")
    points = POINTS
    fields: ClassVar = {
        **dict.fromkeys(_COUNTS, FieldClass.COUNT),
        **dict.fromkeys(_CODES, FieldClass.CODE),
        "path": FieldClass.PATH,
        "route": FieldClass.NAME,
        "task": FieldClass.NAME,
        "query": FieldClass.TEXT,
    }
    exclusions = EXCLUSIONS
    semantics: ClassVar = {"http.request": describe.attributes, "http.websocket": describe.attributes}
