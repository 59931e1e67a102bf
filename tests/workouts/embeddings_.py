"""Uses sentence_transformers' dense encoders with a tiny model of random weights, made here."""

from __future__ import annotations

from codeintel_obs import FieldClass
from codeintel_obs.testing import workout

WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] the cat sea fish spoon canary query".split()


def tiny(folder, kind="Model"):
    """Return the path of a model of one layer and 16 dimensions, saved as its authors would."""
    import torch
    import transformers

    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(WORDS))
    torch.manual_seed(7)
    config = transformers.BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=64, num_labels=1,
    )  # fmt: skip
    path = folder / "tiny-canary-model"
    getattr(transformers, f"Bert{kind}")(config).save_pretrained(path)
    transformers.BertTokenizerFast(vocab=str(vocabulary)).save_pretrained(path)
    return str(path)


@workout("embeddings", canaries={"spoon canary-in-a-text": FieldClass.TEXT, "tiny-canary-model": FieldClass.NAME})
def encodes(folder):
    from sentence_transformers import SentenceTransformer, util

    model = SentenceTransformer(tiny(folder), device="cpu")
    vectors = model.encode(["the cat", "the sea", "spoon canary-in-a-text"], batch_size=2)
    return [
        vectors,
        model.encode_query("fish"),
        model.encode_document(["fish", "sea"], convert_to_tensor=True).numpy(),
        [each.numpy() for each in model.encode(["fish"], convert_to_numpy=False)],
        util.semantic_search(vectors[:1], vectors, top_k=2),
    ]
