"""Every MCP tool through a real client, over stdio and streamable HTTP, with and without the recorder in front."""

import asyncio
import json

import jsonschema
import pytest
from rev_served import LAUNCHERS, Served, asked, behind, commit, lasting, own_server, serving, session

pytestmark = pytest.mark.slow  # real servers

NAMES = [
    "semantic_search",
    "semantic_search_pro",
    "search_text",
    "find_symbol",
    "open_file",
    "list_paths",
    "blame_range",
    "file_history",
    "index_status",
    "reindex",
]
CALLS = [
    ("semantic_search", {"query": "retry until the bank answers", "limit": 2}),
    ("semantic_search_pro", {"query": "charge_card", "limit": 2, "weights": {"bm25": 2.0, "exact": 5.0}}),
    ("search_text", {"pattern": "def charge", "context": 1, "globs": ["*.py"]}),
    ("find_symbol", {"name": "charge", "kind": "method"}),
    ("open_file", {"path": "pay.py", "start_line": 4, "lines": 2}),
    ("list_paths", {"globs": ["docs/"]}),
    ("blame_range", {"path": "pay.py", "start_line": 12, "end_line": 14}),
    ("file_history", {"path": "pay.py", "limit": 1}),
    ("index_status", {}),
]
REFUSED = [
    ("open_file", {"path": "../../etc/passwd"}, "is no path below the repository's root"),
    ("open_file", {"path": "outside"}, "is behind a symbolic link"),
    ("search_text", {"pattern": "("}, "is no regular expression: missing )"),
    ("search_text", {"pattern": "x", "glob": "*.py"}, "Extra inputs are not permitted"),
    ("semantic_search", {"query": ""}, "at least 1 character"),
    ("semantic_search_pro", {"query": "x", "weights": {"magic": 1.0}}, "magic"),
    ("blame_range", {"path": "pay.py", "start_line": 900, "end_line": 901}, "has fewer lines"),
    ("find_symbol", {"name": "x", "limit": 0}, "greater than or equal to 1"),
]


TRANSPORTS = ["stdio", "http"]


async def everything(server, transport):
    async with session(server, transport) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        results = [await client.call_tool(name, arguments) for name, arguments in CALLS]
        refused = [await client.call_tool(name, arguments) for name, arguments, _ in REFUSED]
        again = await client.call_tool(*CALLS[0])
    return tools, results, refused, again


@pytest.fixture(scope="module", params=TRANSPORTS)
def told(request, server):
    """All that one session was told: a server over stdio is started for each, which takes its time."""
    return asyncio.run(everything(server, request.param))


def test_the_tools_are_described(told):
    """For a reader who knows nothing else: what it does, when to use it; typed results; which ones only read."""
    tools = told[0]
    assert list(tools) == NAMES
    for tool in tools.values():
        assert len(tool.description) > 80
        assert tool.input_schema["additionalProperties"] is False
        assert tool.output_schema["type"] == "object"
        assert tool.annotations.read_only_hint is (tool.name != "reindex")


def test_every_tool_answers(told):
    """With structured content of its own schema, the same as text, and the envelope: commit, freshness, stages."""
    tools, results, _, _ = told
    for (name, _), result in zip(CALLS, results, strict=True):
        assert result.is_error is False, (name, result.content)
        jsonschema.validate(result.structured_content, tools[name].output_schema)
        assert json.loads(result.content[0].text) == result.structured_content
        assert result.structured_content["index"]["stale"] is False
        assert name == "index_status" or result.structured_content["stages"]


def test_what_the_tools_say(told):
    """Values, over the wire."""
    found, pro, text, symbol, file, paths, blame, history, status = [r.structured_content for r in told[1]]
    assert (found["hits"][0]["name"], found["degraded"][0]["channel"]) == ("charge_card", "semantic")
    assert (pro["hits"][0]["channels"]["exact"]["rank"], pro["query_kind"]) == (1, "identifier")
    assert [(m["path"], m["line"], len(m["before"])) for m in text["matches"]] == [("pay.py", 7, 1), ("pay.py", 12, 1)]
    assert [found["name"] for found in symbol["symbols"]] == ["Gateway.charge"]
    assert (file["text"], file["next_line"]) == ('class Gateway:\n    """Talks to the bank."""', 6)
    assert (paths["paths"], paths["total"]) == (["docs/guide.md"], 1)
    assert [hunk["summary"] for hunk in blame["hunks"]] == ["Add the gateway", "Say till", "Add the gateway"]
    assert [change["summary"] for change in history["commits"]] == ["Say till"]
    assert (status["indexed"], status["files"] > 0, "vectors" in status) == (True, True, False)


def test_failures_are_errors(told):
    """`isError` with words to act on, never a failure inside a good result; the server goes on."""
    for (name, _, expected), result in zip(REFUSED, told[2], strict=True):
        assert (result.is_error, result.structured_content) == (True, None), name
        assert expected in result.content[0].text
    assert told[3].is_error is False


def test_answers_are_small(told):
    """Without explain neither ranks nor times; what has nothing to say is not sent."""
    result = told[1][0]
    assert len(result.content[0].text) < 2000
    assert "null" not in result.content[0].text
    assert "channels" not in result.structured_content["hits"][0]


@pytest.mark.parametrize("launcher", LAUNCHERS)
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_reindex_brings_the_index_up_to_head(tmp_path, transport, launcher):
    """Stale is said before; after it the new commit answers, without a restart; a failure would be told."""
    with own_server(tmp_path, launcher=LAUNCHERS[launcher]) as server:
        (server.root / "later.py").write_text("def refund_card():\n    return 1\n")
        head = commit(server.root)
        before, made, after = await asked(
            server,
            transport,
            ("find_symbol", {"name": "refund_card"}),
            ("reindex", {"wait_seconds": 60}),
            ("find_symbol", {"name": "refund_card"}),
        )
    assert (before.structured_content["symbols"], before.structured_content["index"]["stale"]) == ([], True)
    assert (made.is_error, made.structured_content["finished"]) == (False, True), made.content
    assert made.structured_content["status"]["last_reindex"]["exit_code"] == 0
    assert after.structured_content["symbols"][0]["path"] == "later.py"
    assert (after.structured_content["index"]["commit"], after.structured_content["index"]["stale"]) == (head, False)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_answers_are_the_same_with_the_recorder_in_front(repository, transport):
    answers = []
    for launcher in LAUNCHERS.values():
        if transport == "http":
            with serving(repository, launcher=launcher) as served:
                results = await asked(served, transport, *CALLS)
        else:
            results = await asked(Served(repository, launcher, "", None), transport, *CALLS)
        answers.append([(result.is_error, lasting(result.structured_content)) for result in results])
    assert answers[0] == answers[1]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_reindex_answers_the_same_with_the_recorder_in_front(tmp_path, transport):
    """What is said while it runs and after it, and what the new index then answers, are those of a bare server."""
    again, answers = behind(tmp_path), []
    calls = [
        ("reindex", {"wait_seconds": 60}),
        ("index_status", {}),
        ("find_symbol", {"name": "refund_card"}),
        CALLS[0],
    ]
    for launcher in LAUNCHERS.values():
        folder = again()
        if transport == "http":
            with serving(folder, launcher=launcher) as served:
                results = await asked(served, transport, *calls)
        else:
            results = await asked(Served(folder, launcher, "", None), transport, *calls)
        answers.append([(result.is_error, lasting(result.structured_content)) for result in results])
    assert answers[0][0][1]["finished"]
    assert answers[0][2][1]["symbols"][0]["path"] == "later.py"
    assert answers[0] == answers[1]
