"""The semantic conventions' attributes of vLLM's spans: those for generative AI. There are none for reranking."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from codeintel_obs import semconv

Semantics = Callable[[Mapping[str, Any]], Mapping[str, Any]]


def _generation(operation: str, payload: Mapping[str, Any]) -> Mapping[str, Any]:
    reasons = payload.get("finish_reasons")
    return {
        semconv.GEN_AI_OPERATION_NAME: operation,
        semconv.GEN_AI_PROVIDER_NAME: "vllm",
        semconv.GEN_AI_REQUEST_MODEL: payload.get("model"),
        semconv.GEN_AI_USAGE_INPUT_TOKENS: payload.get("tokens"),
        semconv.GEN_AI_USAGE_OUTPUT_TOKENS: payload.get("output_tokens"),
        semconv.GEN_AI_RESPONSE_FINISH_REASONS: list(reasons) if isinstance(reasons, Mapping) else None,
    }


def _embedding(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        semconv.GEN_AI_OPERATION_NAME: "embeddings",
        semconv.GEN_AI_PROVIDER_NAME: "vllm",
        semconv.GEN_AI_REQUEST_MODEL: payload.get("model"),
        semconv.GEN_AI_USAGE_INPUT_TOKENS: payload.get("tokens"),
        semconv.GEN_AI_EMBEDDINGS_DIMENSION_COUNT: payload.get("dim"),
    }


def _encoding(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the attributes of a pooling: only that to an embedding has a name in the conventions."""
    if payload.get("task") == "embed":
        return _embedding(payload)
    return {
        semconv.GEN_AI_PROVIDER_NAME: "vllm",
        semconv.GEN_AI_REQUEST_MODEL: payload.get("model"),
        semconv.GEN_AI_USAGE_INPUT_TOKENS: payload.get("tokens"),
    }


SEMANTICS: Final[Mapping[str, Semantics]] = {
    "vllm.generate": partial(_generation, "text_completion"),
    "vllm.beam_search": partial(_generation, "text_completion"),
    "vllm.chat": partial(_generation, "chat"),
    "vllm.embed_batch": _embedding,
    "vllm.encode": _encoding,
    "vllm.classify": _encoding,
    "vllm.score": _encoding,
}
