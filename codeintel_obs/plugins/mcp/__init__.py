"""MCP servers: each tool call as a step. For users; the code is in `.instrumentor`.

Watched: the distribution ``mcp`` 2.x, and with it ``fastmcp`` 4.x, which is built upon it, at the dispatch that every
transport goes through (stdio, streamable HTTP, SSE, in memory): servers of the low-level ``Server``, of ``MCPServer``
and of ``FastMCP`` alike.

**Steps.** ``tool.call`` from the handler's begin to its wire result, and in it the instants ``tool.begin`` and then
``tool.finish`` or ``tool.error``; ``mcp.read_resource``, ``mcp.get_prompt``, ``mcp.complete``. The SDK and FastMCP make
OpenTelemetry spans of their own: where one records, the step is told on it, and no second span is made.

**Runs.** A call over stdio or in memory begins a run of its own; inside an HTTP request, or any other run, it is a part
of that. ``run_id`` and ``session_id`` in the request's ``_meta`` name it; baggage there that carries an attempt's token
joins that one (stdio and memory are of this machine; over HTTP the request's own headers decide). The sender's baggage
is in OpenTelemetry's context inside the handler, where the SDK leaves it out. The result's ``_meta`` has ``run_id``,
``trace_id`` and ``report``: the path of the report where it is mounted, else the command that prints it;
``carriers = false`` leaves them out.

**Status.** A result with ``isError`` ``failed``. Where a framework made it of an exception, that very exception is
the step's error: what the tool raised, not what it was wrapped in. Else the detail is the text that the tool gave. A
protocol error is the exception that it was. A call that its client cancelled ``failed`` with detail ``cancelled``.
``docs/mcp.md`` has the table of outcomes.

**Never recorded**: results, contents of resources, prompts. Arguments are kept at content level ``all`` only; the names
of tools and prompts and the URIs of resources from ``messages`` on.

**Limits.** What a client does is not watched. A tool that is called in process and past the dispatch
(``server.call_tool(...)``) is not an MCP call, and no step. A middleware of the server that answers without asking the
handler leaves no ``tool.call``: no tool was called.
"""
