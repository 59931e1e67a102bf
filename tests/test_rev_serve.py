"""`serve`, `mcp` and `doctor` as processes: how they begin, how they end, and what they say; the OpenAPI document."""

import json
import signal
import socket
import subprocess

import pytest
from processes import BIN
from rev_served import REV, announced, own_server, rev, rev_environ, serving, write_repository

from codeintel_rev.cli import main
from codeintel_rev.cli.serve import listening

pytestmark = pytest.mark.slow  # real servers


def started(folder, *arguments):
    return subprocess.Popen(
        [REV, *arguments], cwd=folder, env=rev_environ(folder), stdin=-1, stdout=-1, stderr=-1, text=True
    )


@pytest.mark.parametrize(
    ("sent", "code", "said"), [(signal.SIGTERM, 0, ""), (signal.SIGINT, 130, "codeintel-rev: stopped\n")]
)
def test_serve_ends_cleanly(repository, sent, code, said):
    """With an open stream of an MCP client, too: no traceback, no child, the port is free again."""
    with started(repository, "serve", "repo", "--port", "0", "--json") as process:
        port = int(announced(process)["url"].rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as wire:
            wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert wire.recv(100).startswith(b"HTTP/1.1 200")
            process.send_signal(sent)
            _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (code, said)
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_an_answer_does_not_wait_for_the_clients_acknowledgement():
    """An answer is two writes, its head and its body: Nagle's algorithm would hold the second back for 40 ms."""
    with listening("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130), (None, 0)])
def test_mcp_ends_cleanly(repository, sent, code):
    """By a signal while it waits for stdin, and by the end of stdin; nothing but messages on stdout."""
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
    with started(repository, "mcp", "repo") as process:
        process.stdin.write(json.dumps(message) + "\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["result"]["serverInfo"]["name"] == "codeintel-rev"
        process.stdin.close() if sent is None else process.send_signal(sent)
        assert process.wait(timeout=60) == code
        assert (process.stdout.read(), process.stderr.read()) == ("", "")


def test_a_server_that_ends_takes_its_indexing_with_it(tmp_path):
    """What it has begun is ended with it, and the index that was there still answers."""
    with own_server(tmp_path) as server, server.client() as client:
        for number in range(300):
            (server.root / f"m{number}.py").write_text(f"def f{number}():\n" + f"    call({number})\n" * 50)
        pid = client.post("/v1/index").json()["pid"]
    assert subprocess.run(["ps", "-p", str(pid)], capture_output=True, check=False).returncode == 1
    assert rev(tmp_path, "search", "charge", "--repo", "repo").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["serve", "{tmp}"], 3, "is in no git repository"),
        (["mcp", "{tmp}/no"], 3, "does not exist"),
        (["serve", "{repo}", "--port", "{taken}"], 1, "cannot be listened on: Address already in use. Mend: --port 0"),
        (["serve", "{repo}", "--port", "99999"], 2, "--port is 99999. Mend: give 0 to 65535"),
        (["serve", "{repo}", "--workers", "0"], 2, "must be more than 0"),
    ],
)
def test_each_failure_is_one_line_and_its_exit_code(repository, tmp_path, capsys, arguments, code, told):
    with socket.create_server(("127.0.0.1", 0)) as other:
        values = {"tmp": tmp_path, "repo": repository / "repo", "taken": other.getsockname()[1]}
        assert main([part.format(**values) for part in arguments]) == code
    out, err = capsys.readouterr()
    assert (out, err.count("\n"), err.startswith("codeintel-rev: ")) == ("", 1, True)
    assert told in err


def test_without_an_index_it_serves_what_it_can_and_says_so(tmp_path):
    """Files can be read; not ready is told by its own route; an index that is made later answers at once."""
    (tmp_path / "repo").mkdir()
    write_repository(tmp_path / "repo")
    with serving(tmp_path) as server, server.client() as client:
        assert client.get("/v1/text?pattern=charge_card").json()["matches"][0]["path"] == "pay.py"
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["mend"]) == (404, "codeintel-rev index REPO")
        assert rev(tmp_path, "index", "repo").returncode == 0
        assert client.get("/readyz").status_code == 200
        assert client.get("/v1/symbols?name=charge_card").json()["symbols"][0]["path"] == "pay.py"


def test_whoever_opens_it_to_others_is_warned(repository):
    """And then it answers to every name, for a proxy that asks who they are."""
    with started(repository, "serve", "repo", "--host", "0.0.0.0", "--port", "0", "--json") as process:
        port = int(announced(process)["url"].rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as wire:
            wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: code.example\r\nConnection: close\r\n\r\n")
            assert wire.recv(100).startswith(b"HTTP/1.1 200")
        process.terminate()
        _, err = process.communicate(timeout=60)
    assert "everybody who reaches" in err


def test_doctor_says_what_works_and_what_does_not(repository, tmp_path):
    """Exit 0 as long as it answers, if with less; exit 1 without an index, and how to make one."""
    done = rev(repository, "doctor", "repo", "--json")
    told = {finding["check"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert (done.returncode, told["index"]["level"], told["embedding"]["level"]) == (0, "ok", "warn")
    assert told["embedding"]["mend"].startswith("Mend: ")
    (tmp_path / "repo").mkdir()
    write_repository(tmp_path / "repo")
    done = rev(tmp_path, "doctor", "repo")
    assert (done.returncode, "fail  index" in done.stdout, "codeintel-rev index" in done.stdout) == (1, True, True)
    done = rev(tmp_path, "doctor", ".")
    assert (done.returncode, "fail  git" in done.stdout) == (1, True)


@pytest.mark.timeout(240)  # several hundred requests, one after another
def test_the_openapi_document_is_true(repository, tmp_path):
    """schemathesis asks every operation with what the document allows and what it does not, and checks every answer."""
    with serving(repository) as server:
        command = [str(BIN / "st"), "run", f"{server.url}/openapi.json", "--max-examples=10", "--seed=1", "--no-color"]
        # each of its examples would begin a new index
        command += ["--exclude-operation-id=reindex", "--phases=examples,coverage,fuzzing"]
        # that a text is a regular expression or a pattern of paths, no JSON Schema can say
        command += ["--exclude-checks=positive_data_acceptance"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
