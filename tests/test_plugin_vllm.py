"""What calls of vLLM's offline interface are recorded as. Runs where vLLM is installed: on a CPU, in this process."""

from __future__ import annotations

import in_vllm_engines
import pytest
from in_vllm_engines import GREEDY, OPTIONS, made
from in_vllm_models import llama, minilm
from vllm import LLM, SamplingParams
from vllm.sampling_params import BeamSearchParams
from vllm.v1.engine import FinishReason

from codeintel_obs import Status
from codeintel_obs.plugins.vllm.instrumentor import VLLMInstrumentor
from codeintel_obs.testing import recording

TEXTS = ["the cat sat on", "a mat in the sea", "fish"]


@pytest.fixture(scope="module")
def model():
    """A tiny Llama of random weights, on disk."""
    return llama()


@pytest.fixture(scope="module")
def writer():
    """A model that writes, with statistics."""
    return in_vllm_engines.writer()


@pytest.fixture(scope="module")
def embedder():
    """MiniLM."""
    return in_vllm_engines.embedder()


@pytest.fixture(scope="module")
def scorer():
    """A cross encoder of random weights."""
    return in_vllm_engines.scorer()


@pytest.fixture(scope="module")
def loaded():
    """A model that writes, without statistics, and what its load was recorded as."""
    with watched() as told:
        quiet = made(LLM, model=llama())
    return quiet, told


def watched(**settings):
    return recording(VLLMInstrumentor, **settings)


def seen(told, kind, *keys):
    """Return these keys of the payload of the one step of ``kind``."""
    payload = told.payload(told.only(kind))
    return {key: payload[key] for key in keys if key in payload}


# -- generation ----------------------------------------------------------------------------------------------------------


def test_a_load_says_what_is_loaded_and_where_it_runs(loaded, model):
    """One step, though the engine is made in it: the model as it was asked for, and what vLLM made of it."""
    (step,) = loaded[1].steps
    assert (step.kind, step.payload) == ("vllm.load", {"mode": "local", "model": model})
    assert step.end_payload == {
        "runner": "generate", "dtype": "torch.float32", "device": "cpu", "engine": "InprocClient", "max_model_len": 256,
    }  # fmt: skip


def test_a_model_that_is_not_there_fails_in_its_load(tmp_path):
    """The load says which model was asked for."""
    with watched() as told, pytest.raises(Exception, match="none"):
        LLM(model=str(tmp_path / "none"), **OPTIONS)
    step = told.only("vllm.load")
    assert (step.status, step.payload["model"]) == (Status.FAILED, str(tmp_path / "none"))


def test_a_generation_counts_tokens_by_their_ids(writer, model):
    """Tokens of prompts and of answers are the lengths of vLLM's own lists; times are its statistics'."""
    with watched() as told:
        outputs = writer.generate(TEXTS, GREEDY, use_tqdm=False)
    payload = told.payload(told.only("vllm.generate"))
    spent = {key: payload.pop(key) for key in ("queue_ns", "prefill_ns", "decode_ns")}
    assert payload == {
        "mode": "local", "model": model, "count": 3, "outputs": 3, "n": 1, "max_tokens": 8, "preemptions": 0,
        "tokens": sum(len(each.prompt_token_ids) for each in outputs),
        "output_tokens": sum(len(each.outputs[0].token_ids) for each in outputs),
        "cached_tokens": sum(each.num_cached_tokens for each in outputs),
        "finish_reasons": {"length": 3},
    }  # fmt: skip
    stats = [each.metrics for each in outputs]
    assert spent["decode_ns"] == max(round((each.last_token_ts - each.first_token_ts) * 1e9) for each in stats)
    assert spent["queue_ns"] == max(round((each.scheduled_ts - each.queued_ts) * 1e9) for each in stats)
    assert spent["prefill_ns"] == max(round((each.first_token_ts - each.scheduled_ts) * 1e9) for each in stats)


def test_a_repeated_prompt_says_what_the_cache_had(writer):
    """The tokens that vLLM found in its cache of prefixes are counted as it counts them."""
    prompt = " ".join(["cat sea"] * 80)  # the cache holds whole blocks, on a CPU of 128 tokens
    writer.generate(prompt, GREEDY, use_tqdm=False)
    with watched() as told:
        (output,) = writer.generate(prompt, GREEDY, use_tqdm=False)
    assert output.num_cached_tokens > 0
    assert seen(told, "vllm.generate", "count", "cached_tokens", "tokens") == {
        "count": 1,
        "cached_tokens": output.num_cached_tokens,
        "tokens": len(output.prompt_token_ids),
    }


def test_without_statistics_there_are_no_times(loaded):
    """vLLM keeps none unless it is told to: unknown is absent."""
    with watched() as told:
        loaded[0].generate("the cat", GREEDY, use_tqdm=False)
    payload = told.payload(told.only("vllm.generate"))
    assert {"queue_ns", "prefill_ns", "decode_ns", "preemptions"}.isdisjoint(payload)
    assert payload["output_tokens"] == 8


@pytest.mark.parametrize(
    ("prompts", "count"),
    [
        ("the cat", 1),
        ({"prompt": "the cat"}, 1),
        ({"prompt_token_ids": [3, 4]}, 1),
        ([3, 4, 5], 1),
        ([[3, 4], [5]], 2),
        (["the", {"prompt": "cat"}], 2),
    ],
)
def test_prompts_are_counted_as_vllm_counts_them(writer, prompts, count):
    """A text, a dict or a list of token ids is one prompt; a list of any of them is many."""
    with watched() as told:
        outputs = writer.generate(prompts, GREEDY, use_tqdm=False)
    assert len(outputs) == count
    assert seen(told, "vllm.generate", "count", "outputs") == {"count": count, "outputs": count}


def test_a_chat_is_one_step(writer):
    """A list of messages is one conversation, a list of those is many; the template's tokens count too."""
    asked = [{"role": "user", "content": "what is the cat"}]
    with watched() as told:
        (one,) = writer.chat(asked, GREEDY, use_tqdm=False)
        writer.chat([asked, asked], GREEDY, use_tqdm=False)
    first, second = map(told.payload, told.of("vllm.chat"))
    assert told.kinds == ["vllm.chat", "vllm.chat"]
    assert (first["count"], first["tokens"], second["count"]) == (1, len(one.prompt_token_ids), 2)


def test_several_answers_to_a_prompt_are_all_counted(writer):
    """Of ``n`` answers each has its tokens and its reason."""
    with watched() as told:
        (output,) = writer.generate("the cat", SamplingParams(n=3, max_tokens=4, seed=1), use_tqdm=False)
    assert len(output.outputs) == 3
    expected = {"n": 3, "outputs": 1, "output_tokens": 12, "finish_reasons": {"length": 3}}
    assert seen(told, "vllm.generate", *expected) == expected


def test_a_beam_search_is_one_step(writer):
    """Its steps of one token each are part of it; of a sequence's tokens the prompt's are not the answer's."""
    with watched() as told:
        (output,) = writer.beam_search([{"prompt": "the cat"}], BeamSearchParams(beam_width=2, max_tokens=3))
    assert told.kinds == ["vllm.beam_search"]
    prompt = len(output.sequences[0].orig_prompt["prompt_token_ids"])
    expected = {
        "count": 1, "beam_width": 2, "max_tokens": 3, "outputs": 1, "sequences": 2, "tokens": prompt,
        "output_tokens": sum(len(each.tokens) - prompt for each in output.sequences),
    }  # fmt: skip
    assert seen(told, "vllm.beam_search", *expected) == expected


def test_waiting_links_what_was_queued(writer):
    """Two calls queue, one waits: it counts what came of both, and links them."""
    with watched() as told:
        writer.enqueue(TEXTS, GREEDY, use_tqdm=False)
        writer.enqueue_chat([{"role": "user", "content": "cat"}], GREEDY, use_tqdm=False)
        outputs = writer.wait_for_completion(use_tqdm=False)
        writer.wait_for_completion(use_tqdm=False)
    first, second, wait, nothing = told.steps
    assert (first.kind, second.kind, wait.kind) == ("vllm.enqueue", "vllm.enqueue_chat", "vllm.wait_for_completion")
    assert (first.end_payload, second.end_payload) == ({"requests": 3}, {"requests": 1})
    assert [link.span_id for link in wait.links] == [first.span_id, second.span_id]
    assert wait.end_payload["outputs"] == len(outputs) == 4
    assert (nothing.links, nothing.end_payload["outputs"]) == ((), 0)


def test_a_refused_generation_is_failed_without_the_text_it_refuses(embedder, writer):
    """The wrong sort of model, and a prompt that is too long: the library's own words, the parameter, never its value."""
    with watched() as told:
        with pytest.raises(ValueError, match="only supported for generative"):
            embedder.generate("the cat", GREEDY, use_tqdm=False)
        with pytest.raises(Exception, match="maximum") as caught:
            writer.generate("cat " * 300, GREEDY, use_tqdm=False)
    wrong, long = told.steps
    assert (wrong.status, long.status) == (Status.FAILED, Status.FAILED)
    assert long.error.type.endswith(type(caught.value).__name__)
    assert "cat cat" not in long.error.message


def test_sleeping_and_waking_are_steps(writer):
    """With level, mode and tags; what sleeps on a CPU is the scheduler."""
    with watched() as told:
        writer.sleep(level=0)
        writer.wake_up(tags=["scheduling"])
        writer.reset_prefix_cache()
    asleep, awake, reset = told.steps
    assert (asleep.kind, asleep.payload["level"]) == ("vllm.sleep", 0)
    assert (awake.kind, awake.payload["tags"]) == ("vllm.wake_up", ["scheduling"])
    assert (reset.kind, reset.payload["method"]) == ("vllm.reset_cache", "reset_prefix_cache")


def test_a_call_on_the_workers_names_its_method(writer):
    """What runs there is the workers' own."""
    with watched() as told:
        writer.collective_rpc("get_model_inspection")
    assert seen(told, "vllm.collective_rpc", "method") == {"method": "get_model_inspection"}


# -- pooling -------------------------------------------------------------------------------------------------------------


def test_an_embedding_is_one_step_with_its_dimension(embedder):
    """``embed`` calls ``encode``: one call of the application is one step."""
    with watched() as told:
        outputs = embedder.embed(TEXTS, use_tqdm=False)
    assert told.kinds == ["vllm.embed_batch"]
    expected = {
        "mode": "local", "model": minilm(), "count": 3, "outputs": 3, "dim": 384, "cached_tokens": 0,
        "tokens": sum(len(each.prompt_token_ids) for each in outputs),
    }  # fmt: skip
    assert told.payload(told.only("vllm.embed_batch")) == expected


def test_encoding_says_for_which_task(embedder):
    """What comes back is a tensor, and its last dimension is the dimension."""
    with watched() as told:
        embedder.encode(TEXTS, pooling_task="embed", use_tqdm=False)
    assert seen(told, "vllm.encode", "task", "dim", "outputs") == {"task": "embed", "dim": 384, "outputs": 3}


def test_scores_say_how_many_were_compared(scorer):
    """Queries and documents in, as many scores as documents out; the scores are not kept."""
    with watched() as told:
        outputs = scorer.score("the cat", TEXTS, use_tqdm=False)
    payload = told.payload(told.only("vllm.score"))
    assert (payload["queries"], payload["docs"], payload["outputs"]) == (1, 3, 3)
    assert payload["tokens"] == sum(len(each.prompt_token_ids) for each in outputs)
    assert str(outputs[0].outputs.score) not in repr(payload)


def test_a_classification_says_how_many_classes(scorer):
    """Probabilities have the number of classes as their dimension."""
    with watched() as told:
        scorer.classify(TEXTS, use_tqdm=False)
    assert seen(told, "vllm.classify", "count", "outputs", "dim") == {"count": 3, "outputs": 3, "dim": 1}


def as_errors(engine_core):
    """Let an engine say of every request what a real one says that lost its input: only multi-modal models can."""
    original = engine_core.get_output

    def get_output():
        outputs = original()
        for each in outputs.outputs:
            each.finish_reason, each.mm_cache_miss_hashes = FinishReason.ERROR, ["lost"]
        return outputs

    return get_output


def test_a_pooling_that_returns_errors_is_failed(embedder, monkeypatch):
    """No exception tells of them: the outputs do, and the step says how many and which."""
    core = embedder.llm_engine.engine_core
    monkeypatch.setattr(core, "get_output", as_errors(core))
    with watched() as told:
        outputs = embedder.embed(TEXTS, use_tqdm=False)
    assert all(each.error is not None for each in outputs)
    step = told.only("vllm.embed_batch")
    assert (step.status, step.error) == (Status.FAILED, None)
    assert step.detail == "3 of 3 failed: multimodal_cache_miss: Multi-modal processor cache miss."
    assert step.end_payload["failed"] == 3
    assert step.end_payload["codes"] == ["multimodal_cache_miss"]
    assert "dim" not in step.end_payload


# -- the engine beneath ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def engine():
    """An engine that the test steps itself."""
    return in_vllm_engines.engine()


def test_requests_of_an_engine_are_told_when_they_finish(engine):
    """Its iterations are no steps; what they finish is an instant, with the request's id."""
    with watched() as told:
        for number in range(2):
            engine.add_request(f"mine-{number}", "the cat", GREEDY)
        finished = []
        while engine.has_unfinished_requests():
            finished += [each for each in engine.step() if each.finished]
    assert told.kinds == ["vllm.add_request", "vllm.add_request", "vllm.output", "vllm.output"]
    added, outputs = told.steps[0], told.of("vllm.output")
    assert (added.payload["request_id"], added.payload["mode"]) == ("mine-0", "engine")
    assert sorted(told.payload(each)["request_id"] for each in outputs) == ["mine-0", "mine-1"]
    assert {told.payload(each)["output_tokens"] for each in outputs} == {8}
    assert len(finished) == 2


def test_an_aborted_request_is_named(engine):
    """By its id; there is no output that could tell of it."""
    engine.add_request("never", "the cat", GREEDY)
    with watched() as told:
        engine.abort_request(["never"])
    assert seen(told, "vllm.abort", "count", "mode") == {"count": 1, "mode": "engine"}
    assert not engine.has_unfinished_requests()


# -- all -------------------------------------------------------------------------------------------------------------------


def test_results_are_identical(writer, embedder, scorer):
    """The same tokens, vectors and scores come out of each with and without the recorder."""

    def run():
        writer.reset_prefix_cache()
        return [
            [each.outputs[0].token_ids for each in writer.generate(TEXTS, GREEDY, use_tqdm=False)],
            [each.text for each in writer.beam_search([{"prompt": "the"}], BeamSearchParams(2, 4))[0].sequences],
            [each.outputs.embedding for each in embedder.embed(TEXTS, use_tqdm=False)],
            [each.outputs.score for each in scorer.score("the cat", TEXTS, use_tqdm=False)],
        ]

    bare = run()
    with watched():
        assert run() == bare


def test_texts_are_kept_at_level_all_only(writer):
    """Prompts, messages and answers are texts; below that level no word of them is in any record."""
    for level in ("none", "messages", "all"):
        with watched(content=level) as told:
            (output,) = writer.generate("canary spoon", GREEDY, use_tqdm=False)
            writer.chat([{"role": "user", "content": "canary spoon"}], GREEDY, use_tqdm=False)
        words = repr([told.payload(step) for step in told.steps])
        assert ("canary spoon" in words, output.outputs[0].text in words) == (level == "all", level == "all")
