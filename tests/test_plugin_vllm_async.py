"""What requests of vLLM's asynchronous engine are recorded as, its core in a process of its own. Runs where vLLM is."""

from __future__ import annotations

import asyncio

import pytest
import pytest_asyncio
from in_vllm_models import llama
from vllm import AsyncEngineArgs, SamplingParams
from vllm.sampling_params import RequestOutputKind
from vllm.v1.engine.async_llm import AsyncLLM

from codeintel_obs import Status, step
from codeintel_obs.context import current
from codeintel_obs.plugins.vllm.instrumentor import VLLMInstrumentor
from codeintel_obs.testing import recording

pytestmark = pytest.mark.asyncio(loop_scope="module")
OPTIONS = {"dtype": "float32", "enforce_eager": True, "max_model_len": 256}
KINDS = list(RequestOutputKind)


def sampling(**more):
    return SamplingParams(**{"temperature": 0, "max_tokens": 8, "seed": 1, "ignore_eos": True, **more})


def watched(**settings):
    return recording(VLLMInstrumentor, **settings)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def writer():
    """A model that writes, served by an engine in another process."""
    model = llama()
    with watched() as told:
        engine = AsyncLLM.from_engine_args(AsyncEngineArgs(model=model, **OPTIONS))
    step = told.only("vllm.load")
    assert (step.payload, step.end_payload["engine"]) == ({"mode": "async", "model": model}, "AsyncMPClient")
    yield engine
    engine.shutdown()


async def answers(engine, number, **more):
    return [each async for each in engine.generate("the cat sat", sampling(**more), f"mine-{number}")]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
async def test_a_generation_is_one_step_however_it_streams(writer, kind):
    """Cumulative, in parts, or the end alone: the same tokens, counted once."""
    with watched() as told:
        outputs = await answers(writer, f"kind-{kind.value}", output_kind=kind)
    step = told.only("vllm.generate")
    payload = told.payload(step)
    times = {payload.pop(key) for key in ("queue_ns", "prefill_ns", "decode_ns")}
    assert min(times) >= 0
    assert payload == {
        "mode": "async", "model": writer.model_config.model, "request_id": f"mine-kind-{kind.value}", "count": 1, "n": 1,
        "max_tokens": 8, "tokens": 3, "output_tokens": 8, "cached_tokens": 0, "finish_reasons": {"length": 1},
        "preemptions": 0, "items": len(outputs),
    }  # fmt: skip
    assert told.kinds == ["vllm.generate"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
async def test_several_answers_are_all_counted(writer, kind):
    """Of ``n`` answers each has its tokens and its reason, in whichever output they come."""
    with watched() as told:
        await answers(writer, f"n-{kind.value}", n=3, temperature=1, output_kind=kind)
    payload = told.payload(told.only("vllm.generate"))
    assert (payload["output_tokens"], payload["finish_reasons"]) == (24, {"length": 3})


async def test_requests_at_once_are_each_their_own_step(writer):
    """Steps of tasks that run together are not each other's parents or parts."""
    with watched() as told:
        await asyncio.gather(*(answers(writer, f"gather-{number}") for number in range(5)))
    steps = told.of("vllm.generate")
    assert len(steps) == 5
    assert {step.parent for step in steps} == {None}
    assert {told.payload(step)["output_tokens"] for step in steps} == {8}


async def test_a_consumer_that_leaves_closes_the_request(writer):
    """Completed, with what it got: vLLM aborts the rest, which is part of the step."""
    with watched() as told:
        stream = writer.generate("the cat", sampling(max_tokens=200, output_kind=RequestOutputKind.DELTA), "leaves")
        async for output in stream:
            got = len(output.outputs[0].token_ids)
            break
        await stream.aclose()
    step = told.only("vllm.generate")
    assert (step.status, step.detail, step.end_payload["items"]) == (Status.COMPLETED, "closed by consumer", 1)
    assert step.end_payload["output_tokens"] == got
    assert told.kinds == ["vllm.generate"]


async def test_a_cancelled_request_is_failed(writer):
    """With the tokens that had come by then."""
    started = asyncio.Event()

    async def read():
        async for _ in writer.generate("the cat", sampling(max_tokens=200), "cancelled"):
            started.set()

    with watched() as told:
        task = asyncio.create_task(read())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    step = told.only("vllm.generate")
    assert (step.status, step.detail) == (Status.FAILED, "cancelled")
    assert 0 < step.end_payload["output_tokens"] < 200


async def test_an_aborted_request_says_so(writer):
    """The abort is a step of its own; the request's own output says that it was aborted."""
    started = asyncio.Event()

    async def read():
        async for _ in writer.generate("the cat", sampling(max_tokens=200), "aborted"):
            started.set()

    with watched() as told:
        task = asyncio.create_task(read())
        await started.wait()
        await writer.abort("aborted")
        await task
    abort, step = told.only("vllm.abort"), told.only("vllm.generate")
    assert told.payload(abort) == {
        "mode": "async", "model": writer.model_config.model, "count": 1, "request_id": "aborted"
    }  # fmt: skip
    assert (step.status, step.detail) == (Status.FAILED, "aborted")
    assert step.end_payload["finish_reasons"] == {"abort": 1}


async def test_a_refused_request_is_failed(writer):
    """Before anything was generated; the error is vLLM's."""
    with watched() as told, pytest.raises(Exception, match="maximum") as caught:
        [each async for each in writer.generate("cat " * 300, sampling(), "long")]
    step = told.only("vllm.generate")
    assert step.status is Status.FAILED
    assert step.error.type.endswith(type(caught.value).__name__)
    assert "cat cat" not in step.error.message


async def test_a_request_that_is_handed_over_is_a_step(writer):
    """Its outputs are the application's to collect."""
    with watched() as told:
        collector = await writer.add_request("own", "the cat", sampling(output_kind=RequestOutputKind.FINAL_ONLY))
        output = await collector.get()
    assert output.finished
    payload = told.payload(told.only("vllm.add_request"))
    assert (payload["request_id"], payload["max_tokens"], payload["mode"]) == ("own", 8, "async")


async def test_pausing_is_a_step(writer):
    """So is going on."""
    with watched() as told:
        await writer.pause_generation(mode="wait")
        await writer.resume_generation()
    pause, resume = told.steps
    assert (pause.kind, pause.payload["how"]) == ("vllm.pause_generation", "wait")
    assert resume.kind == "vllm.resume_generation"


@pytest.mark.parametrize(
    ("tracing", "carriers", "carried"), [(True, True, True), (True, False, False), (False, True, False)]
)
async def test_trace_headers_name_the_step_where_vllm_traces(writer, monkeypatch, tracing, carriers, carried):
    """What the engine's core is handed says so; headers for an engine without tracing would bring a warning."""
    handed = await headers_handed(writer, monkeypatch, tracing, carriers=carriers)
    assert (handed is not None) == carried


async def test_carriers_off_leaves_requests_alone(writer, monkeypatch):
    """The application's own headers are handed on as they are."""
    theirs = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    handed = await headers_handed(writer, monkeypatch, True, trace_headers=theirs, carriers=False)
    assert handed == theirs


async def test_headers_of_another_trace_stay(writer, monkeypatch):
    """They are the application's; those of the step's own trace give way to the step itself."""
    other = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "tracestate": "a=b"}
    assert await headers_handed(writer, monkeypatch, True, trace_headers=other) == other
    with watched() as told, step("app.request"):
        outer = current.get()
        above = {"traceparent": f"00-{outer.trace_id}-{outer.span_id}-01", "tracestate": "a=b"}
        handed = await _handed(writer, monkeypatch, trace_headers=above)
    inner = told.only("vllm.generate")
    assert handed == {"traceparent": f"00-{outer.trace_id}-{inner.span_id}-00", "tracestate": "a=b"}


async def headers_handed(engine, monkeypatch, tracing, carriers=True, **more):
    """Return the trace headers that the core of ``engine`` is handed with a request."""
    with watched(carriers=carriers):
        return await _handed(engine, monkeypatch, tracing=tracing, **more)


async def _handed(engine, monkeypatch, tracing=True, **more):
    seen = []
    original = engine.engine_core.add_request_async

    async def add(request):
        seen.append(request.trace_headers)
        await original(request)

    monkeypatch.setattr(engine.engine_core, "add_request_async", add)
    if tracing:
        monkeypatch.setattr(engine.observability_config, "otlp_traces_endpoint", "http://127.0.0.1:9/v1/traces")
    async for _ in engine.generate("the cat", sampling(max_tokens=2), "traced", **more):
        pass
    return seen[0]


async def test_outputs_are_identical(writer):
    """The same texts and tokens come with and without the recorder."""

    async def run():
        await writer.reset_prefix_cache()
        outputs = await answers(writer, "same", output_kind=RequestOutputKind.DELTA)
        return [token for each in outputs for token in each.outputs[0].token_ids]

    bare = await run()
    with watched():
        assert await run() == bare
