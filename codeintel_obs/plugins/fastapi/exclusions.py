"""What of Starlette, FastAPI and the servers is not watched, and why; names are ``module:qualified.name``."""

from __future__ import annotations

from typing import Final

_PART = "part of the request that it is called in, whose step tells of it"
_SETS_UP = "sets an application up, or looks something up in it: no request is served"
_OTHER_TRANSPORT = "does not serve: it is a tool beside the application"
_SERVES = "serves: the requests, the lifespan and the flush at its end are what is told"
_ORDINARY = "data, or a computation on it"

EXCLUSIONS: Final[dict[str, str]] = {
    # Starlette
    "starlette.applications:Starlette.[!_]*": _SETS_UP,
    "starlette.authentication:*": _PART,
    "starlette.background:BackgroundTasks.*": "a list of background tasks: each is a step",
    "starlette.concurrency:*": _PART,
    "starlette.config:*": _ORDINARY,
    "starlette.convertors:*": _ORDINARY,
    "starlette.datastructures:*": _ORDINARY,
    "starlette.endpoints:*": _PART,
    "starlette.formparsers:*": _PART,
    "starlette.middleware.exceptions:ExceptionMiddleware.__call__": _PART,
    "starlette.middleware.[!e]*:*": _PART,
    "starlette.middleware.errors:*": _PART,
    "starlette.requests:*": _PART,
    "starlette.responses:*": _PART,
    "starlette.routing:*": f"{_PART}; a bare router is seen where a server serves it",
    "starlette.schemas:*": _ORDINARY,
    "starlette.staticfiles:*": _PART,
    "starlette.templating:*": _PART,
    "starlette.testclient:*": "a client: the application that it calls is watched",
    "starlette.websockets:*": _PART,
    # FastAPI
    "fastapi.applications:FastAPI.__call__": "sets the root path and calls Starlette's, which is watched",
    "fastapi.applications:FastAPI.[!_]*": _SETS_UP,
    "fastapi.background:*": "adds to a list of background tasks: each is a step",
    "fastapi.cli:*": _OTHER_TRANSPORT,
    "fastapi.concurrency:*": _PART,
    "fastapi.datastructures:*": _ORDINARY,
    "fastapi.dependencies.*:*": _PART,
    "fastapi.encoders:*": _ORDINARY,
    "fastapi.exception_handlers:*": "handlers: what they are handed is seen where they are registered",
    "fastapi.exceptions:*": _ORDINARY,
    "fastapi.middleware.*:*": _PART,
    "fastapi.openapi.*:*": _ORDINARY,
    "fastapi.param_functions:*": _SETS_UP,
    "fastapi.responses:*": _PART,
    "fastapi.routing:*": _PART,
    "fastapi.security.*:*": _PART,
    "fastapi.sse:*": _ORDINARY,
    "fastapi.utils:*": _SETS_UP,
    # servers
    "uvicorn.server:Server.[!s]*": _SERVES,
    "uvicorn.server:Server.s[!h]*": _SERVES,
    "uvicorn.config:Config.[!l]*": _SETS_UP,
    "uvicorn.config:Config.load_app": _SETS_UP,
}
