"""Forty planted credentials of sixteen kinds, in every channel of a real process: none is in anything that we write."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

pytestmark = pytest.mark.slow  # real libraries, real processes, a real endpoint

KEY = "Xk7hunter2"
KINDS = {
    "url": ["postgres://bob:{}@db/x", "https://{}@github.com/a/b.git", "redis://:{}@cache:6379/0", "amqp://u:{}@mq/"],
    "header": ["Authorization: Bearer {}", "authorization: Basic {}==", "Proxy-Authorization: Digest {}"],
    "own header": ["X-Api-Key: {}", "PRIVATE-TOKEN: {}"],
    "cookie": ["Cookie: a=1; session={}", "Set-Cookie: id={}; Path=/"],
    "pair": ["password={}", "client_secret={}", "MYSQL_PWD={}", "api_key: {}", "passphrase:={}"],
    "query": ["https://h/p?access_token={}&x=1", "https://h/p?X-Amz-Signature={}"],
    "json": ['{{"password": "{}"}}', '{{"refresh_token": "{}"}}'],
    "sql": ["CREATE USER x PASSWORD '{}'", "CREATE SECRET s (TYPE s3, SECRET '{}')", "ALTER USER y IDENTIFIED BY '{}'"],
    "pem": ["-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----"],
    "git host": ["ghp_{0}{0}{0}", "github_pat_{0}{0}{0}", "glpat-{0}{0}"],
    "cloud": ["AccountKey={};EndpointSuffix=x", "AWS_SECRET_ACCESS_KEY={}", "hvs.{0}{0}{0}"],
    "chat": ["xoxb-12-{}", "xapp-1-{}"],
    "model host": ["sk-proj-{0}{0}", "hf_{0}{0}{0}"],
    "jwt": ["eyJhbGciOiJIUzI1NiJ9.eyJ{0}{0}.{0}{0}"],
    "option": ["--password {}", "--db-token '{} x'", "curl -u bob:{} https://h"],
    "file": ["machine h.example login bob password {}", "sshpass -p {} ssh h"],
}
PLANTED = [shape.format(KEY) for shapes in KINDS.values() for shape in shapes]
KEPT = {
    "session_id": "sess-4f1c9a2b",
    "commit": "1f8e4a6c1d5b9e7a3c2f4d6b8a0c2e4f6a8b0c2d",
    "path": "/srv/token/keys.py",
}

PROGRAM = """
import json, logging, sys
import codeintel_obs
from codeintel_obs import step
import duckdb, git
planted, kept, key, folder = json.load(open(sys.argv[1]))
log, connection, runner = logging.getLogger("app"), duckdb.connect(":memory:"), git.Git(folder)

def tolerated(call, *words, **more):
    try:
        call(*words, **more)
    except Exception as exc:
        log.warning("failed: %s", exc)

class Refused(Exception):
    pass

def refuse(text):
    with step("retrieval.fuse", {"url": text, "prompt": f"do {text} now", "headers": [text], "nested": {"deep": text}}):
        raise Refused(f"could not: {text}")

for text in planted:
    tolerated(connection.execute, "select '" + text.replace("'", "''") + "' from nowhere")
    if " " in text and "\\n" not in text:  # a piece of it that a parser quotes by itself is nobody's to recognise
        tolerated(connection.execute, text)
    tolerated(runner.execute, ["git", "-c", "http.extraHeader=" + text, "rev-parse", text])
    tolerated(runner.execute, ["sh", "-c", "echo \\"$0\\" >&2; exit 3", text])
    tolerated(refuse, text)
    log.error("said %s", text)
    log.error(text)
tolerated(runner.execute, ["git", "rev-parse", "--token", key])
with step("retrieval.hydrate", {"api_key": key, "Authorization": key, "auth": {"cookie": key}, "words": ["--password", key]}):
    pass
with step("retrieval.budget", kept):
    log.info("kept %s", kept)
raise Refused(" and ".join(planted))
"""


class Endpoint(BaseHTTPRequestHandler):
    """Takes every OTLP request as it comes; protobuf holds texts as they are."""

    taken: ClassVar[list[bytes]] = []

    def do_POST(self):
        self.taken.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words):
        pass


@pytest.fixture
def endpoint():
    Endpoint.taken = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def codeintel_obs(*words, **environ):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "CODEINTEL_OBS"))}
    command = [sys.executable, "-m", "codeintel_obs.cli", *map(str, words)]
    return subprocess.run(command, env={**kept, **environ}, capture_output=True, check=False, timeout=110)


def test_forty_of_sixteen_kinds_are_planted():
    """The list is as long as it says, and each of it carries the key."""
    assert (len(PLANTED) >= 40, len(KINDS) >= 15, all(KEY in text for text in PLANTED)) == (True, True, True)


@pytest.mark.parametrize("level", ["none", "messages", "all"])
def test_no_planted_credential_leaves_the_process(tmp_path, endpoint, level):
    """Not in ledger, manifests, spans, exported logs, our stderr or any report; ids, hashes and paths are untouched."""
    data, told = tmp_path / "data", tmp_path / "planted.json"
    told.write_text(json.dumps([PLANTED, KEPT, KEY, str(tmp_path)]))
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    settings = {
        "CODEINTEL_OBS_CONTENT": level,
        "CODEINTEL_OBS_SPAN_EVENTS": "both",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
    }
    words = ("run", "--data-dir", data, "--", sys.executable, program, told, "--token", KEY)
    ended = codeintel_obs(*words, **settings, OTEL_LOGS_EXPORTER="otlp")
    assert ended.returncode == 1, ended.stderr
    ours = [line for line in ended.stderr.split(b"\n") if line.startswith(b"codeintel-obs")]
    written = {str(path): path.read_bytes() for path in data.rglob("*") if path.is_file()}
    shown = {"sent": b"".join(Endpoint.taken), "stderr": b"\n".join(ours)}
    for how in ("text", "json", "md", "html"):
        shown[how] = codeintel_obs("report", "--last", "--format", how, "--data-dir", data).stdout
    shown["digest"] = codeintel_obs("report", "--last", "--max-tokens", "4000", "--data-dir", data).stdout
    shown["runs"] = codeintel_obs("runs", "--data-dir", data).stdout
    assert [name for name, content in {**written, **shown}.items() if KEY.encode() in content] == []
    assert {how: content for how, content in shown.items() if len(content) <= 10} == {}
    ledger = b"".join(written.values())
    assert b"retrieval.fuse" in ledger and b"retrieval.fuse" in shown["sent"]
    assert all((text.encode() in ledger) == (level != "none") for text in KEPT.values())
    assert (b"[redacted]" in ledger) == (level != "none")
