"""codeintel_rev, learned sparse retrieval: the index, with an encoder written by hand because the real one needs torch."""

import sys

import numpy as np
import pytest
from openai_server import serving
from rev_corpus import commit, remote

from codeintel_rev.config.settings import SpladeSettings
from codeintel_rev.errors import DamagedIndexError, ModelUnavailableError, UsageError
from codeintel_rev.indexing.build import BuildRequest, build_index
from codeintel_rev.io.splade_manager import FILE, SparseEncoder, SpladeManager, build
from codeintel_rev.retrieval.search import SearchRequest, search

WORDS = ["card", "charge", "rain", "city", "cart"]
TEXTS = ["charge the card card", "rain in the city", "", "a cart and a card"]


class Counting:
    """A term is a word of the list, its weight how often it stands there."""

    def __init__(self, identity="counting"):
        self.identity = identity
        self.encoded = []

    def documents(self, texts):
        self.encoded += texts
        return [self.query(text) for text in texts]

    def query(self, text):
        counts = [text.split().count(word) for word in WORDS]
        terms = [place for place, count in enumerate(counts) if count]
        return np.array(terms, np.int32), np.array([counts[place] for place in terms], np.float32)


@pytest.fixture
def draft(tmp_path):
    folder = tmp_path / "20260101"
    folder.mkdir()
    return folder


def found(folder, query, count=4, k=10):
    return [(item.doc, item.score) for item in SpladeManager(folder, count).search(Counting().query(query), k)]


def test_documents_are_ranked_by_the_product_of_weights(draft):
    assert build(draft, TEXTS, Counting()) == 4
    assert found(draft, "charge card") == [(0, 3.0), (3, 1.0)]
    assert found(draft, "charge card", k=1) == [(0, 3.0)]
    assert found(draft, "nothing known") == []


def test_what_an_earlier_generation_encoded_is_taken_from_there(draft, tmp_path):
    """Only the new text is encoded; the index is the same as if all had been."""
    build(draft, TEXTS, Counting())
    later, encoder = tmp_path / ".building-20260102", Counting()
    later.mkdir()
    assert build(later, ["city city", *TEXTS[:2]], encoder) == 1
    assert encoder.encoded == ["city city"]
    assert found(later, "city", 3) == [(0, 2.0), (2, 1.0)]


def test_another_models_weights_are_not_taken(draft, tmp_path):
    build(draft, TEXTS, Counting())
    later = tmp_path / ".building-20260102"
    later.mkdir()
    assert build(later, TEXTS, Counting("another")) == 4


def test_texts_without_any_term_make_an_index_that_finds_nothing(draft):
    build(draft, ["", ""], Counting())
    assert found(draft, "card", 2) == []


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"{}"])
def test_an_index_that_cannot_be_read_is_damage(draft, content):
    (draft / FILE).write_bytes(content)
    with pytest.raises(DamagedIndexError, match="cannot be read or is of another index"):
        SpladeManager(draft, 4)


def test_another_number_of_documents_is_damage(draft):
    build(draft, TEXTS, Counting())
    with pytest.raises(DamagedIndexError, match="is of another index"):
        SpladeManager(draft, 5)


def test_without_the_package_the_mend_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ModelUnavailableError, match="sentence_transformers") as caught:
        SparseEncoder(SpladeSettings(model="some/model"))
    assert "pip install 'sentence-transformers>=5'" in caught.value.mend


def test_a_configured_model_that_cannot_be_used_degrades_index_and_answers(tmp_path, monkeypatch):
    """The other channels work, and both the manifest and the answer name what is missing."""
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    commit(tmp_path, {"pay.py": "def charge_card(number):\n    return gateway.charge(number)\n"})
    with serving() as (url, _):
        from dataclasses import replace

        own = replace(remote(tmp_path, url), splade=SpladeSettings(model="some/model"))
        built = build_index(BuildRequest(tmp_path, own))
        answer = search(SearchRequest("charge a card", own, tmp_path))
    assert [item.channel for item in built.manifest.degraded] == ["splade"]
    assert [hit.name for hit in answer.hits] == ["charge_card"]
    assert [(item.channel, item.reason) for item in answer.degraded] == [
        ("splade", "this index was made without SPLADE")
    ]


def test_a_model_without_a_name_is_refused():
    with pytest.raises((UsageError, ModelUnavailableError)):
        SparseEncoder(SpladeSettings())
