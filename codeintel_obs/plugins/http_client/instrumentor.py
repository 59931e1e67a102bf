"""The instrumentor of HTTP clients: its table of points, and what their payload keys hold."""

from __future__ import annotations

from typing import ClassVar, Final

from codeintel_obs.instrumentor import LibraryInstrumentor
from codeintel_obs.plugins.http_client.exclusions import EXCLUSIONS
from codeintel_obs.plugins.http_client.points import POINTS
from codeintel_obs.plugins.http_client.semantics import SEMANTICS
from codeintel_obs.steps import FieldClass

_COUNTS: Final = ("count", "messages", "tokens", "output_tokens", "cached_tokens", "outputs", "dim", "bytes", "items")
_CODES: Final = ("method", "port", "status_code", "mode", "stream", "done_marker", "finish_reasons")


class HTTPClientInstrumentor(LibraryInstrumentor):
    """Watches httpx, httpx2 (and openai over them), urllib3 (and requests over it) and aiohttp, as its table says."""

    plugin = "http_client"
    library = "httpx"
    requires = ("httpx>=0.27", "httpx2>=2", "urllib3>=2", "aiohttp>=3.10")
    points = POINTS
    fields: ClassVar = {
        **dict.fromkeys(_COUNTS, FieldClass.COUNT),
        **dict.fromkeys(_CODES, FieldClass.CODE),
        "host": FieldClass.NAME,
        "model": FieldClass.NAME,
        "path": FieldClass.PATH,
    }
    exclusions = EXCLUSIONS
    semantics: ClassVar = SEMANTICS
