"""Every failure as RFC 9457 problem details, whoever noticed it: the service, FastAPI or the router."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from codeintel_rev.errors import OverloadedError, RevError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI
    from starlette.requests import Request

MEDIA_TYPE = "application/problem+json"
_RENAMED = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Content Too Large",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Unprocessable Content",
}
_log = logging.getLogger(__name__)


class InvalidField(BaseModel):
    where: str
    what: str


class Problem(BaseModel):
    """RFC 9457. `mend` says what to do about it."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    mend: str | None = None
    errors: list[InvalidField] | None = Field(default=None, description="What is wrong with which part of the request")


def answer(problem: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    content = problem.model_dump(exclude_none=True)
    return JSONResponse(content, problem.status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What an endpoint may fail with, for the OpenAPI document; what every endpoint may is added here."""
    described = {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    everywhere = (HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)
    found = sorted({*map(int, statuses), *map(int, everywhere)})
    return {status: {"description": _title(HTTPStatus(status))} | described for status in found}


def install(app: FastAPI) -> None:
    """The handlers, and the schema that `documented` points at."""
    describe = app.openapi

    def described() -> dict[str, Any]:
        document = describe()
        schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        document["components"]["schemas"] |= schema.pop("$defs") | {"Problem": schema}
        return document

    vars(app)["openapi"] = lambda: app.openapi_schema or described()
    app.add_exception_handler(RevError, _service_failed)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(Exception, _unforeseen)


def of_error(error: RevError) -> JSONResponse:
    """The problem that an error of the service is, by the status on its class."""
    status = HTTPStatus(error.http_status)
    mend = _clean(error.mend.removeprefix("Mend: ")) or None
    problem = Problem(title=_title(status), status=status, detail=_clean(error.what), mend=mend)
    retry = {"Retry-After": str(error.retry_after)} if isinstance(error, OverloadedError) else {}
    return answer(problem, retry)


async def _service_failed(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RevError)  # what it was installed for
    return of_error(error)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    """The values that were sent are not sent back: they may be large, or no valid text."""
    assert isinstance(error, RequestValidationError)  # what it was installed for
    errors = [
        InvalidField(where=_clean(".".join(map(str, item["loc"]))), what=_clean(str(item["msg"])))
        for item in error.errors()
    ]
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    detail = "; ".join(f"{item.where}: {item.what}" for item in errors)
    return answer(Problem(title=_title(status), status=status, detail=detail, errors=errors))


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # what it was installed for
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        error = HTTPException(error.status_code, headers={"Allow": ", ".join(_methods(request))})
    elif error.status_code == HTTPStatus.NOT_FOUND and error.detail == HTTPStatus.NOT_FOUND.phrase:
        error = HTTPException(error.status_code, f"there is no {request.url.path} here", error.headers)
    return refused(error)


def _methods(request: Request) -> list[str]:
    """Of all routes with this path: the router names only those of the first."""
    found: set[str] = set()
    for route in request.app.routes:
        if route.matches(request.scope)[0] != Match.NONE:
            found |= getattr(route, "methods", None) or set()
    return sorted(found)


def refused(error: HTTPException) -> JSONResponse:
    status = HTTPStatus(error.status_code)
    problem = Problem(title=_title(status), status=status, detail=_clean(str(error.detail)))
    return answer(problem, error.headers)


def _title(status: HTTPStatus) -> str:
    """RFC 9110's names, which Python has since 3.13."""
    return _RENAMED.get(status, status.phrase)


async def _unforeseen(request: Request, error: Exception) -> JSONResponse:
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return answer(Problem(title=status.phrase, status=status, detail="the server's log says what happened"))


def _clean(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
