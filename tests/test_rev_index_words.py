"""codeintel_rev, indexing again: words of the very same chunks are taken over, and never from what is damaged."""

import json

import pytest
from openai_server import serving
from rev_repository import commit, functions

from codeintel_rev.config.settings import EmbeddingSettings, Settings
from codeintel_rev.indexing.build import BuildRequest, build_index
from codeintel_rev.indexing.chunks import chunk_file
from codeintel_rev.indexing.words import FILE, document_terms
from codeintel_rev.io import bm25_manager
from codeintel_rev.io.generations import IndexFolder
from codeintel_rev.retrieval.search import SearchRequest, search

FILES = {"pay.py": "def charge_card(x):\n    return x\n", "rain.py": "def rain_tomorrow(city):\n    return city\n"}


@pytest.fixture
def settings(tmp_path):
    return Settings(tmp_path / "cache", embedding=EmbeddingSettings("none"))


@pytest.fixture
def built(monkeypatch):
    """How often the words were made, by the real function."""
    calls, build = [], bm25_manager.build
    monkeypatch.setattr(bm25_manager, "build", lambda *given: calls.append(1) or build(*given))
    return calls


def current(root):
    return IndexFolder(root / ".codeintel-rev").current()


def found(root, settings, query):
    return [hit.name for hit in search(SearchRequest(query, settings, root)).hits]


def test_the_same_chunks_are_not_made_into_words_again(tmp_path, settings, built):
    """Also of another commit that leaves them alone; the new generation is whole by itself."""
    root = tmp_path / "repo"
    commit(root, FILES)
    first = build_index(BuildRequest(root, settings, paths=("*.py",))).manifest
    commit(root, {"notes.txt": "not selected\n"})
    second = build_index(BuildRequest(root, settings, paths=("*.py",))).manifest
    assert first.commit != second.commit
    assert len(built) == 1
    assert found(root, settings, "charge_card") == ["charge_card"]


def test_an_edit_makes_the_words_anew(tmp_path, settings, built):
    """Ranks depend on the whole corpus, so nothing of them is kept."""
    root = tmp_path / "repo"
    commit(root, FILES)
    build_index(BuildRequest(root, settings))
    commit(root, {"pay.py": "def refund_card(x):\n    return x\n"})
    build_index(BuildRequest(root, settings))
    assert len(built) == 2
    assert found(root, settings, "refund_card") == ["refund_card"]


def test_a_file_that_moved_is_another_document(tmp_path, settings, built):
    """The text is the same, and its path is among the words."""
    root = tmp_path / "repo"
    commit(root, FILES)
    build_index(BuildRequest(root, settings))
    commit(root, {"pay.py": None, "shop/checkout.py": FILES["pay.py"]})
    build_index(BuildRequest(root, settings))
    assert len(built) == 2
    assert found(root, settings, "checkout")[:1] == ["charge_card"]


@pytest.mark.parametrize("damage", ["bm25/vocab.index.json", "bm25/data.csc.index.npy", "catalog.duckdb", FILE])
def test_what_is_damaged_is_made_anew(tmp_path, settings, built, damage):
    """The mend of a damaged index is to index again: a copy of the damage would be none."""
    root = tmp_path / "repo"
    commit(root, FILES)
    build_index(BuildRequest(root, settings))
    (current(root) / damage).write_bytes(b"\0")
    build_index(BuildRequest(root, settings))
    assert len(built) == 2
    assert found(root, settings, "charge_card") == ["charge_card"]


def test_every_piece_of_a_long_definition_is_known_by_its_whole_name():
    """Also those that begin in its midst: the composed identifier, and not only its parts."""
    lines = "\n".join(f"    x{number} = {number}" for number in range(200))
    pieces, _ = chunk_file("pay.py", "", f"def charge_card(n):\n{lines}\n")
    assert len(pieces) == 4
    assert all("charge_card" in document_terms(piece) for piece in pieces)


def test_words_are_made_once_while_vectors_are_still_made(tmp_path, built):
    """The index that is published for its words and the one with vectors after it hold the same words."""
    root = tmp_path / "repo"
    commit(root, {"many.py": functions(60)})
    with serving() as (url, _):
        own = Settings(tmp_path / "cache", embedding=EmbeddingSettings("vllm", url=url, model="hashed-words"))
        made = build_index(BuildRequest(root, own)).manifest
    assert (made.vectors, made.chunks, len(built)) == (60, 60, 1)
    generations = [path.parent.name for path in (root / ".codeintel-rev").rglob(FILE)]
    assert len(generations) == 2
    told = [json.loads(path.read_text()) for path in (root / ".codeintel-rev").rglob(FILE)]
    assert told[0] == told[1]
