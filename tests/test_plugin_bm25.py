"""What a bm25s call is recorded as: its kind, its payload, its failure, its span's attributes."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading

import bm25s
import numpy as np
import pytest
from bm25s.tokenization import Tokenizer

from codeintel_obs import Status
from codeintel_obs.plugins.bm25 import describe
from codeintel_obs.plugins.bm25.instrumentor import BM25Instrumentor
from codeintel_obs.testing import recording

WORDS = [["cat", "purr"], ["dog", "play"], ["bird", "sea"], ["fish", "sea"]]
FACTS = {"method": "lucene", "backend": "numpy", "docs": 4, "terms": 8}  # seven words and bm25s's empty one
QUIET = {"show_progress": False}


@pytest.fixture
def index():
    made = bm25s.BM25()
    made.index(WORDS, **QUIET)
    return made


def watched(**settings):
    return recording(BM25Instrumentor, **settings)


# -- searches --------------------------------------------------------------------------------------------------------


def test_search_says_what_was_asked_and_what_came(index):
    """Queries, their tokens and k at the begin; the index, the entries and those above zero at the end."""
    with watched() as told:
        index.retrieve([["sea", "cat"], ["dog"]], k=3, **QUIET)
    step = told.only("bm25.search")
    assert step.status is Status.COMPLETED
    assert step.payload == {"queries": 2, "query_len": 3, "k": 3}
    assert step.end_payload == {**FACTS, "results": 6, "hits": 4}


def test_tokenized_queries_are_counted_alike(index):
    """bm25s's own ``Tokenized``, and the pair that it accepts for one, count as the lists of tokens do."""
    tokens = bm25s.tokenize(["sea cat", "dog"], **QUIET)
    with watched() as told:
        index.retrieve(tokens, k=1, **QUIET)
        index.retrieve((tokens.ids, tokens.vocab), k=1, **QUIET)
    assert [step.payload["query_len"] for step in told.of("bm25.search")] == [3, 3]
    assert [told.payload(step)["hits"] for step in told.of("bm25.search")] == [2, 2]


def test_documents_alone_have_no_hits(index):
    """Where only documents were asked for there are no scores, and what is not known is absent."""
    with watched() as told:
        index.retrieve([["sea"]], k=2, return_as="documents", **QUIET)
    assert told.only("bm25.search").end_payload == {**FACTS, "results": 2}


def test_k_that_was_not_given_is_absent(index):
    """A default of the library is not a value that was seen."""
    index.scores["num_docs"] = 4
    with watched() as told, pytest.raises(ValueError, match="k of 10"):
        index.retrieve([["sea"]], **QUIET)
    assert "k" not in told.only("bm25.search").payload


@pytest.mark.parametrize("threads", [0, 2])
def test_a_search_is_one_step_in_threads_too(index, threads):
    """The scores that a search computes for each query, in its own threads or not, are part of it."""
    with watched() as told:
        index.retrieve([["sea"], ["cat"]], k=1, n_threads=threads, **QUIET)
    assert told.kinds == ["bm25.search"]


def test_scores_say_how_many_documents_match(index):
    """``get_scores`` by words and by ids: tokens of the one query, and documents with a score."""
    with watched() as told:
        index.get_scores(["sea", "cat"])
        index.get_scores_from_ids([index.vocab_dict["sea"]])
    assert [told.payload(step) for step in told.of("bm25.scores")] == [
        {"query_len": 2, **FACTS, "hits": 3},
        {"query_len": 1, **FACTS, "hits": 2},
    ]


def test_hits_count_large_answers_in_pieces():
    """An answer larger than one piece is counted without a comparison of its whole size."""
    scores = np.zeros((3, 1 << 20), dtype="float32")
    scores[:, ::7] = 0.5
    assert describe.hits(scores) == int((scores > 0).sum())


# -- indexes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tokenized", [False, True], ids=["words", "Tokenized"])
def test_index_is_one_step(tokenized):
    """Building says how many documents, terms and postings came of it; its inner builds are part of it."""
    corpus = bm25s.tokenize([" ".join(each) for each in WORDS], **QUIET) if tokenized else WORDS
    with watched() as told:
        bm25s.BM25(method="bm25+").index(corpus, **QUIET)
    step = told.only("bm25.index")
    assert told.kinds == ["bm25.index"]
    assert told.payload(step) == {**FACTS, "method": "bm25+", "postings": 8}


def test_low_level_builds_say_what_they_return():
    """They return scores and leave the index as it is: their steps tell of what was returned."""
    made = bm25s.BM25()
    with watched() as told:
        made.build_index_from_tokens(WORDS, **QUIET)
        made.build_index_from_ids([0, 1], [[0], [0, 1]], **QUIET)
    assert told.payload(told.steps[0]) == {"docs": 4, "method": "lucene", "postings": 8, "terms": 7}
    assert told.payload(told.steps[1]) == {"docs": 2, "method": "lucene", "postings": 3}


def test_an_iterator_is_left_alone():
    """To count an iterator would use it up: it is not counted."""
    words = iter(WORDS)
    assert (describe.size(words), describe.tokens([words])) == (None, None)
    assert next(words) == WORDS[0]


def test_a_subclass_is_watched_once(index):
    """A method of an application's own class that calls bm25s's is one step."""

    class Mine(bm25s.BM25):
        def build_index_from_ids(self, *args, **kwargs):
            return super().build_index_from_ids(*args, **kwargs)

    with watched() as told:
        Mine().index(WORDS, **QUIET)
    assert told.kinds == ["bm25.index"]


def test_save_and_load_say_where_and_what(index, tmp_path):
    """A folder has its path; a loaded index says what it holds; the loads of its parts are part of it."""
    folder = tmp_path / "index"
    with watched() as told:
        index.save(folder)
        back = bm25s.BM25.load(str(folder))
        back.load_scores(folder, num_docs=4)
    assert told.kinds == ["bm25.save", "bm25.load", "bm25.load_scores"]
    assert [told.payload(step) for step in told.steps] == [{"path": str(folder), **FACTS}] * 3


# -- tokenization ----------------------------------------------------------------------------------------------------


def test_tokenize_says_texts_and_tokens():
    """Texts in, tokens out, and how many different ones; a single text counts as one."""
    with watched() as told:
        bm25s.tokenize(["a cat and a dog", "sea"], **QUIET)
        bm25s.tokenize("one cat", return_ids=False, **QUIET)
        Tokenizer(stopwords=None).tokenize(["one cat"], **QUIET)
    assert [told.payload(step) for step in told.of("bm25.tokenize")] == [
        {"texts": 2, "tokens": 3, "terms": 3},
        {"texts": 1, "tokens": 2},
        {"texts": 1, "tokens": 2},
    ]


def test_a_streamed_tokenization_ends_with_its_stream():
    """The step of a stream ends when it is used up, or closed by its consumer; its items are counted."""
    tokenizer = Tokenizer(stopwords=None)
    with watched() as told:
        assert len(list(tokenizer.tokenize(["cat", "dog"], return_as="stream"))) == 2
        stream = tokenizer.streaming_tokenize(["cat", "dog"])
        next(stream)
        stream.close()
    first, second = told.of("bm25.tokenize")
    assert (first.end_payload, first.detail) == ({"items": 2}, None)
    assert (second.end_payload, second.detail) == ({"items": 1}, "closed by consumer")


def test_vocabularies_are_files(tmp_path):
    """A tokenizer's vocabulary and stop words are read and written with a path."""
    tokenizer, folder = Tokenizer(stopwords=["the"]), str(tmp_path)
    tokenizer.tokenize(["the cat"], **QUIET)
    with watched() as told:
        tokenizer.save_vocab(folder)
        tokenizer.load_vocab(folder)
        tokenizer.save_stopwords(folder)
        tokenizer.load_stopwords(folder)
    assert told.kinds == ["bm25.save_vocab", "bm25.load_vocab", "bm25.save_stopwords", "bm25.load_stopwords"]
    assert [told.payload(step) for step in told.steps] == [{"path": folder}] * 4


# -- failures, content, spans ------------------------------------------------------------------------------------------


def test_a_refused_search_is_failed_with_its_index(index):
    """A k that is too large fails by the very exception, beside the number of documents that there are."""
    with watched() as told, pytest.raises(ValueError, match="larger than") as caught:
        index.retrieve([["sea"]], k=9, **QUIET)
    step = told.only("bm25.search")
    assert (step.status, step.error.message) == (Status.FAILED, str(caught.value))
    assert told.payload(step) == {"queries": 1, "query_len": 1, "k": 9, **FACTS}


def test_a_search_before_the_index_is_failed(tmp_path):
    """An index that was never built has no documents to tell of; a folder that is not there fails in the load."""
    with watched() as told:
        with pytest.raises(AttributeError):
            bm25s.BM25().retrieve([["sea"]], k=1, **QUIET)
        with pytest.raises(FileNotFoundError):
            bm25s.BM25.load(tmp_path / "none")
    assert told.payload(told.only("bm25.search"))["method"] == "lucene"
    assert [step.status for step in told.steps] == [Status.FAILED] * 2


def test_query_texts_are_kept_at_all_only(index):
    """The tokens of a query are texts: at ``all`` they are there, as lists or as the vocabulary of the query."""
    tokens = bm25s.tokenize(["sea cat"], **QUIET)
    seen = {}
    for level in ("messages", "all"):
        with watched(content=level) as told:
            index.retrieve([["sea"]], k=1, **QUIET)
            index.retrieve(tokens, k=1, **QUIET)
            bm25s.tokenize("sea cat", **QUIET)
        seen[level] = [step.payload.get("query", step.payload.get("text")) for step in told.steps]
    assert seen == {"messages": [None] * 3, "all": [[["sea"]], {"sea": 0, "cat": 1}, "sea cat"]}


def test_semantic_attributes_name_a_retrieval():
    """A search's span is a retrieval in the words of the conventions."""
    assert BM25Instrumentor.semantics["bm25.search"]({"k": 7}) == {
        "gen_ai.operation.name": "retrieval",
        "gen_ai.provider.name": "bm25s",
        "gen_ai.retrieval.top_k": 7,
    }


APPLICATION = """
import bm25s
index = bm25s.BM25()
index.index(bm25s.tokenize(["a cat", "the sea"], show_progress=False), show_progress=False)
print(index.retrieve(bm25s.tokenize("sea", show_progress=False), k=1, show_progress=False).documents.tolist())
"""


def spoken(command, *words, cwd):
    return subprocess.run([*command, *words], cwd=cwd, capture_output=True, text=True, check=False)


def test_an_untouched_program_is_recorded(tmp_path):
    """The launcher records a program that knows nothing of us: what it prints stays, and its steps are in the report."""
    (tmp_path / "app.py").write_text(APPLICATION)
    command = [sys.executable, "-m", "codeintel_obs.cli"]
    ran = spoken(command, "run", "--", sys.executable, "app.py", cwd=tmp_path)
    assert (ran.returncode, ran.stdout) == (0, "[[1]]\n")
    told = spoken(command, "report", "--last", "--format", "json", cwd=tmp_path)
    assert json.loads(told.stdout)["ran"] == {
        kind: {"completed": count}
        for kind, count in {"python.import": 1, "bm25.tokenize": 2, "bm25.index": 1, "bm25.search": 1}.items()
    }


# -- the hub -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def hub(monkeypatch):
    """A hub on loopback that has nothing: a real one cannot be asked here."""

    class Empty(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Empty) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


HUB = """
from bm25s.hf import BM25HF
BM25HF.load_from_hub("someone/canary-index", token="hf_canarytoken0123456789")
"""


def test_a_load_from_the_hub_says_which_repository(hub, tmp_path):
    """The repository is a name; the token is not looked at; what the hub refuses is failed."""
    (tmp_path / "app.py").write_text(HUB)
    command = [sys.executable, "-m", "codeintel_obs.cli"]
    env = {**os.environ, "HF_ENDPOINT": hub, "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path)}
    ran = subprocess.run(
        [*command, "run", "--", sys.executable, "app.py"], cwd=tmp_path, env=env, capture_output=True, check=False
    )
    assert ran.returncode == 1
    told = spoken(command, "report", "--last", "--format", "json", cwd=tmp_path)
    (step,) = [each for each in json.loads(told.stdout)["steps"] if each["kind"] == "bm25.load_from_hub"]
    assert (step["status"], step["payload"]) == ("failed", {"repository": "someone/canary-index"})
    assert "canarytoken" not in told.stdout
