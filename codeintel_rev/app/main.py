"""Puts the HTTP application together: routers, the MCP tools under /mcp, and the bounds around both."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from fastapi import FastAPI

from codeintel_rev import __version__
from codeintel_rev.app import problems
from codeintel_rev.app.middleware import LOOPBACK, BodyLimits, KnownHosts
from codeintel_rev.app.routers import files, health, history, index, search, symbols, text
from codeintel_rev.gate import Limits
from codeintel_rev.mcp_server.server import create_server
from codeintel_rev.serving import Serving, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from codeintel_rev.config.settings import Settings

ROUTERS = (search, text, symbols, files, history, index, health)


def create_app(
    repo: Path,
    settings: Settings,
    index_dir: Path | None = None,
    limits: Limits | None = None,
    hosts: tuple[str, ...] = LOOPBACK,
) -> FastAPI:
    """`hosts`: the names under which it answers, empty for all of them (then keep strangers away by other means)."""
    bounds = limits or Limits()
    app = _application(partial(serving, repo, settings, index_dir, bounds), bounds)
    problems.install(app)
    for module in ROUTERS:
        app.include_router(module.router)
    app.add_middleware(BodyLimits, limits=bounds)
    app.add_middleware(KnownHosts, hosts=hosts)
    return app


def _application(opened: Callable[[], AbstractAsyncContextManager[Serving]], bounds: Limits) -> FastAPI:
    """With the MCP tools on the same service, and both of their lifespans."""

    @asynccontextmanager
    async def shared() -> AsyncIterator[Serving]:
        yield app.state.serving

    # KnownHosts stands before it, so its own check would only be a second one of another form
    mcp_app = create_server(shared).streamable_http_app(host="", max_request_body_size=bounds.body)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        # Starlette runs no lifespan of an application inside another, and without it no session can begin
        async with opened() as app.state.serving, mcp_app.router.lifespan_context(mcp_app):
            yield

    app = FastAPI(
        title="codeintel-rev",
        summary="Searches and reads the code of one git repository",
        version=__version__,
        lifespan=lifespan,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    app.router.routes.extend(mcp_app.routes)
    return app
