"""Uses sentence_transformers' sparse encoder with a tiny model of random weights."""

from __future__ import annotations

from workouts.embeddings_ import tiny

from codeintel_obs import FieldClass
from codeintel_obs.testing import workout


@workout("splade", canaries={"spoon canary-in-a-text": FieldClass.TEXT, "tiny-canary-model": FieldClass.NAME})
def encodes(folder):
    from sentence_transformers import SparseEncoder

    model = SparseEncoder(tiny(folder, "ForMaskedLM"), device="cpu")
    return [
        model.encode(["the cat", "spoon canary-in-a-text"]).to_dense().numpy(),
        model.encode_query("fish").to_dense().numpy(),
        model.encode_document(["sea"], convert_to_sparse_tensor=False).numpy(),
    ]
