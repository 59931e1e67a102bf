"""One service behind one gate, as every server and every tool of this process shares it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from codeintel_rev.gate import Gate, Limits
from codeintel_rev.service import CodeIntel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from codeintel_rev.config.settings import Settings

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Serving:
    """Lives as long as the server."""

    service: CodeIntel
    gate: Gate

    async def run(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """A method of the service, in a thread, within the gate's bounds."""
        return await self.gate.run(call, *args, **kwargs)


@asynccontextmanager
async def serving(repo: Path, settings: Settings, index_dir: Path | None, limits: Limits) -> AsyncIterator[Serving]:
    """NotFoundError when `repo` is in no git repository. What was started is stopped at the end."""
    service, gate = CodeIntel(repo, settings, index_dir, limits.seconds), Gate(limits)
    try:
        yield Serving(service, gate)
    finally:
        gate.close()
        service.close()
