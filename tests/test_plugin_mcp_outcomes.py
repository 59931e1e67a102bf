"""The table of outcomes in `docs/mcp.md`, cell by cell: real servers, real transports, real clients."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import processes
import pytest
from servers import running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]  # starts servers of two makes on three transports

ROOT = Path(__file__).resolve().parent.parent
SHOP = ROOT / "tests" / "libraries" / "mcp_shop.py"
MAKES = ("mcp", "fastmcp")
TRANSPORTS = ("stdio", "streamable HTTP", "in memory")
# over HTTP the watched application itself answers
WHERE = dict.fromkeys(TRANSPORTS, "codeintel-obs report {}") | {
    "streamable HTTP": "/observability/run/{}/report",
}
CELLS = {
    "ok": "ok",
    "raises": "raises",
    "isError": "refuses",
    "cancelled": "sleeps",
    "no traceparent": "plain",
}
TRACE = "0af7651916cd43dd8448eb211c80319c"
HEAD = "| server | transport | call | `tool.call` | detail | error | instants | its run | run's id | trace | links |"


def documented():
    """Return the rows of the table in the documentation, by server, transport and call."""
    lines = (ROOT / "docs" / "mcp.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[lines.index(HEAD) + 2 :]]
    return {tuple(row[:3]): row[3:] for row in rows if len(row) == 11}


class Group:
    """What the client saw, and what the ledger has, of one server on one transport."""

    def __init__(self, folder, seen):
        self.folder = folder
        self.seen = seen
        self.records = processes.records(folder)

    def step(self, tool):
        """Return begin, end and instants of the call of this tool."""
        begins = [record for record in self.records if record["event"] == "step.begin"]
        (begin,) = [record for record in begins if record.get("payload", {}).get("tool") == tool]
        mine = [
            record
            for record in self.records
            if begin["span_id"] in (record.get("span_id"), record.get("parent_span_id"))
        ]
        (end,) = [record for record in mine if record["event"] == "step.end"]
        return begin, end, [record for record in mine if record["event"] == "step"]


@pytest.fixture(scope="module")
def groups(tmp_path_factory):
    """Call every tool of every server over every transport, once for all cells."""
    return {
        (make, transport): called(tmp_path_factory.mktemp("group"), make, transport)
        for make in MAKES
        for transport in TRANSPORTS
    }


def called(folder, make, transport, **env):
    """Let the client call every tool; only the server records."""
    recorded = [processes.OBS, "run", "--quiet", "--"]
    served = [*recorded, sys.executable, str(SHOP), make, "serve", "http", "{port}"]
    where = {"in memory": "memory", "stdio": "stdio"}.get(transport)
    with running(folder, served) if where is None else nullcontext() as server:
        client = [sys.executable, str(SHOP), make, "call", where or f"{server.url}/mcp", str(folder)]
        command = [*recorded, *client] if where == "memory" else client
        ended = subprocess.run(
            command, cwd=folder, env=processes.environ(**env), capture_output=True, text=True, timeout=120, check=False
        )
        assert ended.returncode == 0, ended.stderr
        if server is not None:
            server.stop()
    return Group(folder, json.loads(ended.stdout))


def row(group, call):
    """Return what became of a call, as the table has it."""
    begin, end, instants = group.step(CELLS[call])
    report = processes.report(group.folder, begin["run_id"])
    around = [step["kind"] for step in report["steps"] if step["id"] == begin.get("parent_span_id")]
    return [
        end["status"],
        end.get("detail", "-"),
        end["error"]["type"].rpartition(".")[2] if "error" in end else "-",
        " ".join(f"`{record['kind']}`" for record in instants),
        f"{report['outcome']}, {'of the request' if around == ['http.request'] else 'its own'}",
        "asked for" if begin["run_id"] == f"asked-{CELLS[call]}" else "the request's" if around else "new",
        "the caller's" if begin["trace_id"] == TRACE else "new",
        " ".join(f"`{link['run_id']}`" for link in begin.get("links", ())) or "-",
    ]


@pytest.mark.parametrize("call", CELLS)
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("make", MAKES)
def test_the_table_of_outcomes(groups, make, transport, call):
    """Each cell of the documentation is what a real client's call left in the ledger."""
    assert row(groups[make, transport], call) == documented()[make, transport, call]


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("make", MAKES)
def test_results_carry_the_ids_and_where_the_report_is(groups, make, transport):
    """A result's `_meta` has the ids of run and trace as the ledger has them, also that of a failed call."""
    group = groups[make, transport]
    for call in ("ok", "raises", "isError", "no traceparent"):
        begin, _, _ = group.step(CELLS[call])
        meta = group.seen[call]["meta"]
        assert (meta["run_id"], meta["trace_id"]) == (begin["run_id"], begin["trace_id"])
        assert meta["report"] == WHERE[transport].format(begin["run_id"])


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("make", MAKES)
def test_run_and_baggage_arrive_inside_the_handler(groups, make, transport):
    """The tool sees the sender's baggage, and the run has the session that was named (over HTTP the headers name it)."""
    group = groups[make, transport]
    assert json.loads(group.seen["ok"]["text"][0]) == {"tenant": "acme"}
    begin, _, _ = group.step("ok")
    assert begin.get("session_id") == (None if transport == "streamable HTTP" else "visit")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_table_holds_for_the_handshake_era(tmp_path, transport):
    """A client that opens with `initialize`, as all did until 2026, finds the same outcomes, over a stateful session too."""
    group = called(tmp_path, "mcp", transport, SHOP_ERA="legacy")
    for call in CELLS:
        assert row(group, call) == documented()["mcp", transport, call], call


@pytest.mark.parametrize("make", MAKES)
def test_a_protocol_without_a_recorder_is_the_same(tmp_path, make):
    """Without a recorder the client sees the same, but for our ids."""
    command = [sys.executable, str(SHOP), make, "call", "memory", str(tmp_path)]
    env = processes.environ()
    bare = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=100, check=True)
    for name in ("sleeping", "woken"):
        (tmp_path / name).unlink()
    watched = processes.run(tmp_path, processes.OBS, "run", "--quiet", "--", *command)
    told = json.loads(watched.stdout)
    for seen in told.values():
        for key in ("run_id", "trace_id", "report"):
            seen.get("meta", {}).pop(key, None)
    seen_bare = json.loads(bare.stdout)
    seen_bare["ok"]["text"] = told["ok"]["text"]  # without us the SDK leaves the baggage out
    assert told == seen_bare
