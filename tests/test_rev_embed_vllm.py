"""codeintel_rev, embeddings over HTTP: batched, bounded, tried again where that helps, and never for ever."""

import socket
import threading
from email.utils import formatdate

import numpy as np
import pytest
from openai_server import DIM, MODEL, serving, vector

from codeintel_rev.config.settings import EmbeddingSettings, Settings
from codeintel_rev.errors import EmbeddingError, EmbeddingTimeoutError, UsageError
from codeintel_rev.io.embedders import open_embedder

PLENTY = 30.0  # seconds that a healthy loopback server never needs


@pytest.fixture
def served():
    with serving() as (url, behaviour):
        yield url, behaviour


@pytest.fixture
def opened(tmp_path):
    """Opens embedders, and closes them at the end."""
    opened = []

    def open_one(url, **more):
        own = EmbeddingSettings(**({"kind": "vllm", "url": url, "model": MODEL, "query_timeout": PLENTY} | more))
        opened.append(open_embedder(Settings(cache_dir=tmp_path, embedding=own)))
        return opened[-1]

    yield open_one
    for embedder in opened:
        embedder.close()


def refusing_url():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


def test_texts_go_out_in_batches_and_come_back_in_order(served, opened):
    """The server answers in reverse order; each vector belongs to its text and has unit length."""
    url, behaviour = served
    texts = [f"word{number} and more" for number in range(10)]
    made = opened(url, batch_size=4).embed(texts)
    np.testing.assert_allclose(made, [vector(text) for text in texts], atol=1e-6)
    assert (made.dtype, made.shape) == (np.float32, (10, DIM))
    assert sorted(len(body["input"]) for _, body, _ in behaviour.requests) == [2, 4, 4]
    assert {body["model"] for _, body, _ in behaviour.requests} == {MODEL}


def test_no_more_requests_are_under_way_than_allowed(served, opened):
    """No answer is given before three requests are there, and never are there four."""
    url, behaviour = served
    behaviour.gate = threading.Barrier(3)
    opened(url, batch_size=1, concurrency=3).embed([f"text {number}" for number in range(24)])
    assert (len(behaviour.requests), behaviour.most_open) == (24, 3)


def test_the_model_and_the_dimension_are_asked_of_the_server(served, opened):
    """Neither is configured: the only served model is taken, and both become part of the identity."""
    url, _ = served
    embedder = opened(f"{url}/v1/", model="")
    assert (embedder.dim, embedder.identity) == (DIM, f"vllm:{MODEL}/{DIM}")
    assert opened(url, revision="r2", document_prefix="p: ").identity == f"vllm:{MODEL}#r2+'p: '/{DIM}"


def test_several_served_models_want_a_choice(served, opened):
    url, behaviour = served
    behaviour.models = ["one", "two"]
    with pytest.raises(EmbeddingError, match="serves 2 models") as caught:
        opened(url, model="").embed(["x"])
    assert "one" in caught.value.mend


def test_prefixes_go_before_documents_and_queries(served, opened):
    url, behaviour = served
    embedder = opened(url, document_prefix="doc: ", query_prefix="query: ")
    embedder.embed(["a"])
    embedder.embed_query("b")
    assert [body["input"] for _, body, _ in behaviour.requests] == [["doc: a"], ["query: b"]]


def test_the_key_is_sent_and_never_shown(served, opened):
    url, behaviour = served
    embedder = opened(url, api_key="sesame")
    embedder.embed(["a"])
    assert behaviour.requests[0][2]["Authorization"] == "Bearer sesame"
    assert "sesame" not in repr(embedder._settings)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_passes_is_tried_again(served, opened, status):
    """503, then 200: one answer, two requests."""
    url, behaviour = served
    behaviour.statuses = [(status, {}), (status, {"Retry-After": "0"})]
    assert opened(url).embed(["a"]).shape == (1, DIM)
    assert len(behaviour.requests) == 3


def test_what_does_not_pass_is_told_after_the_last_attempt(served, opened):
    url, behaviour = served
    behaviour.statuses = [(503, {})] * 9
    with pytest.raises(EmbeddingError, match=r"said 503: busy, 3 times"):
        opened(url, attempts=3).embed(["a"])
    assert len(behaviour.requests) == 3


@pytest.mark.parametrize("asked", ["3600", formatdate(4_000_000_000, usegmt=True)])
def test_a_wait_that_is_longer_than_the_deadline_is_not_begun(served, opened, asked):
    """Retry-After in seconds and as a date: the caller is told at once."""
    url, behaviour = served
    behaviour.statuses = [(429, {"Retry-After": asked})]
    with pytest.raises(EmbeddingError, match="said 429: busy; the next try would come too late"):
        opened(url).embed(["a"], seconds=PLENTY)
    assert len(behaviour.requests) == 1


@pytest.mark.parametrize(("status", "mend"), [(400, ""), (401, "API key"), (404, "check the URL")])
def test_a_refusal_is_told_at_once(served, opened, status, mend):
    url, behaviour = served
    behaviour.statuses = [(status, {})]
    with pytest.raises(EmbeddingError, match=f"said {status}: busy") as caught:
        opened(url).embed(["a"])
    assert mend in caught.value.mend
    assert len(behaviour.requests) == 1


@pytest.mark.parametrize("fault", ["hangs", "drips"])
def test_a_server_that_never_ends_its_answer_is_given_up(served, opened, fault):
    """Also one that sends a byte now and then: the time is that of the whole, not of one read."""
    url, behaviour = served
    setattr(behaviour, fault, True)
    embedder = opened(url)
    with pytest.raises(EmbeddingTimeoutError, match=r"did not answer within 0\.3 s"):
        embedder.embed(["a"], seconds=0.3)
    with pytest.raises(TimeoutError):
        opened(url, query_timeout=0.2).embed_query("a", seconds=PLENTY)


def test_a_hung_request_is_tried_again_within_the_deadline(served, opened):
    """A request that hangs past its own time-out leaves the rest of the deadline to another."""
    url, behaviour = served
    behaviour.hangs = True
    with pytest.raises(EmbeddingError, match=r"did not answer within 0\.2 s, 2 times"):
        opened(url, timeout=0.2, attempts=2).embed(["a"])


def test_a_server_that_refuses_connections_is_told_with_its_address(opened):
    url = refusing_url()
    with pytest.raises(EmbeddingError, match=f"{url}/v1/embeddings cannot be reached: .*, 2 times") as caught:
        opened(url, attempts=2).embed(["a"])
    assert caught.value.mend == "Mend: start that server"


def test_another_dimension_than_configured_or_seen_is_refused(served, opened):
    """A server that changes its model in the midst of indexing must not mix its vectors."""
    url, behaviour = served
    with pytest.raises(EmbeddingError, match=f"gave vectors of dimension {DIM}, expected 32"):
        opened(url, dim=32).embed(["a"])
    embedder = opened(url)
    embedder.embed(["a"])
    behaviour.dim = 16
    with pytest.raises(EmbeddingError, match=f"gave vectors of dimension 16, expected {DIM}"):
        embedder.embed(["a"])


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<html>", "no JSON"),
        (b"{}", "lacks vectors"),
        (b'{"data": [{"index": 1, "embedding": [1.0]}]}', "lacks vectors"),
        (b'{"data": [{"index": 0, "embedding": [1.0, NaN]}]}', "NaN"),
        (b'{"data": [{"index": 0, "embedding": []}]}', "dimension 0"),
        (b'{"data": [{"index": 0, "embedding": "AAAA"}]}', "no vectors"),
    ],
)
def test_an_answer_that_holds_no_vectors_is_an_error(served, opened, body, reason):
    url, behaviour = served
    behaviour.body = body
    with pytest.raises(EmbeddingError, match=reason):
        opened(url).embed(["a"])


def test_hostile_texts_can_be_sent(served, opened):
    """Lone surrogates, NUL, nothing at all, and a megabyte in one line."""
    url, behaviour = served
    made = opened(url).embed(["\udcff", "\0", "", "x" * 1_000_000])
    assert made.shape == (4, DIM)
    assert max(map(len, behaviour.requests[0][1]["input"])) < 100_000


def test_nothing_to_embed_asks_nobody(served, opened):
    url, behaviour = served
    assert opened(url, dim=DIM).embed([]).shape == (0, DIM)
    assert behaviour.requests == []


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://x", "http://", "http://[::1"])
def test_what_is_no_server_is_refused_before_anything_is_asked(opened, url):
    with pytest.raises(UsageError, match=r"URL|url"):
        opened(url)


def test_the_server_is_told_to_cut_what_is_too_long(served, opened):
    """vLLM refuses it otherwise; a server that does not know the field is not sent it."""
    url, behaviour = served
    behaviour.longest = 100
    assert opened(url).embed(["word " * 1000]).shape == (1, DIM)
    with pytest.raises(EmbeddingError, match="said 400"):
        opened(url, truncation="none").embed(["word " * 1000])
    assert "truncate_prompt_tokens" not in behaviour.requests[-1][1]
