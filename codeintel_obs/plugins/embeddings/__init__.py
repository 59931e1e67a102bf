"""Embeddings: sentence_transformers and onnxruntime. For users; the code is in `.instrumentor` and `.onnx`.

Two instrumentors, because they wait for two libraries: ``embeddings`` watches ``sentence-transformers`` from 5 and below
7, ``onnxruntime`` watches ``onnxruntime`` (or ``-gpu``, ``-openvino``, ``-directml``) from 1.20 and below 2, whoever
calls it: an embedder without torch, a tokenizer's companion, or sentence_transformers itself.

``embeddings.load`` is the making of a ``SentenceTransformer`` or ``MultiVectorEncoder``, ``embeddings.encode`` its
``encode``, ``encode_query``, ``encode_document`` and ``encode_multi_process``, ``embeddings.search`` the function
``util.semantic_search``. The payload has ``count`` (inputs), ``batch_size`` where it was given by name, the ``model`` as
it was asked for at its load (absent for a model that was made before us or out of modules), ``model_class``, ``method``,
and of the answer ``rows`` and ``dim``. Tokens are not counted: sentence_transformers does not return their number.

``onnxruntime.load`` is the making of an ``InferenceSession``, ``onnxruntime.run`` its ``run``, ``run_with_ort_values``,
``run_with_iobinding`` and ``run_with_ortvaluevector``, ``onnxruntime.run_async`` the hand-over of an asynchronous run,
whose end is not seen. The payload has the ``model``'s file, the ``providers`` in use (after a run too, where a failing
one was replaced in it), ``inputs`` with their ``names`` and ``shapes`` (``8x128 8x128``), ``outputs`` with theirs.

Kept at content level ``all`` only: the texts to be encoded. Never recorded: embeddings, tensors, weights, tokens. Neither
library has time-outs of its own. What needs a GPU has never been run under these plugins. ``.exclusions`` and ``.onnx`` say
what is not watched, with reasons. Work in the processes of a pool shows as the one call that handed it over.
"""
