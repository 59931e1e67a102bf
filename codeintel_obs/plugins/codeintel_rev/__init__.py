"""codeintel_rev: the stages of the code search, as steps. For users; the code is in `.instrumentor`.

Watched: the package ``codeintel_rev``, which comes with this one and has no telemetry in it. What its libraries do (FAISS,
bm25s, onnxruntime, DuckDB, git) is told by their own plugins, inside the stage that asked for it.

A search (``retrieval.search``) is the steps ``retrieval.budget`` (what its query is like, and which channel may spend
what), ``retrieval.gather_channels``, ``retrieval.fuse``, ``retrieval.recency_boost``, ``retrieval.hydrate`` and
``retrieval.rerank``. Under ``retrieval.gather_channels`` each channel that is asked is a ``retrieval.channel`` in a thread
of its own. It is ``failed`` or ``timed_out`` with the very exception that the application turned into an outcome of the
answer. A channel for which the search no longer waits leaves a ``timed_out`` instant in the application's words; its step
ends when its thread does. What the application decides not to ask is an instant ``skipped`` with its reason and
the kind that did not run: ``faiss.search`` (``qdrant.search`` where vectors lie there), ``bm25.search``,
``splade.search``, and ``duckdb.query`` for the channel ``exact``. A stage that was not wanted or could not run is
``skipped``, ``failed`` or ``timed_out`` itself.

Around it: ``service.*``, one for each thing that HTTP and MCP ask of the service; ``index.freshness``, ``index.build``,
``index.read``, ``index.embed``, ``index.write`` and ``index.rollback``; ``command.*``, one for each command that ends (of
``serve`` and ``mcp`` each request is a run). A domain error that is turned into a problem document, a tool's error or a
line on stderr is the instant ``error``, with the id of the exception: where it was raised, the step says.

Every tool, route and command has a plan of the kinds that it passes; what a report then misses is ``not_reached``.

Kept at content level ``all`` only: queries, patterns and names of symbols. From ``messages`` on: paths, and the
application's reasons. Never recorded: hits, snippets, vectors, lines of files. `.exclusions` says what is not watched.
"""
