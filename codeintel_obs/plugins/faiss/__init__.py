"""FAISS: every search, add, train, read, write and move to a GPU, as a step. For users; the code is in `.instrumentor`.

Watched: the distributions ``faiss-cpu`` and ``faiss-gpu``, from 1.10 and below 2, through the names in the module
``faiss``: the methods of every index class (``Index``, ``IndexBinary`` and all their subclasses), of ``Kmeans``, of
``Clustering``, ``VectorTransform`` and ``Quantizer`` classes, ``ParameterSpace.explore``, and functions (``knn``,
``read_index``, ``index_factory``, ``index_cpu_to_all_gpus``, …). The raw C++ methods (``search_c``, ``search_ex``) are
watched too. After an import of ``faiss.contrib.torch_utils`` what it puts in their place is watched, with tensors as
with arrays. The other modules of ``faiss.contrib`` are Python code over these names: what they do shows as those steps.

A step is named after the method or function: ``faiss.search``, ``faiss.add_with_ids``, ``faiss.train``,
``faiss.read_index``; what moves to a GPU is ``faiss.to_gpu``, what comes back ``faiss.to_cpu``. One call of the
application is one step: what FAISS's own Python calls inside it (``Kmeans.assign`` adds and searches, pickling an
index serializes it) belongs to it. So does what a callback of the application calls of FAISS from inside a FAISS call.

The payload has the sizes of the call when the step begins (``nq`` queries, ``k``, ``n`` vectors, ``radius``, ``path``,
or the type of a ``stream``) and what is known after it: ``index_type``, ``d``, ``ntotal``, ``gpu`` (whether the
index's own class is a GPU class), ``nprobe`` or ``efSearch`` when the index has one (those of ``params`` win, as they
do in FAISS), ``missing`` (ids of -1 in the answer), ``results``, ``removed``. A call that failed adds ``is_trained``
and the ``shape`` of what it was given. An index around another (``IndexPreTransform``, ``IndexIDMap``) speaks for
itself only: it has no ``nprobe``, and that of what it holds is not looked up.

Never recorded: vectors, distances, ids found, labels, centroids, codes. FAISS has no time-outs of its own: a call
is completed or failed. What is not watched stands in `.exclusions`, with reasons. Constructors are not steps.

The GPU classes and functions are in the table from the wheel of ``faiss-gpu`` 1.15.1. On a machine without a GPU it
imports, searches on the CPU, and ``index_cpu_to_all_gpus`` returns an empty index: its step says ``gpus`` 0 and both
``ntotal``. Nothing that needs a GPU has ever been run under this plugin; that has to wait until one is there.
"""
