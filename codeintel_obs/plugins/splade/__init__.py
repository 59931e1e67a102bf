"""SPLADE: sparse embeddings by ``sentence_transformers.SparseEncoder``. For users; the code is in `.instrumentor`.

Watched: the distribution ``sentence-transformers`` from 5 and below 7. ``splade.load`` is the making of a
``SparseEncoder``, ``splade.encode`` its ``encode``, ``encode_query`` and ``encode_document``, ``splade.search`` the
functions of ``sentence_transformers.sparse_encoder.search_engines`` (``semantic_search_qdrant`` and its likes), which
search in an engine of their own.

The payload has ``count`` (inputs), ``model`` as it was asked for at its load, ``model_class``, ``method``, and of the
answer ``rows``, ``dim`` (the vocabulary) and ``active``: how many dimensions are not zero, over all rows, where the
answer is a sparse tensor and knows. A search has ``queries``, ``docs``, ``k``, ``results`` and its ``engine``.

Kept at content level ``all`` only: the texts. Never recorded: embeddings, token weights, documents. What needs a GPU has
never been run under this plugin. ``.exclusions`` says what is not watched, with reasons.
"""
