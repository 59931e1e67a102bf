"""vLLM's engine in a child process under the recorder, and vLLM's own spans beside ours.

On a CPU vLLM spawns its children whatever it is told, and an engine apart from its program has a worker in a third one.
"""

from __future__ import annotations

import subprocess
import sys

import processes
import pytest
from in_vllm import ENVIRONMENT
from in_vllm_models import llama
from receiver import receiving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # each program imports vLLM, a spawned engine once more

PROGRAM = """
import asyncio, sys
from vllm import LLM, SamplingParams

OPTIONS = dict(dtype="float32", enforce_eager=True, max_model_len=256)
GREEDY = SamplingParams(temperature=0, max_tokens=8, seed=1)

def main(path, **more):
    llm = LLM(model=path, disable_log_stats=False, **OPTIONS, **more)
    outputs = llm.generate(["the cat", "a mat"], GREEDY, use_tqdm=False)
    print([list(each.outputs[0].token_ids) for each in outputs])

if __name__ == "__main__":
    main(sys.argv[1])
"""
TRACED = (
    PROGRAM.split("if __name__", maxsplit=1)[0]
    + """
from vllm import AsyncEngineArgs
from vllm.v1.engine.async_llm import AsyncLLM

async def answer(engine, number):
    async for output in engine.generate("the sea", GREEDY, f"mine-{number}"):
        pass

async def serve(path, url):
    engine = AsyncLLM.from_engine_args(AsyncEngineArgs(model=path, otlp_traces_endpoint=url, **OPTIONS))
    await asyncio.gather(*(answer(engine, number) for number in range(3)))
    engine.shutdown()

if __name__ == "__main__":
    path, url = sys.argv[1:]
    main(path, otlp_traces_endpoint=url)
    asyncio.run(serve(path, url))
"""
)


@pytest.fixture(scope="module")
def model():
    return llama()


def ran(folder, *command, **env):
    """Run a program to its end, and return the tokens that it printed; vLLM prints its warnings there too."""
    ended = subprocess.run(
        command,
        cwd=folder,
        env=processes.environ(**{**ENVIRONMENT, **env}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-4000:]
    return [line for line in ended.stdout.splitlines() if line.startswith("[[")]


def launched(folder, program, *arguments, **env):
    """Run a program under the recorder, and return the tokens that it printed."""
    (folder / "app.py").write_text(program)
    return ran(folder, processes.OBS, "run", "--quiet", "--", sys.executable, "app.py", *arguments, **env)


def test_an_engine_in_a_child_process_answers_and_tells_no_step_twice(tmp_path, model):
    """The child joins the run, with its imports and logs; what was asked for is told by the process that asked."""
    env = {"VLLM_ENABLE_V1_MULTIPROCESSING": "1"}
    apart = launched(tmp_path, PROGRAM, model, **env)
    assert len(apart) == 1
    told = processes.report(tmp_path)
    assert told["outcome"] == "completed"
    assert told["ran"]["vllm.load"] == {"completed": 1}
    assert told["ran"]["vllm.generate"] == {"completed": 1}
    (generate,) = [step for step in told["steps"] if step["kind"] == "vllm.generate"]
    assert (generate["payload"]["output_tokens"], generate["payload"]["finish_reasons"]) == (16, {"length": 2})
    (load,) = [step for step in told["steps"] if step["kind"] == "vllm.load"]
    assert load["payload"]["engine"] == "SyncMPClient"
    assert told["integrity"]["complete"]
    assert ran(tmp_path, sys.executable, "app.py", model) == apart, (
        "with the recorder and another process, other tokens"
    )


def test_vllms_own_spans_are_children_of_the_steps(tmp_path, model):
    """With its tracing on: each request's span hangs from its step's, has the run's id, and is exported once.

    Two prompts in one call of ``LLM``, and three requests of ``AsyncLLM`` at once.
    """
    with receiving(tmp_path) as receiver:
        url = f"{receiver.url}/v1/traces"
        launched(tmp_path, TRACED, model, url, OTEL_EXPORTER_OTLP_TRACES_PROTOCOL="http/protobuf")
        spans = receiver.spans()
    steps = {span["span_id"]: span for span in spans if span["scope"] == "codeintel_obs.vllm"}
    requests = [span for span in spans if span["name"] == "llm_request"]
    generated = [span for span in steps.values() if span["name"] == "vllm.generate"]
    assert (len(requests), len(generated)) == (2 + 3, 1 + 3)
    assert len({span["span_id"] for span in requests}) == len(requests)
    for request in requests:
        step = steps[request["parent_span_id"]]
        assert step["name"] == "vllm.generate"
        assert request["trace_id"] == step["trace_id"]
        assert request["attributes"]["codeintel.run.id"] == step["attributes"]["codeintel.run.id"]
        assert request["attributes"]["codeintel.step.id"] == step["span_id"]
    assert {request["parent_span_id"] for request in requests} == {span["span_id"] for span in generated}
    assert generated[0]["attributes"]["gen_ai.provider.name"] == "vllm"
    begins = [each for each in processes.records(tmp_path) if each["event"] == "span.begin"]
    foreign = {each["span_id"] for each in begins if each["payload"]["name"] == "llm_request"}
    assert foreign == {span["span_id"] for span in requests}
