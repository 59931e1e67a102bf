"""vLLM's own servers, launched under the recorder: requests and runs, streams, a kill, and vLLM's own counters."""

from __future__ import annotations

import os
import signal
import time
import urllib.error

import processes
import pytest
from in_vllm import ENVIRONMENT
from in_vllm_models import llama, minilm
from in_vllm_server import serving, texts
from vllm_agreement import counted, disagreements, send_all, told

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # a server imports vLLM twice
ASKED = {"prompt": "the cat sat", "max_tokens": 12, "temperature": 0, "ignore_eos": True, "logprobs": 1}


@pytest.fixture(scope="module")
def model():
    return llama()


def ledger(folder):
    """Return what the ledger says: begins and ends of steps by span id, of the watched libraries alone."""
    records = [each for each in processes.records(folder) if each.get("source") in {"vllm", "fastapi"}]
    begun = {each["span_id"]: each for each in records if each["event"] == "step.begin"}
    ended = {each["span_id"]: each for each in records if each["event"] == "step.end"}
    return begun, ended


def merged(begun, ended, kind):
    """Return the payloads of the ended steps of ``kind``, in the order of their begins."""
    ids = [span_id for span_id, each in begun.items() if each["kind"] == kind and span_id in ended]
    return [{**begun[each].get("payload", {}), **ended[each].get("payload", {})} for each in ids]


def test_pooling_requests_are_steps_in_the_runs_of_their_http_requests(tmp_path):
    """Embeddings, scores and reranking: one step for each prompt, under its request, in the request's run."""
    with serving(tmp_path, minilm(), "--runner", "pooling", **ENVIRONMENT) as server:
        status, body = server.post("/v1/embeddings", model=minilm(), input=["the cat", "a mat in the sea"])
        assert (status, len(body["data"]), len(body["data"][0]["embedding"])) == (200, 2, 384)
        docs = ["the cat", "the sea", "a spoon"]
        status, body = server.post("/v1/rerank", model=minilm(), query="cat", documents=docs)
        assert (status, body["results"][0]["index"]) == (200, 0)
        assert server.post("/score", model=minilm(), text_1="cat", text_2=docs)[0] == 200
        assert server.post("/v1/embeddings", model="nobody", input="x")[0] == 404
        server.idle()
        finished = sum(server.finished().values())
        tokens = server.total("request_prompt_tokens_sum")
        assert server.stop() == 0
    begun, ended = ledger(tmp_path)
    encoded = merged(begun, ended, "vllm.encode")
    assert len(encoded) == finished == 2 + 4 + 4
    known = {"mode": "async", "model": minilm(), "count": 1, "task": "embed", "outputs": 1, "dim": 384, "items": 1}
    assert [{key: each.get(key) for key in known} for each in encoded] == [known] * 10
    assert len({each["request_id"] for each in encoded}) == 10
    assert sum(each["tokens"] for each in encoded) == tokens
    for step in begun.values():
        if step["kind"] == "vllm.encode":
            request = begun[step["parent_span_id"]]
            assert (request["kind"], request["run_id"]) == ("http.request", step["run_id"])
    assert sorted(each["status_code"] for each in merged(begun, ended, "http.request")) == [200, 200, 200, 404]
    (load,) = merged(begun, ended, "vllm.load")
    assert (load["runner"], load["engine"]) == ("pooling", "AsyncMPClient")


def answers(server, model):
    """Return what a client gets: text, tokens' probabilities, a stream, and a conversation."""
    _, whole = server.post("/v1/completions", model=model, **ASKED)
    with server.stream("/v1/completions", model=model, **ASKED) as stream:
        parts = "".join(texts(stream))  # where one event ends is vLLM's timing: what a slow reader missed comes as one
    _, chat = server.post(
        "/v1/chat/completions", model=model, messages=[{"role": "user", "content": "cat"}], max_tokens=5, temperature=0
    )
    return whole["choices"], whole["usage"], parts, chat["choices"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the recorded server runs."""
    return tmp_path_factory.mktemp("recorded")


@pytest.fixture(scope="module")
def server(folder, model):
    """A model that writes, served under the recorder to all tests below; the last of them kills it."""
    with serving(folder, model, **ENVIRONMENT) as made:
        yield made


def test_steps_agree_with_vllms_own_counters(folder, server, model):
    """Reasons, tokens and statuses, with cancellations and errors among them; in full it is bench/vllm_agreement.py."""
    client = send_all(server, model, range(240, 320))
    theirs, ours = counted(server), settled(folder)
    assert disagreements(client, theirs, ours) == []
    assert ours["cancelled"] > 0


def settled(folder):
    """Return what the ledger says once every request has ended: a cancelled one does when the server has seen it."""
    for _ in range(200):
        ours = told(folder)
        if ours["open"] == ["http.lifespan"]:
            return ours
        time.sleep(0.1)
    raise AssertionError(f"steps without an end: {ours['open']}")


def test_answers_are_identical(tmp_path, server, model):
    """With and without the recorder: texts, tokens' probabilities, usage and streams."""
    with serving(tmp_path, model, launcher=(), **ENVIRONMENT) as bare:
        assert answers(server, model) == answers(bare, model)


def test_a_kill_in_mid_stream_loses_nothing(folder, server, model):
    """The finished steps are on record, the one that was streaming is in flight, and its run says so."""
    with server.stream("/v1/completions", model=model, **ASKED) as whole:
        assert (
            len("".join(texts(whole)).split()) == 12
        )  # each of its tokens is a word; how many events they come in is timing
    stream = server.stream("/v1/completions", model=model, **{**ASKED, "max_tokens": 240})
    first = next(texts(stream))
    os.kill(child_of(folder), signal.SIGKILL)
    assert server.process.wait(60) != 0
    with pytest.raises((OSError, urllib.error.URLError, ValueError)):
        list(texts(stream))
        raise ValueError("the stream ended as if nothing had happened")
    assert first
    begun, ended = ledger(folder)
    finished = merged(begun, ended, "vllm.generate")[-1]
    assert (finished["output_tokens"], finished["finish_reasons"]) == (12, {"length": 1})
    killed = [each for span_id, each in begun.items() if span_id not in ended]
    assert sorted(each["kind"] for each in killed) == ["http.lifespan", "http.request", "vllm.generate"]
    (run,) = {each["run_id"] for each in killed if each["kind"] == "vllm.generate"}
    told_of = processes.report(folder, run)
    assert told_of["outcome"] == "interrupted"
    assert {step["kind"] for step in told_of["steps"] if step["status"] == "in_flight"} == {
        "http.request",
        "vllm.generate",
    }


def child_of(folder):
    """Return the process id of the recorded server, as its run says."""
    records = processes.records(folder)
    return next(each["payload"]["pid"] for each in records if each["event"] == "run.begin")
