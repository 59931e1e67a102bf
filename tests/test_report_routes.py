"""The report routes on a real application under real servers: who gets what, in which form, and what they never do."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress

import processes
import pytest
from processes import BIN, OBS
from servers import running

from codeintel_obs import asgi
from codeintel_obs.launch import routes
from codeintel_obs.launch.route_answers import problem
from codeintel_obs.launch.routes import wanted

pytestmark = pytest.mark.timeout(300)

APPLICATION = """
import asyncio
from fastapi import FastAPI
app = FastAPI()

@app.get("/fine")
def fine():
    return {"fine": True}

@app.get("/bad")
def bad():
    raise ValueError("no such shelf")

@app.get("/slow")
async def slow():
    await asyncio.sleep(30)
"""
OWN = (
    APPLICATION
    + """
@app.get("/observability/runs")
def ours():
    return {"mine": True}
"""
)
CATCH_ALL = (
    APPLICATION
    + """
@app.get("/{path:path}")
def everything(path: str):
    return {"path": path}
"""
)
BARE = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        return await send({"type": "lifespan.shutdown.complete"})
    status = 200 if scope["path"] == "/" else 404
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b"bare"})
"""
WRAPPED = (
    APPLICATION
    + """
inner = app
class Outer:
    def __init__(self, app):
        self.app = app
    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)
app = Outer(inner)
"""
)


class Client:
    """Asks a running server; an answer is its status, headers and text."""

    def __init__(self, url):
        self.url = url

    def __call__(self, path, method="GET", **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.url + path, headers=named, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as exc:
            with exc:
                return exc.code, exc.headers, exc.read().decode()

    def run_of(self, path):
        return self(path)[1]["X-Run-Id"]


@contextmanager
def served(folder, code=APPLICATION, program=("uvicorn", "served:app", "--port", "{port}"), **env):
    (folder / "served.py").write_text(code)
    name, *words = program
    with running(folder, [OBS, "run", "--", str(BIN / name), *words], **env) as server:
        yield Client(server.url)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One server for the tests that only ask it."""
    with served(tmp_path_factory.mktemp("served")) as client:
        yield client


def test_a_finished_request_has_its_report(server):
    """200 and the report's JSON, by the id that the response carried."""
    run = server.run_of("/bad")
    status, headers, text = server(f"/observability/run/{run}/report")
    told = json.loads(text)
    assert (status, headers["Content-Type"], told["run_id"]) == (200, "application/json", run)
    assert (told["outcome"], told["stopped_because"]["error_type"]) == ("failed", "ValueError")


@pytest.mark.parametrize(
    ("asked", "kind", "begins"),
    [
        ({"accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}, "text/html", "<!doctype html>"),
        ({"accept": "text/markdown"}, "text/markdown", "# FAILED"),
        ({"accept": "text/html;q=0.2, application/json"}, "application/json", "{"),
        ({"accept": "image/png"}, "application/json", "{"),
        ({"accept": "text/plain"}, "text/plain", "FAILED"),
    ],
)
def test_the_form_is_what_is_asked_for(server, asked, kind, begins):
    """`Accept` chooses by its qualities; JSON where it says nothing that we have."""
    _, headers, text = server(f"/observability/run/{server.run_of('/bad')}/report", **asked)
    assert headers["Content-Type"].startswith(kind)
    assert text.startswith(begins)


def test_format_wins_over_accept(server):
    """`?format=` is for addresses that one passes on; an unknown one is 400 and says which there are."""
    path = f"/observability/run/{server.run_of('/bad')}/report"
    assert server(f"{path}?format=md", accept="text/html")[2].startswith("# FAILED")
    status, _, text = server(f"{path}?format=pdf")
    assert (status, "html, json, md" in text) == (400, True)


def test_a_page_may_not_be_framed_cached_or_guessed_at(server):
    """The response's headers keep a report where it was asked for."""
    headers = server(f"/observability/run/{server.run_of('/bad')}/report?format=html")[1]
    assert headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    assert (headers["Cache-Control"], headers["X-Content-Type-Options"]) == ("no-store", "nosniff")


def test_the_runs_are_listed_newest_first(server):
    """As JSON, as Markdown, and as a page whose links lead to the reports."""
    run = server.run_of("/bad")
    listed = json.loads(server("/observability/runs?limit=1")[2])["runs"]
    assert [(each["run_id"], each["outcome"]) for each in listed] == [(run, "failed")]
    assert f"run/{run}/report?format=html" in server("/observability/runs", accept="text/html")[2]
    assert run in server("/observability/runs?format=md")[2]


def test_a_request_for_a_report_begins_no_run(server):
    """Nothing that the routes do is recorded, and their responses carry no run."""
    before = json.loads(server("/observability/runs?limit=200")[2])["runs"]
    _, headers, _ = server(f"/observability/run/{server.run_of('/fine')}/report")
    after = json.loads(server("/observability/runs?limit=200")[2])["runs"]
    assert headers["X-Run-Id"] is None
    assert len(after) == len(before) + 1  # /fine alone


def test_an_unknown_run_is_404_and_other_paths_are_the_applications(server):
    """What is not exactly one of the two routes goes to the application, and is recorded."""
    assert server("/observability/run/nobody/report")[0] == 404
    assert "no such run" in server("/observability/run/nobody/report")[2]
    assert server("/observability/run/..%2f..%2fetc/report")[0] == 404
    for path, method in [
        ("/observability/other", "GET"),
        ("/observability/runs", "POST"),
        ("/observability/runs/", "GET"),
    ]:
        status, headers, text = server(path, method)
        assert (status, json.loads(text), bool(headers["X-Run-Id"])) == (404, {"detail": "Not Found"}, True)


def test_head_has_the_headers_and_no_body(server):
    """As HTTP has it."""
    status, headers, text = server(f"/observability/run/{server.run_of('/bad')}/report", "HEAD")
    assert (status, text, int(headers["Content-Length"]) > 100) == (200, "", True)


@pytest.mark.parametrize(
    "headers",
    [{"x_forwarded_for": "10.0.0.1"}, {"forwarded": "for=10.0.0.1"}, {"via": "1.1 proxy"}, {"host": "evil.example"}],
)
def test_strangers_meet_the_application_as_it_is(server, headers):
    """Through a proxy, or under another site's name, it is as if there were no routes: the application's own 404."""
    status, answered, text = server("/observability/runs", **headers)
    assert (status, json.loads(text), bool(answered["X-Run-Id"])) == (404, {"detail": "Not Found"}, True)


def test_a_running_request_is_told_as_in_progress(tmp_path):
    """200 while it runs: the report says how far it is."""
    with served(tmp_path) as client:
        threading.Thread(target=lambda: _quiet(client, "/slow"), daemon=True).start()
        told = _eventually(lambda: _named(client, "GET /slow"))
        status, _, text = client(f"/observability/run/{told['run_id']}/report")
        assert (status, json.loads(text)["outcome"], len(json.loads(text)["in_flight"])) == (200, "in_progress", 1)


def _quiet(client, path):
    with suppress(OSError):  # the server is gone before it has answered
        client(path)


def _named(client, name):
    runs = json.loads(client("/observability/runs?limit=200")[2])["runs"]
    return next((each for each in runs if each["name"] == name), None)


def _eventually(ask):
    end = time.monotonic() + 60
    while not (found := ask()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def test_a_token_lets_others_in_and_only_with_it(tmp_path):
    """With a token set, a stranger is told to send it; the right one opens, a wrong one does not; nothing shows it."""
    with served(tmp_path, CODEINTEL_OBS_REPORT_TOKEN="open-sesame-4711") as client:
        far = {"x_forwarded_for": "10.0.0.1"}
        status, headers, text = client("/observability/runs", **far)
        assert (status, headers["WWW-Authenticate"], "report_token" in text) == (401, "Bearer", True)
        assert client("/observability/runs", authorization="Bearer open-sesame-4712", **far)[0] == 401
        assert client("/observability/runs", authorization="Bearer open-sesame-4711", **far)[0] == 200
        assert client("/observability/runs")[0] == 200
    stored = b"".join(path.read_bytes() for path in (tmp_path / ".codeintel").rglob("*") if path.is_file())
    assert b"open-sesame" not in stored
    said = processes.run(tmp_path, OBS, "config", "--json", CODEINTEL_OBS_REPORT_TOKEN="open-sesame-4711")
    assert "open-sesame" not in said.stdout + said.stderr


def test_one_setting_switches_them_off(tmp_path):
    """Off, every path is the application's."""
    with served(tmp_path, CODEINTEL_OBS_REPORT_ROUTES="off") as client:
        status, headers, _ = client("/observability/runs")
        assert (status, bool(headers["X-Run-Id"])) == (404, True)


def test_an_applications_own_route_is_never_shadowed(tmp_path):
    """What the application has there is answered by it, and recorded like any request; the other route is ours."""
    with served(tmp_path, OWN) as client:
        _, headers, text = client("/observability/runs")
        assert (json.loads(text), bool(headers["X-Run-Id"])) == ({"mine": True}, True)
        assert client(f"/observability/run/{headers['X-Run-Id']}/report")[0] == 200


def test_an_application_that_takes_every_path_keeps_them(tmp_path):
    """What it answers is the answer; the command tells the same report."""
    with served(tmp_path, CATCH_ALL) as client:
        assert json.loads(client("/observability/runs")[2]) == {"path": "observability/runs"}


@pytest.mark.parametrize("code", [BARE, WRAPPED], ids=["bare", "behind an unwatched middleware"])
def test_an_application_of_any_make_has_them(tmp_path, code):
    """Where it says 404 itself, the routes answer in its place."""
    with served(tmp_path, code) as client:
        run = client.run_of("/")
        assert client(f"/observability/run/{run}/report")[0] == 200


def test_a_big_report_does_not_hold_up_the_application(tmp_path):
    """While a report of a long run is made, the application goes on answering."""
    steps = "from codeintel_obs import start, step\nstart()\nfor n in range(40_000):\n    with step('big.part'): pass\n"
    processes.run(tmp_path, OBS, "run", "--run-id", "big", "--", processes.sys.executable, "-c", steps)
    with served(tmp_path) as client:
        done = []
        asked = threading.Thread(target=lambda: done.append(client("/observability/run/big/report")[0]))
        asked.start()
        answered = 0
        while not done:
            assert client("/fine")[0] == 200
            answered += 1
        asked.join()
    assert done == [200]
    assert answered > 1


def test_no_thread_to_be_had_is_an_answer_and_no_error(monkeypatch):
    """Where the system gives no thread more, the asker is told to come again, and nothing is raised."""

    def start(_thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    answer = asyncio.run(routes._on_a_thread(lambda: problem(500, "never made")))
    assert (answer.status, dict(answer.headers)[b"retry-after"]) == (503, b"2")


def test_a_pruned_run_is_gone_and_said_so(tmp_path):
    """410 for what was recorded and removed: its tombstone says so. 404 stays what never was."""
    folder = str(tmp_path / ".codeintel")
    for words in (["run", "--run-id", "old", "--data-dir", folder, "--", sys.executable, "-c", "pass"],
                  ["prune", "--run", "old", "--data-dir", folder]):  # fmt: skip
        subprocess.run([sys.executable, "-m", "codeintel_obs.cli", *words], check=True, capture_output=True)
    with served(tmp_path) as client:
        assert client("/observability/run/old/report")[0] == 410
        assert client("/observability/run/new/report")[0] == 404


@pytest.mark.parametrize(
    ("accept", "form"),
    [(b"", "json"), (b"*/*", "json"), (b"text/markdown;q=0.5, text/html;q=0.4", "md"), (b"text/html;q=x", "json"),
     (b"TEXT/HTML", "html"), (b"text/html;q=0", "json"), (b",;,\xff", "json")],
)  # fmt: skip
def test_accept_is_read_as_http_has_it(accept, form):
    """Qualities rank; what cannot be read counts for nothing."""
    assert wanted(accept) == form


def test_where_an_application_can_be_looked_into_nothing_of_it_runs():
    """Own routes, routes that match, and none: told from its routes alone, through what it is wrapped in."""
    from starlette.applications import Starlette
    from starlette.routing import Mount, Route

    class Around:
        def __init__(self, app):
            self.app = app

    def app(*paths):
        return Around(Around(Starlette(routes=[Route(path, lambda _: None) for path in paths])))

    asked = "/observability/runs"
    assert asgi.place_of(app("/other"), asked) is asgi.Place.FREE
    assert asgi.place_of(app("/other", "/{path:path}"), asked) is asgi.Place.MAYBE
    assert asgi.place_of(app("/observability/{name}"), asked) is asgi.Place.OWN
    assert asgi.place_of(Starlette(routes=[Mount("/observability", Starlette())]), asked) is asgi.Place.OWN
    assert asgi.place_of(object(), asked) is asgi.Place.MAYBE
