"""/healthz and /readyz, for who watches the process: alive, and able to answer."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from codeintel_rev import __version__
from codeintel_rev.app.dependencies import Served
from codeintel_rev.app.problems import documented

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    status: Literal["alive"] = "alive"
    version: str = __version__


class Ready(BaseModel):
    status: Literal["ready"] = "ready"
    commit: str


@router.get("/healthz", summary="The process answers")
async def healthz() -> Alive:
    return Alive()


@router.get("/readyz", summary="There is an index that can be read", responses=documented(404))
async def readyz(served: Served) -> Ready:
    return Ready(commit=await served.run(served.service.indexed_commit))
