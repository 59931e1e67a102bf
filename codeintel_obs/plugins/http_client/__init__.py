"""HTTP clients: each attempt on the wire as a step, and vLLM from its client's side. For users; the code is in `.instrumentor`.

Watched: ``httpx``, ``httpx2`` (``openai`` and ``mcp`` over them), ``urllib3`` (``requests`` over it) and ``aiohttp``,
at the lowest layer that still knows a request: httpx's transports, urllib3's pool, aiohttp's connector. A retry of
``openai``, of urllib3's ``Retry``, of aiohttp or of a loop in the application is a step of its own there, and so is
each redirect; and no request is told twice, because what stands above is not watched.

**Steps.** ``http_client.<verb>``: method, host, port, path, status code, bytes of the body. To a host of
``vllm_hosts`` and a path of vLLM's: ``vllm.embed_batch``, ``.generate``, ``.chat``, ``.rerank``, ``.score``,
``.encode``, ``.classify``, ``.sleep``, ``.wake_up`` with mode ``http``, model and count of inputs from a body that
lies in memory, and tokens, outputs, dimension and finish reasons from the answer.
``http_client.wait_for_connection``: urllib3's pool that blocks was empty. A step ends with the answer's body, read or
closed.

**Streams.** ``items`` counts server-sent events as they pass; ``done_marker`` says that vLLM's ``[DONE]`` was among
them. The body is the application's to read: nothing of it is read ahead. aiohttp receives ahead by itself, and its
step ends when all has come.

**Status.** 500 and above ``failed``, with the status as detail and no error; other answers ``completed``. An event
that says ``error`` to a declared host ``failed``. Time-outs of each library, for connection, reading, writing and its
pool, ``timed_out``. A stream that the application leaves is ``completed``, ``closed by consumer``: ``openai`` does so
right after ``[DONE]``.

**Carried.** ``traceparent``, ``baggage`` and ``X-Request-Id`` to this machine and to ``propagate_hosts``, never
through a proxy, and never by a pool of urllib3 or a connector of aiohttp that is of somebody else's making (SOCKS, SSH
and Docker's have such: ``localhost`` may be another machine there); what the application set stays.
``carriers = false`` switches it off. Spans of OpenTelemetry's instrumentations of these libraries are used.

**Never recorded**: queries of URLs, headers, credentials, bodies; prompts and vectors not at any level. The path and
the names of host and model from level ``messages`` on.

**Limits.** The body of a file, an iterator or a form is not looked into, nor an answer that is compressed (aiohttp's
excepted) or over 32 MiB. ``HTTPTransport(retries=)`` tries a *connection* again within one step. aiohttp's ``total``
time-out that ends while connecting is told as ``cancelled``: that is how it reaches the connector.
"""
