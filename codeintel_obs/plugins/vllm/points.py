"""vLLM's points: one table for the offline interface, one for the asynchronous engine, one for the engine beneath."""

from __future__ import annotations

from typing import Any, Final

from codeintel_obs.plugins.vllm import inputs, outputs, streams, tracing
from codeintel_obs.steps import Point

_OFFLINE: Final = "vllm.entrypoints.llm"
_ASYNC: Final = "vllm.v1.engine.async_llm"
_ENGINE: Final = "vllm.v1.engine.llm_engine"


def _point(module: str, name: str, kind: str | None, **declared: Any) -> Point:
    said = {"failed": streams.failure, "message": streams.message, "outermost": True, **declared}
    return Point(module=module, name=name, kind=f"vllm.{kind}" if kind else None, **said)


def _offline(name: str, kind: str, **declared: Any) -> Point:
    return _point(_OFFLINE, f"LLM.{name}", kind, **declared)


def _later(name: str, kind: str, **declared: Any) -> Point:
    """Return a row of the asynchronous engine, which an offline program never imports: optional beside ``LLM``'s."""
    return _point(_ASYNC, f"AsyncLLM.{name}", kind, **{"optional": True, **declared})


_LOADS: Final[dict[str, Any]] = {"before": inputs.before_load, "after": inputs.after_load}
_GENERATES: Final[dict[str, Any]] = {"before": inputs.before_generate, "after": outputs.after_generate}
_CHATS: Final[dict[str, Any]] = {"before": inputs.before_chat, "after": outputs.after_generate}
_POOLS: Final[dict[str, Any]] = {"before": inputs.before_pooling, "after": outputs.after_pooling}
_CONTROLS: Final[dict[str, Any]] = {"before": inputs.before_control, "optional": True}
_CALLS: Final[dict[str, Any]] = {"before": inputs.before_rpc, "optional": True}

_CONTROLLED: Final = (
    ("sleep", "sleep"),
    ("wake_up", "wake_up"),
    ("release_kv_cache_memory", "sleep"),
    ("reset_mm_cache", "reset_cache"),
    ("reset_prefix_cache", "reset_cache"),
    ("start_weight_update", "update_weights"),
    ("start_draft_weight_update", "update_weights"),
    ("update_weights", "update_weights"),
    ("finish_weight_update", "update_weights"),
    ("update_weight_version", "update_weights"),
)
_CONTROLLED_LATER: Final = (
    *_CONTROLLED,
    ("reset_encoder_cache", "reset_cache"),
    ("pause_generation", "pause_generation"),
    ("resume_generation", "resume_generation"),
    ("add_lora", "add_lora"),
    ("remove_lora", "remove_lora"),
    ("pin_lora", "pin_lora"),
)

POINTS: Final = (
    _offline("__init__", "load", **_LOADS),
    _offline("generate", "generate", **_GENERATES),
    _offline("chat", "chat", **_CHATS),
    _offline("beam_search", "beam_search", before=inputs.before_beam_search, after=outputs.after_beam_search),
    _offline("enqueue", "enqueue", before=inputs.before_generate, after=inputs.after_enqueue, optional=True),
    _offline("enqueue_chat", "enqueue_chat", before=inputs.before_chat, after=inputs.after_enqueue, optional=True),
    _offline(
        "wait_for_completion",
        "wait_for_completion",
        before=inputs.before_wait,
        after=outputs.after_wait,
        optional=True,
    ),
    _offline("embed", "embed_batch", **_POOLS),
    _offline("classify", "classify", **_POOLS),
    _offline("encode", "encode", **_POOLS),
    _offline("score", "score", before=inputs.before_score, after=outputs.after_pooling),
    _offline("collective_rpc", "collective_rpc", **_CALLS),
    _offline("apply_model", "apply_model", **_CALLS),
    *(_offline(name, kind, **_CONTROLS) for name, kind in _CONTROLLED),
    # the asynchronous engine, behind every server
    _later("__init__", "load", **_LOADS),
    _later(
        "generate",
        "generate",
        before=streams.before_generate,
        item=streams.generated,
        after=streams.after_generate,
        failed=streams.failed_generate,
        carrier=tracing.with_context,
    ),
    _later(
        "encode",
        "encode",
        before=inputs.before_request,
        item=streams.encoded,
        after=streams.after_encode,
        carrier=tracing.with_context,
    ),
    _later("add_request", "add_request", before=inputs.before_add_request, carrier=tracing.with_context),
    _later("abort", "abort", before=inputs.before_abort),
    _later("collective_rpc", "collective_rpc", **_CALLS),
    *(_later(name, kind, **_CONTROLS) for name, kind in _CONTROLLED_LATER),
    # the engine beneath `LLM`, in the hands of an application
    _point(_ENGINE, "LLMEngine.__init__", "load", **_LOADS),
    _point(
        _ENGINE,
        "LLMEngine.add_request",
        "add_request",
        before=inputs.before_add_request,
        carrier=tracing.with_context,
    ),
    _point(_ENGINE, "LLMEngine.abort_request", "abort", before=inputs.before_abort),
    _point(_ENGINE, "LLMEngine.step", None, after=outputs.after_step, failed=None, message=None),
    # where a finished request gets its span, when vLLM's own tracing is on
    Point(
        module="vllm.v1.engine.output_processor",
        name="instrument_manual",
        kind=None,
        carrier=tracing.annotated,
        optional=True,
    ),
)
