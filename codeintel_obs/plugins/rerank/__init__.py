"""Reranking by ``sentence_transformers.CrossEncoder``. For users; the code is in `.instrumentor`.

Watched: the distribution ``sentence-transformers`` from 5 and below 7. ``rerank.load`` is the making of a
``CrossEncoder``, ``rerank.score`` its ``predict`` and ``rank``. Reranking with vLLM is the plugin vllm's.

The payload has ``docs`` (pairs or documents to be scored), ``k`` where ``top_k`` was given by name, the ``model`` as it
was asked for at its load, ``model_class``, ``method``, and ``results``: scores or ranked documents that came back.

Kept at content level ``all`` only: the ``query`` of a ranking, and the pairs or documents (``text``). Never recorded:
scores, ids, documents that came back. What needs a GPU has never been run under this plugin. ``.exclusions`` says what is
not watched, with reasons.
"""
