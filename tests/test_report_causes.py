"""Why a run stopped, of real processes: through every road that an exception takes in Python, and across processes."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

import pytest
from processes import BIN, OBS, report, run
from servers import running

HEAD = """
import asyncio, os, signal, subprocess, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from codeintel_obs import step

def fails(kind, error):
    with step(kind):
        raise error

CHILD = '''
import codeintel_obs
codeintel_obs.start()
with codeintel_obs.step("c.outer"):
    with codeintel_obs.step("c.inner"):
        raise ValueError("child")
'''
"""


@dataclass
class Case:
    """A program, and what its report must say: the stop as (kind, error type, message), else None."""

    code: str
    outcome: str = "failed"
    stop: tuple[str | None, str | None, str | None] | None = None
    handled: tuple[str, ...] = ()
    trail: list[tuple[str, str, str | None]] = field(default_factory=list)
    handling: list[tuple[str, str | None]] = field(default_factory=list)
    elsewhere: list[tuple[str, str | None]] = field(default_factory=list)


CASES = {
    "raised again, as it was, after other work": Case(
        """
try:
    fails("a.inner", OSError("x"))
except OSError as exc:
    kept = exc
with step("a.later"):
    pass
raise kept.with_traceback(None)
""",
        stop=("a.inner", "OSError", "x"),
        trail=[("OSError", "end", "a.inner")],
    ),
    "raise from, twice": Case(
        """
try:
    try:
        fails("a.inner", OSError("x"))
    except OSError as exc:
        with step("a.middle"):
            raise LookupError("y") from exc
except LookupError as exc:
    raise RuntimeError("z") from exc
""",
        stop=("a.inner", "OSError", "x"),
        trail=[
            ("RuntimeError", "end", None),
            ("LookupError", "cause", "a.middle"),
            ("OSError", "cause", "a.inner"),
        ],
    ),
    "raise from None": Case(
        """
try:
    fails("a.inner", OSError("x"))
except OSError:
    raise RuntimeError("y") from None
""",
        stop=(None, "RuntimeError", "y"),
        handled=("a.inner",),
        trail=[("RuntimeError", "end", None)],
        handling=[("OSError", "a.inner")],
    ),
    "raised in finally": Case(
        """
with step("a.outer"):
    try:
        fails("a.first", OSError("x"))
    finally:
        fails("a.second", KeyError("y"))
""",
        stop=("a.second", "KeyError", "'y'"),
        handled=("a.first",),
        trail=[("KeyError", "end", "a.second")],
        handling=[("OSError", "a.first")],
    ),
    "groups in a group as a cause": Case(
        """
try:
    fails("a.inner", OSError("x"))
except OSError as exc:
    kept = exc
raise RuntimeError("y") from ExceptionGroup("g", [ExceptionGroup("h", [kept])])
""",
        stop=("a.inner", "OSError", "x"),
        trail=[
            ("RuntimeError", "end", None),
            ("ExceptionGroup", "cause", None),
            ("ExceptionGroup", "group", None),
            ("OSError", "group", "a.inner"),
        ],
    ),
    "a part of a group is caught": Case(
        """
def caught(kind, error):
    try:
        fails(kind, error)
    except type(error) as exc:
        return exc
try:
    raise ExceptionGroup("g", [caught("a.val", ValueError("v")), caught("a.key", KeyError("k"))])
except* ValueError:
    pass
""",
        stop=("a.key", "KeyError", "'k'"),
        handled=("a.val",),
        trail=[("ExceptionGroup", "end", None), ("KeyError", "group", "a.key")],
    ),
    "a future's result": Case(
        """
with step("m.outer"), ThreadPoolExecutor() as pool:
    pool.submit(fails, "t.inner", ValueError("v")).result()
""",
        stop=("t.inner", "ValueError", "v"),
        trail=[("ValueError", "end", "t.inner")],
    ),
    "a future's result, handled": Case(
        """
with step("m.outer"), ThreadPoolExecutor() as pool:
    try:
        pool.submit(fails, "t.inner", ValueError("v")).result()
    except ValueError:
        pass
""",
        outcome="completed",
        handled=("t.inner",),
    ),
    "handled inside a thread": Case(
        """
def work():
    try:
        fails("t.inner", ValueError("v"))
    except ValueError:
        pass
with step("m.outer"):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
""",
        outcome="completed",
        handled=("t.inner",),
    ),
    "nobody catches it in a thread": Case(
        """
with step("m.outer"):
    thread = threading.Thread(target=fails, args=("t.inner", ValueError("v")))
    thread.start()
    thread.join()
""",
        outcome="completed",
    ),
    "nobody catches what it caused in a thread": Case(
        """
def work():
    try:
        fails("t.inner", ValueError("v"))
    except ValueError as exc:
        raise RuntimeError("w") from exc
with step("m.outer"):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
""",
        outcome="completed",
    ),
    "an awaited task": Case(
        """
async def work():
    fails("a.inner", ValueError("v"))
async def main():
    with step("a.outer"):
        await asyncio.create_task(work())
asyncio.run(main())
""",
        stop=("a.inner", "ValueError", "v"),
        trail=[("ValueError", "end", "a.inner")],
    ),
    "one of several gathered": Case(
        """
async def work(kind, seconds):
    await asyncio.sleep(seconds)
    fails(kind, ValueError(kind))
async def main():
    with step("a.outer"):
        found = await asyncio.gather(work("a.one", 0), work("a.two", 0.01), return_exceptions=True)
    raise found[1]
asyncio.run(main())
""",
        stop=("a.two", "ValueError", "a.two"),
        handled=("a.one",),
        trail=[("ValueError", "end", "a.two")],
    ),
    "a task that nobody asked": Case(
        """
import logging
async def work():
    fails("a.inner", ValueError("v"))
async def main():
    with step("a.outer"):
        task = asyncio.create_task(work())
        await asyncio.sleep(0.01)
asyncio.run(main())
""",
        outcome="completed",
    ),
    "out of a generator": Case(
        """
def numbers():
    with step("g.inner"):
        yield 1
        raise ValueError("v")
with step("g.outer"):
    list(numbers())
""",
        stop=("g.inner", "ValueError", "v"),
        trail=[("ValueError", "end", "g.inner")],
    ),
    "out of an asynchronous generator": Case(
        """
async def numbers():
    with step("g.inner"):
        yield 1
        raise ValueError("v")
async def main():
    async for _ in numbers():
        pass
asyncio.run(main())
""",
        stop=("g.inner", "ValueError", "v"),
        trail=[("ValueError", "end", "g.inner")],
    ),
    "exit inside a step": Case(
        """
with step("a.outer"):
    with step("a.inner"):
        sys.exit(3)
""",
        stop=(None, None, "exit code 3"),
    ),
    "exit after a handled failure": Case(
        """
try:
    fails("a.inner", OSError("x"))
except OSError:
    sys.exit(4)
""",
        stop=(None, None, "exit code 4"),
        handled=("a.inner",),
    ),
    "interrupted from the keyboard": Case(
        """
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job begins with it ignored
with step("a.outer"):
    with step("a.inner"):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)
""",
        outcome="interrupted",
    ),
    "a child process that its parent minds": Case(
        """
with step("p.outer"):
    if subprocess.run([sys.executable, "-c", CHILD], stderr=subprocess.DEVNULL).returncode:
        raise RuntimeError("the child failed")
""",
        stop=("p.outer", "RuntimeError", "the child failed"),
        trail=[("RuntimeError", "end", "p.outer")],
        elsewhere=[("c.inner", "ValueError")],
    ),
    "a child process that its parent does not mind": Case(
        """
with step("p.outer"):
    subprocess.run([sys.executable, "-c", CHILD], stderr=subprocess.DEVNULL)
""",
        outcome="completed",
    ),
    "out of a pool of processes": Case(
        """
import multiprocessing
with step("p.outer"), multiprocessing.get_context("fork").Pool(1) as pool:
    pool.apply(fails, ("c.inner", ValueError("v")))
""",
        stop=("c.inner", "ValueError", "v"),
        trail=[("ValueError", "end", "c.inner"), ("multiprocessing.pool.RemoteTraceback", "cause", None)],
    ),
    "a step that outlived the one around it": Case(
        """
def work():
    try:
        with step("t.inner"):
            go.wait()
            raise ValueError("v")
    except ValueError:
        pass
go = threading.Event()
with step("m.outer"):
    thread = threading.Thread(target=work)
    thread.start()
go.set()
thread.join()
""",
        outcome="completed",
    ),
    "nothing was watched before": Case(
        """
raise ValueError("x")
""",
        stop=(None, "ValueError", "x"),
        trail=[("ValueError", "end", None)],
    ),
    "a child was the first with a record": Case(
        """
subprocess.run([sys.executable, "-c", 'import codeintel_obs as obs\\nwith obs.step("c.work"): pass'], check=True)
raise ValueError("x")
""",
        stop=(None, "ValueError", "x"),
        trail=[("ValueError", "end", None)],
    ),
    "a child was the first with a record, and failed": Case(
        """
subprocess.run([sys.executable, "-c", CHILD])
with step("a.after"):
    pass
""",
        outcome="completed",
    ),
    "a child was the first with a record, and was killed": Case(
        """
killed = 'import codeintel_obs as obs, os\\nwith obs.step("c.work"): os.kill(os.getpid(), 9)'
subprocess.run([sys.executable, "-c", killed])
with step("a.after"):
    pass
""",
        outcome="completed",
    ),
    "a child was the first with a record, and the program fails after it": Case(
        """
subprocess.run([sys.executable, "-c", CHILD])
fails("a.after", KeyError("k"))
""",
        stop=("a.after", "KeyError", "'k'"),
        trail=[("KeyError", "end", "a.after")],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_report_of_a_real_process_is_right_about_every_exception(name, tmp_path):
    """What stopped it, by the exception's identity; what was handled, and never what only nobody saw caught."""
    case = CASES[name]
    (tmp_path / "program.py").write_text(HEAD + case.code)
    run(tmp_path, OBS, "run", "--quiet", "--", sys.executable, "program.py")
    told = report(tmp_path)
    kinds = {step["id"]: step["kind"] for step in told["steps"]}
    stop = told["stopped_because"] or {"trail": [], "while_handling": [], "elsewhere": []}
    assert told["warnings"] == []
    assert told["outcome"] == case.outcome
    assert (told["stopped_because"] and (stop["kind"], stop["error_type"], stop["message"])) == case.stop
    assert tuple(kinds[each] for each in told["handled_failures"]) == case.handled
    assert [(each["error_type"], each["via"], kinds.get(each["step"])) for each in stop["trail"]] == case.trail
    assert [(each["error_type"], kinds.get(each["step"])) for each in stop["while_handling"]] == case.handling
    assert [(each["kind"], each["error_type"]) for each in stop["elsewhere"]] == case.elsewhere


SERVER = """
from fastapi import FastAPI
from codeintel_obs import step
app = FastAPI()

@app.get("/book")
def book():
    with step("shelf.look_up"):
        raise LookupError("no such book")
"""
CLIENT = """
import sys, urllib.error, urllib.request
from codeintel_obs import step
from codeintel_obs.carriers import carried
with step("library.ask"):
    values = carried()
    headers = {
        "baggage": ",".join(f"codeintel.{key}={values[key]}" for key in ("run", "attempt", "day")),
        "traceparent": f"00-{values['trace']}-{values['span']}-01",
    }
    try:
        urllib.request.urlopen(urllib.request.Request(sys.argv[1] + "/book", headers=headers))
    except urllib.error.HTTPError as exc:
        raise RuntimeError(f"the library answered {exc.code}") from None
"""


@pytest.mark.slow
def test_a_failure_behind_a_request_is_told_beside_the_stop(tmp_path):
    """The exception cannot cross a network: what failed there is told by run and span ids, and not called the cause."""
    (tmp_path / "served.py").write_text(SERVER)
    (tmp_path / "client.py").write_text(CLIENT)
    uvicorn = [OBS, "run", "--quiet", "--", str(BIN / "uvicorn"), "served:app", "--port", "{port}"]
    with running(tmp_path, uvicorn) as server:
        run(tmp_path, OBS, "run", "--quiet", "--run-id", "asked", "--", sys.executable, "client.py", server.url)
        server.stop()
    told = report(tmp_path, "asked")
    stop = told["stopped_because"]
    steps = {each["kind"]: each for each in told["steps"]}
    assert (stop["kind"], stop["message"]) == ("library.ask", "the library answered 500")
    (there,) = stop["elsewhere"]
    assert (there["kind"], there["error_type"], there["message"]) == ("shelf.look_up", "LookupError", "no such book")
    assert there["process"] != steps["library.ask"]["process"]
    assert steps["http.request"]["parent"] == steps["library.ask"]["id"]
    assert told["handled_failures"] == []


MCP_SERVER = """
import sys
from mcp.server.mcpserver import MCPServer
from codeintel_obs import step
server = MCPServer("library")

@server.tool()
def look_up(title: str) -> str:
    with step("shelf.look_up"):
        raise LookupError(f"no book {title}")

if __name__ == "__main__":
    server.run("stdio") if len(sys.argv) < 2 else server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
"""
MCP_CLIENT = """
import asyncio, sys
from mcp import Client
from codeintel_obs import step
from codeintel_obs.carriers import carried

async def ask(target):
    async with Client(target) as session:
        with step("library.ask"):
            answer = await session.call_tool("look_up", {"title": "Tides"}, meta=meta())
            if answer.is_error:
                raise RuntimeError("the library could not")
"""
OVER_STDIO = """
from mcp.client.stdio import StdioServerParameters, stdio_client

def meta():  # the carrier of docs/mcp.md, put in by the application
    values = carried()
    return {
        "baggage": ",".join(f"codeintel.{key}={values[key]}" for key in ("run", "attempt", "day")),
        "traceparent": f"00-{values['trace']}-{values['span']}-01",
    }

server = [sys.argv[1], "run", "--quiet", "--exec", "--", sys.executable, "library.py"]
asyncio.run(ask(stdio_client(StdioServerParameters(command=server[0], args=server[1:]))))
"""
OVER_HTTP = """
def meta():  # the request's own headers carry the run
    return None

asyncio.run(ask(sys.argv[1] + "/mcp"))
"""


def told_of_mcp(folder):
    """Return the client's report, after what it says of a tool that failed in the server's process."""
    told = report(folder, "asked")
    steps = {each["kind"]: each for each in told["steps"]}
    stop = told["stopped_because"]
    assert (told["outcome"], told["warnings"]) == ("failed", [])
    assert (stop["kind"], stop["error_type"], stop["message"]) == (
        "library.ask",
        "RuntimeError",
        "the library could not",
    )
    (there,) = stop["elsewhere"]
    assert (there["kind"], there["error_type"], there["message"]) == ("shelf.look_up", "LookupError", "no book Tides")
    assert there["evidence"] == steps["shelf.look_up"]["evidence"]
    assert there["process"] == steps["tool.call"]["process"] != steps["library.ask"]["process"]
    assert told["handled_failures"] == []
    return told, steps


@pytest.mark.slow
def test_a_tool_that_fails_over_stdio_is_told_beside_the_stop(tmp_path):
    """The server's process joins the run that the call's `_meta` carries; its step is cited, and not called the cause."""
    (tmp_path / "library.py").write_text(MCP_SERVER)
    (tmp_path / "client.py").write_text(MCP_CLIENT + OVER_STDIO)
    run(tmp_path, OBS, "run", "--quiet", "--run-id", "asked", "--", sys.executable, "client.py", OBS)
    _, steps = told_of_mcp(tmp_path)
    assert steps["tool.call"]["parent"] == steps["library.ask"]["id"]


@pytest.mark.slow
def test_a_tool_that_fails_over_http_is_told_beside_the_stop(tmp_path):
    """Over streamable HTTP the client's own request carries the run; the failure is cited through both of its steps."""
    (tmp_path / "library.py").write_text(MCP_SERVER)
    (tmp_path / "client.py").write_text(MCP_CLIENT + OVER_HTTP)
    with running(tmp_path, [OBS, "run", "--quiet", "--", sys.executable, "library.py", "{port}"]) as server:
        run(tmp_path, OBS, "run", "--quiet", "--run-id", "asked", "--", sys.executable, "client.py", server.url)
        server.stop()
    told, steps = told_of_mcp(tmp_path)
    asked = [each for each in told["steps"] if each["id"] == steps["tool.call"]["parent"]]
    assert [each["kind"] for each in asked] == ["http.request"]
