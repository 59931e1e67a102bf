"""Uses vLLM's offline interface, in this process and on a CPU, with a tiny model of random weights and with MiniLM.

The engines are those of the other tests in this process: a model takes seconds to load.
"""

from __future__ import annotations

from codeintel_obs import FieldClass
from codeintel_obs.testing import workout


@workout("vllm", canaries={"canary spoon": FieldClass.TEXT, "tiny-canary-llama": FieldClass.NAME})
def writes(_folder):
    from in_vllm_engines import writer
    from vllm import SamplingParams
    from vllm.sampling_params import BeamSearchParams

    greedy = SamplingParams(temperature=0, max_tokens=4, seed=1)
    asked = [{"role": "user", "content": "canary spoon"}]
    llm = writer()
    llm.enqueue(["the cat", "canary spoon"], greedy, use_tqdm=False)
    outputs = [
        *llm.wait_for_completion(use_tqdm=False),
        *llm.generate(["the cat", "canary spoon"], greedy, use_tqdm=False),
        *llm.chat(asked, greedy, use_tqdm=False),
    ]
    beams = llm.beam_search([{"prompt": "the cat"}], BeamSearchParams(beam_width=2, max_tokens=2))
    return [[list(each.outputs[0].token_ids) for each in outputs], [each.text for each in beams[0].sequences]]


@workout("vllm", canaries={"canary sea": FieldClass.TEXT})
def pools(_folder):
    from in_vllm_engines import embedder

    llm = embedder()
    texts = ["the cat", "canary sea"]
    scores = llm.score(texts[0], texts, use_tqdm=False)
    return [
        [each.outputs.embedding for each in llm.embed(texts, use_tqdm=False)],
        [each.outputs.data.numpy() for each in llm.encode(texts, pooling_task="embed", use_tqdm=False)],
        [each.outputs.score for each in scores],
    ]


@workout("vllm")
def is_refused(_folder):
    from in_vllm_engines import writer
    from vllm import SamplingParams

    try:
        writer().generate("cat " * 300, SamplingParams(max_tokens=4), use_tqdm=False)
    except Exception as exc:
        return type(exc).__name__, str(exc)
