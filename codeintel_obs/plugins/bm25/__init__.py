"""BM25 (bm25s): every search, index, load, save and tokenization, as a step. For users; the code is in `.instrumentor`.

Watched: the distribution ``bm25s``, from 0.2.10 and below 1: the methods of ``BM25`` and of its subclasses, of
``Tokenizer``, the function ``tokenize``, and the moves to and from a model hub (``BM25HF``, ``TokenizerHF``).

A step is named after what is done: ``bm25.search`` (``BM25.retrieve``), ``bm25.scores`` (``get_scores``,
``get_scores_from_ids``), ``bm25.index`` (``index``, ``build_index_from_tokens``, ``build_index_from_ids``),
``bm25.tokenize``, ``bm25.save``, ``bm25.load``, ``bm25.compile``, and for what else has files or a network behind it
the method's own name. One call of the application is one step: what bm25s calls of itself inside, in its own threads
too, belongs to it. ``BM25Search`` of ``bm25s.high_level`` shows as the tokenization and the search that it makes. A
tokenizer that streams ends its step with the stream, and its ``items`` are counted.

The payload has what the call was given (``queries``, ``query_len``: tokens over all queries, ``k``, ``docs`` to be
indexed, ``path``) and what came of it: ``docs`` and ``terms`` of the index, ``postings`` of a new one, ``results``
(entries returned; bm25s fills up to ``k`` with documents that share no term with the query) and ``hits`` (entries with
a score above zero; absent where only documents were asked for). What is not a list, a tuple or bm25s's own
``Tokenized`` is not counted: counting might use it up.

Kept at content level ``all`` only: the query's tokens (``query``) and the texts to be tokenized (``text``). Never
recorded: documents, scores, the corpus. bm25s has no time-outs: a call is completed or failed. What is not watched
stands in `.exclusions`, with reasons. The numba backend is watched through the same methods.
"""
