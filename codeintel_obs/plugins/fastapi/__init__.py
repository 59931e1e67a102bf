"""HTTP requests to any ASGI application: FastAPI, Starlette, or a bare callable. For users; the code is in `.instrumentor`.

Watched: Starlette 0.40 to 1.x and with it FastAPI, wherever the application runs (a test client, in process, any
server); and whatever application, of any make, that uvicorn 0.30+, gunicorn 24+ (its own ``asgi`` worker, or uvicorn's)
and hypercorn 0.17+ serve. An application inside another, or behind middleware, is part of one request.

**Steps.** ``http.request`` from the application's call to its end, a stream's or a background task's included
(``response_ns`` says when the response was complete); ``http.websocket`` likewise; ``http.background`` for each of
Starlette's background tasks; ``http.lifespan`` for the application's start-up and shutdown.

**Runs.** Each request begins a run of its own. ``X-Run-ID`` and ``X-Session-ID`` name it; baggage that carries an
attempt's token joins that one, from this machine and from ``propagate_hosts`` only, and never through a proxy.
``traceparent`` makes it a part of the caller's trace. The response carries ``X-Run-Id`` and ``X-Trace-Id``, unless the
application set them; ``carriers = false`` leaves them out. The sender's baggage is in OpenTelemetry's context.

**Status.** What the application raised is its error, also when a handler of Starlette's or FastAPI's turned it into a
response of 500 or more; such a response without an exception ``failed`` with detail ``status 503``. 4xx is
``completed``. A client that went away before the response was complete is told as ``disconnected``; what became of the
call is its status.

**Health and metrics.** ``excluded_paths`` names what is not recorded; by default the usual health and metrics paths.

**Ends.** When an application's lifespan or uvicorn's server has shut down, every sink hands on what it holds: after
that a server kills itself by the very signal that stopped it, and runs no ``atexit``.

**Never recorded**: bodies, headers, cookies, the client's address. The query string is kept at content level ``all``
only; so is what pydantic's and FastAPI's validation errors repeat of the input that they refuse.

**Limits.** A bare application under another server (daphne, granian) is not seen; Starlette and FastAPI are. The route
is known where the router writes it into the scope, as Starlette and FastAPI do. What was served before recording
started keeps its unwatched application.
"""
