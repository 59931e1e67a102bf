"""Uses sentence_transformers' cross encoder with a tiny model of random weights."""

from __future__ import annotations

from workouts.embeddings_ import tiny

from codeintel_obs import FieldClass
from codeintel_obs.testing import workout

CANARIES = {"canary-in-a-query": FieldClass.TEXT, "canary-in-a-document": FieldClass.TEXT}


@workout("rerank", canaries={**CANARIES, "tiny-canary-model": FieldClass.NAME})
def scores(folder):
    from sentence_transformers import CrossEncoder

    model = CrossEncoder(tiny(folder, "ForSequenceClassification"), device="cpu")
    return [
        model.predict([["cat", "the sea"], ["fish", "canary-in-a-document"]]),
        model.predict(["cat", "the sea"]),
        model.rank("canary-in-a-query", ["the sea", "the cat", "spoon"], top_k=2),
    ]
