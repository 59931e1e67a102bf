"""What an HTTP request says before it is sent, whichever library sends it; and the names of what it asks of vLLM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

VERBS: Final = ("get", "head", "post", "put", "patch", "delete", "options", "query")
OTHER: Final = "request"
WAIT: Final = "http_client.wait_for_connection"

VLLM_PATHS: Final[Mapping[str, str]] = {
    "/v1/embeddings": "embed_batch",
    "/v2/embed": "embed_batch",
    "/v1/completions": "generate",
    "/v1/chat/completions": "chat",
    "/v1/responses": "chat",
    "/rerank": "rerank",
    "/v1/rerank": "rerank",
    "/v2/rerank": "rerank",
    "/score": "score",
    "/v1/score": "score",
    "/pooling": "encode",
    "/classify": "classify",
    "/sleep": "sleep",
    "/wake_up": "wake_up",
}
"""The verb of vLLM's kind by the path of its server; a path proves nothing of a host that is not declared."""

_NONE: Final = msgspec.Raw()  # in a union with None, msgspec takes None alone
_COUNTED: Final = ("input", "prompt", "documents", "text_2", "data_2")


class _Body(msgspec.Struct):
    """What is read of a request's JSON; of inputs only how many there are."""

    model: Any = None
    stream: Any = None
    input: msgspec.Raw = _NONE
    prompt: msgspec.Raw = _NONE
    documents: msgspec.Raw = _NONE
    text_2: msgspec.Raw = _NONE
    data_2: msgspec.Raw = _NONE
    messages: msgspec.Raw = _NONE


_decode_body: Final = msgspec.json.Decoder(_Body).decode
_decode_list: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode


@dataclass(frozen=True, slots=True)
class Asked:
    """One request on its way. ``body`` is what lies in memory, else None; ``proxied``: a proxy is asked, or may be."""

    method: str
    host: str
    port: int | None
    path: str
    body: bytes | None
    proxied: bool
    verb: str | None = None

    def kind(self) -> str:
        """Return the kind of the step: vLLM's only where its host was declared as one."""
        if self.verb is not None:
            return f"vllm.{self.verb}"
        method = self.method.lower()
        return f"http_client.{method if method in VERBS else OTHER}"


def said(asked: Asked) -> dict[str, Any]:
    """Return the payload that a request has before it is sent."""
    payload: dict[str, Any] = {
        "method": asked.method,
        "host": asked.host,
        "port": asked.port,
        "path": asked.path,
    }
    if asked.verb is not None:
        payload |= {"mode": "http", **_of_vllm(asked.body)}
    return payload


def _of_vllm(body: bytes | None) -> dict[str, Any]:
    if not body:
        return {}
    try:
        read = _decode_body(body)
    except msgspec.MsgspecError:
        return {}  # no JSON: nothing is known of it
    found: dict[str, Any] = {
        "model": read.model if isinstance(read.model, str) else None,
        "stream": True if read.stream is True else None,
    }
    if bytes(read.messages):
        return {**found, "messages": _length(read.messages)}
    inputs = next((each for name in _COUNTED if bytes(each := getattr(read, name))), _NONE)
    return {**found, "count": _count(inputs)}


def _count(raw: msgspec.Raw) -> int | None:
    """Return how many inputs these are: a text is one, and so is a list of token ids."""
    first = bytes(raw)[:1]
    if first in (b'"', b"{"):
        return 1
    if first != b"[":
        return None
    items = _decode_list(raw)
    return 1 if items and bytes(items[0])[:1].isdigit() else len(items)


def _length(raw: msgspec.Raw) -> int | None:
    return len(_decode_list(raw)) if bytes(raw)[:1] == b"[" else None
