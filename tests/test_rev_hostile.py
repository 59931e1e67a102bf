"""What a hostile client, query or repository may try: a clear error, nothing read outside, and the server lives on."""

import json
import os
import socket
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest
from rev_served import REV, asked, commit, own_server, rev, rev_environ, serving

from codeintel_rev.gate import Limits
from codeintel_rev.io.text_search import TextQuery, search_text

pytestmark = pytest.mark.slow  # real servers

ESCAPES = [
    "../repo/pay.py",
    "../../../../../../etc/passwd",
    "/etc/passwd",
    "docs/../../x",
    "docs/../pay.py",
    "./../x",
    "outside",
    "outdir/passwd",
    ".git/config",
    "docs/../.git/config",
    ".GIT/config",
    "docs//guide.md",
    "docs",
    "a\0b",
    "\udce9.txt",
    "x" * 5000,
]
OPTIONS = ["--output=/tmp/pwned", "-L1,2", "--no-index", ":(glob)**", ":/", "--upload-pack=touch /tmp/pwned", "-"]
EXPLOSIVE = ["(a+)+$", "(x+x+)+y", "(.*)*b", "((a|a)*)*c", "(?:a?){500}a{500}", "[ab]*a[ab]{200}c"]


def alive(client):
    return client.get("/healthz").status_code == 200


@pytest.mark.parametrize("path", ESCAPES, ids=ascii)
def test_no_path_leads_out(server, path):
    """By every route that takes one; the answer holds nothing of another file."""
    name = quote(path, safe="", errors="surrogatepass")
    routes = [f"/v1/files/{name}", f"/v1/blame?path={name}&start=1&lines=1", f"/v1/history?path={name}"]
    with server.client() as client:
        answers = [client.get(route) for route in routes]
        assert alive(client)
    assert answers[0].status_code in (400, 404, 422), answers[0].text
    for answer in answers:
        assert "root:" not in answer.text
        assert "[core]" not in answer.text
        assert answer.status_code in (200, 400, 404, 422)  # a link and a folder have a history


def test_a_raw_path_is_not_normalised_into_another(server):
    """A client that sends dots as they are; httpx and browsers would take them away first."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as wire:
        wire.sendall(b"GET /v1/files/../../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: wire.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 404")
    assert b"root:" not in answer


@pytest.mark.parametrize("path", OPTIONS)
def test_no_path_is_an_option_or_a_pattern_of_git(server, path):
    """Not even one that a file of that name would have."""
    (pwned := Path("/tmp/pwned")).unlink(missing_ok=True)
    with server.client() as client:
        blame = client.get("/v1/blame", params={"path": path, "start": 1, "lines": 1})
        history = client.get("/v1/history", params={"path": path})
    assert blame.status_code in (400, 404)
    assert (history.status_code, history.json().get("commits", [])) in ((200, []), (404, []))
    assert not pwned.exists()


@pytest.mark.parametrize("pattern", EXPLOSIVE)
def test_no_pattern_explodes(tmp_path, pattern):
    """Over a text made for it; each would take a backtracking engine longer than the universe has."""
    (tmp_path / "aaa.txt").write_text("\n".join(["a" * 5000, "x" * 5000, "ab" * 2500] * 3))
    found = search_text(tmp_path, ["aaa.txt"], TextQuery(pattern, seconds=60))
    assert found.stopped == ""


@pytest.mark.parametrize(
    "glob", ["*a" * 60 + "b", "**/" * 50 + "x", "{a,b}" * 30, "[z-a]", "[", "!", "\udcff", "{" * 90]
)
def test_no_glob_explodes(server, glob):
    """Refused, or answered; never slow (the request has its time-out)."""
    with server.client() as client:
        body = json.dumps({"pattern": "charge", "globs": [glob]})
        answer = client.post("/v1/text", content=body, headers={"content-type": "application/json"})
        assert answer.status_code in (200, 400, 422), answer.text
        assert alive(client)


def test_ten_megabytes_are_refused(server):
    """As a body, announced or not, before they are read into anything; and as a query of a tool."""
    huge = b'{"query": "' + b"x" * 10_000_000 + b'"}'
    with server.client() as client:
        announced = client.post("/v1/search", content=huge, headers={"content-type": "application/json"})
        pieces = (huge[at : at + 65536] for at in range(0, len(huge), 65536))
        unannounced = client.post("/v1/search", content=pieces, headers={"content-type": "application/json"})
        assert alive(client)
    assert [answer.status_code for answer in (announced, unannounced)] == [413, 413]
    assert announced.json()["detail"] == "a request body may have at most 1048576 bytes"


async def test_ten_megabytes_to_a_tool_are_refused(server):
    """Over stdio there is no body to refuse: the argument is."""
    calls = [("semantic_search", {"query": "x" * 10_000_000}), ("search_text", {"pattern": "charge", "limit": 1})]
    refused, good = await asked(server, "stdio", *calls)
    assert (refused.is_error, "at most 10000 characters" in refused.content[0].text) == (True, True)
    assert len(refused.content[0].text) < 1000
    assert good.is_error is False


@pytest.mark.parametrize(
    "body",
    [
        b'{"query": "\\ud800"}',
        b'{"query": "\xff\xfe"}',
        b"\xff",
        b"[" * 100_000,
        b'{"query": 1e999}',
        b'{"query": null}',
    ],
    ids=range(6),
)
def test_hostile_bodies(server, body):
    """Lone surrogates, broken UTF-8, nesting: a 4xx problem that can itself be read."""
    with server.client() as client:
        answer = client.post("/v1/search", content=body, headers={"content-type": "application/json"})
        assert (answer.status_code in (400, 422), answer.json()["status"]) == (True, answer.status_code), answer.text
        assert alive(client)


def test_hostile_lines_on_stdin_do_not_end_the_server(repository):
    """Broken JSON, broken UTF-8, a lone surrogate: answered or dropped, and the next good line is answered."""
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    call = {"name": "find_symbol", "arguments": {"name": "charge"}}
    lines = [
        b"{nope",
        b"\xff\xfe\x00",
        b'{"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "\\ud800"}}',
        b"[" * 50_000,
        json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}).encode(),
        b'{"jsonrpc": "2.0", "method": "notifications/initialized"}',
        json.dumps({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call}).encode(),
    ]
    with subprocess.Popen(
        [REV, "mcp", "repo"], cwd=repository, env=rev_environ(repository), stdin=-1, stdout=-1, stderr=-1
    ) as process:
        process.stdin.write(b"\n".join(lines) + b"\n")
        process.stdin.flush()
        answer = next(line for line in process.stdout if json.loads(line).get("id") == 2)
        process.stdin.close()
        assert process.wait(timeout=60) == 0
    assert json.loads(answer)["result"]["structuredContent"]["symbols"][0]["name"] == "Gateway.charge"


def test_other_names_and_origins_are_refused(server):
    """So that no web page reads the repository through a name that it points at this machine."""
    with server.client() as client:
        for path in ("/v1/files", "/mcp", "/healthz"):
            assert client.get(path, headers={"host": "evil.example"}).status_code == 421
            assert client.get(path, headers={"origin": "https://evil.example"}).status_code == 403
        assert client.get("/v1/files", headers={"origin": server.url}).status_code == 200


def test_a_slow_body_has_its_time(tmp_path):
    """One that trickles in gets 408 after its time, and the server answers others meanwhile."""
    assert Limits().body_seconds == 10  # what the server below is started with
    with own_server(tmp_path) as server, server.client() as client:
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as wire:
            wire.sendall(b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
            wire.sendall(b"Content-Length: 99\r\n\r\n{")
            assert alive(client)
            answer = wire.recv(65536)
    assert answer.startswith(b"HTTP/1.1 408")


def test_hostile_names_of_files(tmp_path):
    """Names that are options, patterns, or no text at all are listed, searched and blamed as what they are."""
    root = tmp_path / "repo"
    root.mkdir()
    names = [b"--output=x", b":(glob)a", b"-", b"a b\n.txt", b"caf\xe9.txt", b"\xf0\x9f\x92\xa9.py"]
    for name in names:
        Path(os.fsdecode(os.fsencode(root) + b"/" + name)).write_bytes(b"charge\n")
    commit(root)
    assert rev(tmp_path, "index", "repo").returncode == 0
    with serving(tmp_path) as server, server.client() as client:
        listed = client.get("/v1/files").json()["paths"]
        matched = [match["path"] for match in client.get("/v1/text?pattern=charge").json()["matches"]]
        changes = [
            len(client.get("/v1/history", params={"path": path.decode()}).json()["commits"]) for path in names[:3]
        ]
    assert sorted(listed) == sorted(matched)
    assert (len(listed), changes) == (6, [1, 1, 1])
