"""Uses bm25s as a search service would."""

from __future__ import annotations

from codeintel_obs import FieldClass
from codeintel_obs.testing import workout

DOCUMENTS = [
    "the cat likes to purr",
    "the dog plays with the canary-in-a-document",
    "a bird flies over the sea",
    "fish swim in the sea",
]


def error(call):
    try:
        call()
    except (ValueError, OSError, TypeError) as exc:
        return type(exc), str(exc)[:40]


def built():
    import bm25s

    index = bm25s.BM25(method="lucene")
    index.index(bm25s.tokenize(DOCUMENTS, stopwords=None, show_progress=False), show_progress=False)
    return index


@workout("bm25", canaries={"canary-in-a-query": FieldClass.TEXT})
def searches(_folder):
    import bm25s

    index = built()
    asked = ["sea bird", "cat canary-in-a-query"]
    tokens = bm25s.tokenize(asked, stopwords=None, show_progress=False)
    words = [each.split() for each in asked]
    return [
        index.retrieve(tokens, k=2, show_progress=False),
        index.retrieve(words, k=3, show_progress=False, n_threads=2),
        index.retrieve(words, k=1, show_progress=False, return_as="documents"),
        index.get_scores(["sea", "fish"]),
        index.get_scores_from_ids([0, 1]),
        error(lambda: index.retrieve(words, k=9, show_progress=False)),
        error(lambda: index.get_scores("sea")),
    ]


@workout("bm25", canaries={"canary-in-a-path": FieldClass.PATH})
def files(folder):
    import bm25s
    from bm25s.tokenization import Tokenizer

    path = str(folder / "canary-in-a-path")
    built().save(path)
    back = bm25s.BM25.load(path)
    tokenizer = Tokenizer(stopwords=None)
    ids = tokenizer.tokenize(DOCUMENTS, show_progress=False)
    tokenizer.save_vocab(path)
    tokenizer.load_vocab(path)
    return [
        back.retrieve([["sea"]], k=1, show_progress=False).documents,
        ids,
        list(tokenizer.tokenize(DOCUMENTS, return_as="stream")),
        list(tokenizer.streaming_tokenize(DOCUMENTS)),
        next(tokenizer.streaming_tokenize(DOCUMENTS)),
        error(lambda: bm25s.BM25.load(path + "-not-there")),
    ]
