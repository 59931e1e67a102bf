"""The semantic conventions' attributes of a client's spans: those of HTTP, and for vLLM those for generative AI."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from codeintel_obs import semconv
from codeintel_obs.plugins.http_client.asked import OTHER, VERBS, VLLM_PATHS, WAIT

_OPERATIONS: Final = {"chat": "chat", "generate": "text_completion", "embed_batch": "embeddings"}


def _of_http(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {
        semconv.HTTP_REQUEST_METHOD: payload.get("method"),
        semconv.HTTP_RESPONSE_STATUS_CODE: payload.get("status_code"),
        semconv.SERVER_ADDRESS: payload.get("host"),
        semconv.SERVER_PORT: payload.get("port"),
    }


def _of_vllm(operation: str | None, payload: Mapping[str, Any]) -> dict[str, Any]:
    reasons = payload.get("finish_reasons")
    return {
        **_of_http(payload),
        semconv.GEN_AI_OPERATION_NAME: operation,
        semconv.GEN_AI_PROVIDER_NAME: "vllm",
        semconv.GEN_AI_REQUEST_MODEL: payload.get("model"),
        semconv.GEN_AI_USAGE_INPUT_TOKENS: payload.get("tokens"),
        semconv.GEN_AI_USAGE_OUTPUT_TOKENS: payload.get("output_tokens"),
        semconv.GEN_AI_RESPONSE_FINISH_REASONS: list(reasons) if isinstance(reasons, Mapping) else None,
        semconv.GEN_AI_EMBEDDINGS_DIMENSION_COUNT: payload.get("dim"),
    }


SEMANTICS: Final[Mapping[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]]] = {
    **{f"http_client.{verb}": _of_http for verb in (*VERBS, OTHER)},
    WAIT: _of_http,
    **{f"vllm.{verb}": partial(_of_vllm, _OPERATIONS.get(verb)) for verb in VLLM_PATHS.values()},
}
"""Those of vLLM's kinds hold for a process that runs vLLM, too: what is not known is absent."""
