"""Engines in the tests' own process: each is made once, for all files that run in it. A load takes seconds."""

from __future__ import annotations

import functools
from typing import Any

from in_vllm_models import llama, minilm, reranker
from vllm import LLM, LLMEngine, SamplingParams
from vllm.engine.arg_utils import EngineArgs

OPTIONS: dict[str, Any] = {"dtype": "float32", "enforce_eager": True, "max_model_len": 256}
GREEDY = SamplingParams(temperature=0, max_tokens=8, seed=1)
_alive: list[Any] = []
"""Engines of one process share vLLM's global state, and one that is collected takes it from the others."""


def made(cls: Any, **options: Any) -> Any:
    """Return a new engine that lives as long as the process."""
    _alive.append(cls(**options, **OPTIONS))
    return _alive[-1]


@functools.cache
def writer() -> Any:
    """Return a model that writes, with statistics."""
    return made(LLM, model=llama(), disable_log_stats=False)


@functools.cache
def embedder() -> Any:
    """Return MiniLM."""
    return made(LLM, model=minilm(), runner="pooling")


@functools.cache
def scorer() -> Any:
    """Return a cross encoder of random weights."""
    return made(LLM, model=reranker(), runner="pooling")


@functools.cache
def engine() -> Any:
    """Return an engine that its caller steps."""
    _alive.append(LLMEngine.from_engine_args(EngineArgs(model=llama(), disable_log_stats=False, **OPTIONS)))
    return _alive[-1]
