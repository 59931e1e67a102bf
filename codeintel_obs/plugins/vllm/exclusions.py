"""What of vLLM's public classes is no point, with reasons: patterns of ``Class.method``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_REASONS: Final[Mapping[str, str]] = {
    "makes the object by its constructor, which is a point": "*.from_engine_args *.from_vllm_config",
    "reads what the engine knows of itself": """
        *.get_* *.has_unfinished_requests* AsyncLLM.is_* AsyncLLM.errored AsyncLLM.dead_error *.tokenizer LLMEngine.is_sleeping
        *.list_loras AsyncLLM.check_admission AsyncLLM.check_health AsyncLLM.compute_weight_checksums
    """,
    "a profiler or vLLM's own log of statistics": "*.start_profile *.stop_profile *.do_log_stats*",
    "sets an exchange of weights up or ends it; the updates are points": "*_weight_transfer_engine",
    "the engine beneath `LLM`: what its owner does with it is told by `LLM`, and requests handed to it are points": """
        LLMEngine.sleep LLMEngine.wake_up LLMEngine.reset_* LLMEngine.release_* LLMEngine.collective_rpc
        LLMEngine.apply_model LLMEngine.*_lora LLMEngine.set_weight_version
    """,
    "changes the number of engine processes, which needs several machines or GPUs": "AsyncLLM.*scale_elastic_ep",
    "part of a disaggregated or fault-tolerant deployment, which needs several engines": """
        AsyncLLM.notify_kv_transfer_request_rejected AsyncLLM.handle_fault AsyncLLM.checkpoint_*
    """,
    "waits for the requests of others, which are points": "AsyncLLM.wait_for_requests_to_drain",
    "ends the engine and its processes, with the process or with the object": "AsyncLLM.shutdown",
}

EXCLUSIONS: Final = {name: reason for reason, names in _REASONS.items() for name in names.split()}
