# ruff: noqa: E501 - a line of an expectation is a line of a report
"""HTTP and MCP: clients that go away, handlers that raise, calls that cannot be answered."""

from __future__ import annotations

from typing import Final

from .case import Case
from .served import TOOLS, asking, cancelling, leaving, server, talking

CASES: Final = (
    Case(
        name="http_mcp.client_disconnects",
        says="The client goes away in the middle of a streamed answer.",
        exits=0,
        script=server("leave_early()\n    time.sleep(1)"),
        expect="""
            run fault.py: completed
              proof: process.exit, run.end
              exit: code 0 [process.exit]
            s1 python.import completed {module: uvicorn, version: <version>}
            s2 python.import completed {module: starlette, version: <version>}
            p1: fault.py began, closed, gone
            p2: fault.py joined, closed, gone
            watched in p1: fastapi, logging
            run GET /endless: completed
            of run <process run>
              proof: step.end s1
            s1 http.request completed {method: GET, path: /endless, http_version: 1.1, status_code: 200, route: /endless, response_bytes: <response_bytes>, disconnected: True} (client disconnected)
            p1: fault.py began, closed, gone
            watched in p1: fastapi, logging
        """,
    ),
    Case(
        name="http_mcp.handler_raises",
        says="A handler raises; the server answers 500.",
        exits=0,
        script=server('get("/raises")'),
        expect="""
            run fault.py: completed
              proof: process.exit, run.end
              exit: code 0 [process.exit]
            s1 python.import completed {module: uvicorn, version: <version>}
            s2 python.import completed {module: starlette, version: <version>}
            log ERROR uvicorn.error: Exception in ASGI application\\n raised e1 LookupError: no such book [log]
            p1: fault.py began, closed, gone
            p2: fault.py joined, closed, gone
            watched in p1: fastapi, logging
            run GET /raises: failed
            of run <process run>
              proof: step.end s1
            stopped by s1 http.request failed: LookupError: no such book
              proof: step.end s1, run.end
              trail end: e1 LookupError in s1 [step.end s1]
            s1 http.request failed {method: GET, path: /raises, http_version: 1.1, status_code: 500, route: /raises, response_bytes: 21, response_ns: <response_ns>} raised e1 LookupError: no such book
            p1: fault.py began, closed, gone
            watched in p1: fastapi, logging
        """,
    ),
    Case(
        name="http_mcp.refused_by_middleware",
        says="A middleware answers 401: the request is completed, with its status code.",
        exits=0,
        script=server('get("/private")'),
        expect="""
            run fault.py: completed
              proof: process.exit, run.end
              exit: code 0 [process.exit]
            s1 python.import completed {module: uvicorn, version: <version>}
            s2 python.import completed {module: starlette, version: <version>}
            p1: fault.py began, closed, gone
            p2: fault.py joined, closed, gone
            watched in p1: fastapi, logging
            run GET /private: completed
            of run <process run>
              proof: step.end s1
            s1 http.request completed {method: GET, path: /private, http_version: 1.1, status_code: 401, response_bytes: 23, response_ns: <response_ns>}
            p1: fault.py began, closed, gone
            watched in p1: fastapi, logging
        """,
    ),
    Case(
        name="http_mcp.unknown_tool",
        says="A tool is called that there is not.",
        exits=0,
        script=TOOLS,
        drive=asking("charge", amount=1),
        expect="""
            run fault.py: completed
              proof: process.exit, run.end
              exit: code 0 [process.exit]
            s1 python.import completed {module: duckdb, version: <version>}
            s2 python.import completed {module: mcp}
              s3 python.import completed {module: starlette, version: <version>}
              s4 python.import completed {module: uvicorn, version: <version>}
              s5 python.import completed {module: httpx2, version: <version>}
            p1: fault.py began, closed, gone
            p2: fault.py joined, closed, gone
            watched in p1: duckdb, fastapi, http_client, logging, mcp
            run tools/call charge: failed
            of run <process run>
              proof: step.end s1
            stopped by s1 tool.call failed: mcp.server.mcpserver.exceptions.ToolError: Unknown tool: charge
              proof: step.end s1, run.end
              trail end: e1 mcp.server.mcpserver.exceptions.ToolError in s1 [step.end s1]
            s1 tool.call failed {tool: charge, protocol: 2025-06-18, arguments_count: 1, content: 1, is_error: True} (isError) raised e1 mcp.server.mcpserver.exceptions.ToolError: Unknown tool: charge
              s2 tool.begin completed {tool: charge}
              s3 tool.error failed {tool: charge} raised e1 mcp.server.mcpserver.exceptions.ToolError: Unknown tool: charge
            log INFO mcp.server.mcpserver.server: Tool 'charge' failed: 'Unknown tool: charge' in s1 [log]
            p1: fault.py began, closed, gone
            watched in p1: duckdb, fastapi, http_client, logging, mcp
        """,
    ),
    Case(
        name="http_mcp.bad_parameters",
        says="A tool is called with an argument of the wrong type.",
        exits=0,
        script=TOOLS,
        drive=asking("count", limit="many"),
        expect="""
            run fault.py: completed
              proof: process.exit, run.end
              exit: code 0 [process.exit]
            s1 python.import completed {module: duckdb, version: <version>}
            s2 python.import completed {module: mcp}
              s3 python.import completed {module: starlette, version: <version>}
              s4 python.import completed {module: uvicorn, version: <version>}
              s5 python.import completed {module: httpx2, version: <version>}
            p1: fault.py began, closed, gone
            p2: fault.py joined, closed, gone
            watched in p1: duckdb, fastapi, http_client, logging, mcp
            run tools/call count: failed
            of run <process run>
              proof: step.end s1
            stopped by s1 tool.call failed: mcp.server.mcpserver.exceptions.ToolError: 1 validation error for countArguments: limit: int_parsing
              proof: step.end s1, run.end
              trail end: e1 mcp.server.mcpserver.exceptions.ToolError in s1 [step.end s1]
              trail cause: e2 pydantic_core._pydantic_core.ValidationError in no step [none]
            s1 tool.call failed {tool: count, protocol: 2025-06-18, arguments_count: 1, content: 1, is_error: True} (isError) raised e1 mcp.server.mcpserver.exceptions.ToolError: 1 validation error for countArguments: limit: int_parsing <- cause e2 pydantic_core._pydantic_core.ValidationError
              s2 tool.begin completed {tool: count}
              s3 tool.error failed {tool: count} raised e1 mcp.server.mcpserver.exceptions.ToolError: 1 validation error for countArguments: limit: int_parsing <- cause e2 pydantic_core._pydantic_core.ValidationError
            log INFO mcp.server.mcpserver.server: Tool 'count' rejected arguments: ['limit'] in s1 [log]
            p1: fault.py began, closed, gone
            watched in p1: duckdb, fastapi, http_client, logging, mcp
        """,
    ),
    Case(
        name="http_mcp.pipe_closed",
        says="The client closes the pipe while a tool is at work.",
        exits=0,
        script=TOOLS,
        drive=talking(leaving),
        expect="""
            run fault.py: completed
              proof: process.exit, run.end
              exit: code 0 [process.exit]
            s1 python.import completed {module: duckdb, version: <version>}
            s2 python.import completed {module: mcp}
              s3 python.import completed {module: starlette, version: <version>}
              s4 python.import completed {module: uvicorn, version: <version>}
              s5 python.import completed {module: httpx2, version: <version>}
            p1: fault.py began, closed, gone
            p2: fault.py joined, closed, gone
            watched in p1: duckdb, fastapi, http_client, logging, mcp
            run tools/call sleeps: failed
            of run <process run>
              proof: step.end s1
            stopped by s1 tool.call failed: asyncio.exceptions.CancelledError: Cancelled via cancel scope <scope>
              proof: step.end s1, run.end
              trail end: e1 asyncio.exceptions.CancelledError in s1 [step.end s1]
            s1 tool.call failed {tool: sleeps, protocol: 2025-06-18, arguments_count: 0} (cancelled) raised e1 asyncio.exceptions.CancelledError: Cancelled via cancel scope <scope>
              s2 tool.begin completed {tool: sleeps}
              s3 tool.error failed {tool: sleeps} raised e1 asyncio.exceptions.CancelledError: Cancelled via cancel scope <scope>
            p1: fault.py began, closed, gone
            watched in p1: duckdb, fastapi, http_client, logging, mcp
        """,
    ),
    Case(
        name="http_mcp.cancelled",
        says="The client cancels a call.",
        exits=0,
        script=TOOLS,
        drive=talking(cancelling),
        expect="""
            run fault.py: completed
              proof: process.exit, run.end
              exit: code 0 [process.exit]
            s1 python.import completed {module: duckdb, version: <version>}
            s2 python.import completed {module: mcp}
              s3 python.import completed {module: starlette, version: <version>}
              s4 python.import completed {module: uvicorn, version: <version>}
              s5 python.import completed {module: httpx2, version: <version>}
            p1: fault.py began, closed, gone
            p2: fault.py joined, closed, gone
            watched in p1: duckdb, fastapi, http_client, logging, mcp
            run tools/call sleeps: failed
            of run <process run>
              proof: step.end s1
            stopped by s1 tool.call failed: asyncio.exceptions.CancelledError: Cancelled via cancel scope <scope>
              proof: step.end s1, run.end
              trail end: e1 asyncio.exceptions.CancelledError in s1 [step.end s1]
            s1 tool.call failed {tool: sleeps, protocol: 2025-06-18, arguments_count: 0} (cancelled) raised e1 asyncio.exceptions.CancelledError: Cancelled via cancel scope <scope>
              s2 tool.begin completed {tool: sleeps}
              s3 tool.error failed {tool: sleeps} raised e1 asyncio.exceptions.CancelledError: Cancelled via cancel scope <scope>
            p1: fault.py began, closed, gone
            watched in p1: duckdb, fastapi, http_client, logging, mcp
        """,
    ),
    Case(
        name="http_mcp.tool_fails",
        says="What a tool does in DuckDB fails; the call is answered with an error.",
        exits=0,
        script=TOOLS.replace("select count(*) from range({limit})", "select {limit} from nothing"),
        drive=asking("count", limit=1),
        expect="""
            run fault.py: completed
              proof: process.exit, run.end
              exit: code 0 [process.exit]
            s1 python.import completed {module: duckdb, version: <version>}
            s2 python.import completed {module: mcp}
              s3 python.import completed {module: starlette, version: <version>}
              s4 python.import completed {module: uvicorn, version: <version>}
              s5 python.import completed {module: httpx2, version: <version>}
            p1: fault.py began, closed, gone
            p2: fault.py joined, closed, gone
            watched in p1: duckdb, fastapi, http_client, logging, mcp
            run tools/call count: failed
            of run <process run>
              proof: step.end s1
            stopped by s4 duckdb.query failed: _duckdb.CatalogException: Catalog Error: Table with name […] does not exist!
              proof: step.end s1, run.end, step.end s4
              trail end: e1 _duckdb.CatalogException in s4 [step.end s4]
            s1 tool.call failed {tool: count, protocol: 2025-06-18, arguments_count: 1, content: 1, is_error: True} (isError) raised e1 _duckdb.CatalogException: Catalog Error: Table with name […] does not exist!
              s2 tool.begin completed {tool: count}
              s3 duckdb.connect completed {}
              s4 duckdb.query failed {sql_len: 21, sql_sha256: 44dd75be…, op: SELECT, statements: ['SELECT'], method: execute} raised e1 _duckdb.CatalogException: Catalog Error: Table with name […] does not exist!
              s5 tool.error failed {tool: count} raised e1 _duckdb.CatalogException: Catalog Error: Table with name […] does not exist!
            log ERROR mcp.server.mcpserver.server: Tool 'count' raised an unexpected exception in s1 raised e2 mcp.server.mcpserver.exceptions.UnexpectedToolError: Error executing tool count <- cause e1 _duckdb.CatalogException [log]
            p1: fault.py began, closed, gone
            watched in p1: duckdb, fastapi, http_client, logging, mcp
        """,
    ),
    Case(
        name="clean.http",
        says="A request is answered with 200.",
        sort="control",
        exits=0,
        script=server('get("/fine")'),
        expect="""
            run fault.py: completed
              proof: process.exit, run.end
              exit: code 0 [process.exit]
            s1 python.import completed {module: uvicorn, version: <version>}
            s2 python.import completed {module: starlette, version: <version>}
            p1: fault.py began, closed, gone
            p2: fault.py joined, closed, gone
            watched in p1: fastapi, logging
            run GET /fine: completed
            of run <process run>
              proof: step.end s1
            s1 http.request completed {method: GET, path: /fine, http_version: 1.1, status_code: 200, route: /fine, response_bytes: 4, response_ns: <response_ns>}
            p1: fault.py began, closed, gone
            watched in p1: fastapi, logging
        """,
    ),
    Case(
        name="clean.mcp",
        says="A tool is called, and answers.",
        sort="control",
        exits=0,
        script=TOOLS,
        drive=asking("count", limit=3),
        expect="""
            run fault.py: completed
              proof: process.exit, run.end
              exit: code 0 [process.exit]
            s1 python.import completed {module: duckdb, version: <version>}
            s2 python.import completed {module: mcp}
              s3 python.import completed {module: starlette, version: <version>}
              s4 python.import completed {module: uvicorn, version: <version>}
              s5 python.import completed {module: httpx2, version: <version>}
            p1: fault.py began, closed, gone
            p2: fault.py joined, closed, gone
            watched in p1: duckdb, fastapi, http_client, logging, mcp
            run tools/call count: completed
            of run <process run>
              proof: step.end s1
            s1 tool.call completed {tool: count, protocol: 2025-06-18, arguments_count: 1, content: 1, structured: True}
              s2 tool.begin completed {tool: count}
              s3 duckdb.connect completed {}
              s4 duckdb.query completed {sql_len: 29, sql_sha256: de148ace…, op: SELECT, statements: ['SELECT'], method: execute, result: connection}
              s5 duckdb.fetch completed {method: fetchone, rows: 1} links s4
              s6 tool.finish completed {tool: count}
            p1: fault.py began, closed, gone
            watched in p1: duckdb, fastapi, http_client, logging, mcp
        """,
    ),
)
