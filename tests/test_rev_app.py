"""Every HTTP route over a real socket, with and without the recorder in front of the server."""

import time

import pytest
from rev_served import FILES, LAUNCHERS, PAY, behind, lasting, serving

pytestmark = pytest.mark.slow  # real servers

ROUTES = [
    ("GET", "/v1/search?q=charge+card&limit=2", None),
    ("POST", "/v1/search", {"query": "charge_card", "explain": True, "weights": {"bm25": 2, "exact": 5}}),
    ("GET", "/v1/text?pattern=def+charge", None),
    ("POST", "/v1/text", {"pattern": "CHARGE", "case": "ignore", "globs": ["*.md", "*.ts"], "context": 1}),
    ("GET", "/v1/symbols?name=charge", None),
    ("GET", "/v1/files?globs=*.py", None),
    ("GET", "/v1/files/pay.py?start=7&lines=2", None),
    ("GET", "/v1/blame?path=pay.py&start=12&lines=3", None),
    ("GET", "/v1/history?path=pay.py", None),
    ("GET", "/v1/index", None),
    ("GET", "/healthz", None),
    ("GET", "/readyz", None),
    ("GET", "/v1/nothing", None),
    ("GET", "/v1/search?q=+", None),
    ("GET", "/openapi.json", None),
]


def get(server, path):
    with server.client() as client:
        answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_search(server):
    """The best hit with its place and snippet, and the envelope: commit, freshness, stages, what is missing."""
    answer = get(server, "/v1/search?q=retry+until+the+bank+answers&limit=1")
    hit = answer["hits"][0]
    assert (hit["path"], hit["name"], hit["kind"], hit["start_line"]) == ("pay.py", "charge_card", "function", 12)
    assert list(hit) == ["path", "start_line", "end_line", "kind", "name", "score", "snippet", "snippet_line"]
    assert (len(answer["index"]["commit"]), answer["index"]["stale"], answer["index"]["branch"]) == (40, False, "main")
    assert (answer["stages"]["bm25"], answer["stages"]["semantic"]) == ("ran", "skipped")
    assert [item["channel"] for item in answer["degraded"]] == ["semantic"]
    assert "cannot be read" in answer["degraded"][0]["reason"]


def test_search_explained(server):
    """By POST, with weights: ranks per channel on the hit, times and counts per stage."""
    body = {"query": "charge_card", "limit": 1, "explain": True, "weights": {"bm25": 2}}
    with server.client() as client:
        answer = client.post("/v1/search", json=body).json()
    assert answer["hits"][0]["channels"]["bm25"]["rank"] == 1
    assert (answer["query_kind"], answer["weights"]["bm25"]) == ("identifier", 2)
    assert {"bm25", "fuse", "hydrate"} <= {stage["stage"] for stage in answer["explained"]}


def test_text(server):
    """Lines of the working tree: untracked files too, ignored, binary and linked ones not; bad UTF-8 is shown."""
    answer = get(server, "/v1/text?pattern=charge")
    assert sorted({match["path"] for match in answer["matches"]}) == [
        "crlf.txt",
        "docs/guide.md",
        "latin.txt",
        "new.py",
        "odd\\udcff.txt",
        "pay.py",
        "web/app.ts",
    ]
    assert answer["skipped"] == {"binary": 1, "no regular file": 2}
    latin = next(match for match in answer["matches"] if match["path"] == "latin.txt")
    assert latin == {"path": "latin.txt", "line": 1, "column": 6, "text": "caf\ufffd charge"}


def test_symbols(server):
    answer = get(server, "/v1/symbols?name=charge&limit=2")
    told = [(found["name"], found["kind"], found["match"], found["start_line"]) for found in answer["symbols"]]
    assert told == [("Gateway.charge", "method", "member", 7), ("charge_card", "function", "prefix", 12)]
    assert answer["symbols"][0]["signature"] == "def charge(self, number, amount):"
    assert answer["truncated"] is True


def test_files_are_listed(server):
    """Page by page, ignored ones and .git never."""
    answer = get(server, "/v1/files?limit=3")
    rest = get(server, f"/v1/files?limit=500&offset={answer['next_offset']}")
    paths = answer["paths"] + rest["paths"]
    assert (len(paths), "next_offset" in rest) == (answer["total"], False)
    assert {"new.py", "pay.py", "outside"} <= set(paths)
    assert not [path for path in paths if path.startswith(".git/") or path == "ignored.log"]


def test_a_file_is_read(server):
    answer = get(server, "/v1/files/pay.py?start=7&lines=2")
    assert answer["text"] == "\n".join(PAY.split("\n")[6:8])
    assert (answer["start_line"], answer["end_line"], answer["next_line"], answer["total_lines"]) == (7, 8, 9, 14)
    assert get(server, "/v1/files/web/app.ts")["text"] == FILES["web/app.ts"].decode().rstrip("\n")


def test_blame_and_history(server):
    """Neighbouring lines of one commit are one hunk; no e-mail address is given away."""
    answer = get(server, "/v1/blame?path=pay.py&start=12&lines=3")
    assert [(h["start_line"], h["end_line"], h["summary"]) for h in answer["hunks"]] == [
        (12, 12, "Add the gateway"),
        (13, 13, "Say till"),
        (14, 14, "Add the gateway"),
    ]
    assert {hunk["author"] for hunk in answer["hunks"]} == {"Ann"}
    history = get(server, "/v1/history?path=pay.py")["commits"]
    assert [change["summary"] for change in history] == ["Say till", "Add the gateway"]
    assert "example.invalid" not in str(answer) + str(history)


def test_index_status_and_health(server):
    status = get(server, "/v1/index")
    assert (status["indexed"], status["index"]["stale"], "indexing" in status) == (True, False, False)
    assert get(server, "/readyz") == {"status": "ready", "commit": status["index"]["commit"]}
    assert get(server, "/healthz")["status"] == "alive"


@pytest.mark.parametrize(
    ("method", "path", "status", "detail"),
    [
        ("GET", "/v1/nothing", 404, "there is no /v1/nothing here"),
        ("DELETE", "/v1/index", 405, "Method Not Allowed"),
        ("GET", "/v1/search", 422, "query.q: Field required"),
        ("GET", "/v1/files?limit=0", 422, "query.limit: Input should be greater than or equal to 1"),
        ("GET", "/v1/search?q=+", 400, "the query is empty"),
        ("GET", "/v1/files/gone.py", 404, "gone.py is not there"),
        ("GET", "/v1/text?pattern=(", 400, "'(' is no regular expression"),
        ("POST", "/v1/search", 422, "body: Field required"),
    ],
)
def test_every_error_is_a_problem(server, method, path, status, detail):
    """RFC 9457, whoever noticed it."""
    with server.client() as client:
        answer = client.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    problem = answer.json()
    assert (problem["status"], problem["title"] != "", detail in problem["detail"]) == (status, True, True), problem


def test_answers_are_the_same_with_the_recorder_in_front(repository):
    """Route by route, whole; only what differs from one moment to the next is left out."""
    answers = []
    for launcher in LAUNCHERS.values():
        with serving(repository, launcher=launcher) as server, server.client() as client:
            got = [client.request(method, path, json=body) for method, path, body in ROUTES]
            answers.append([(a.status_code, a.headers["content-type"], lasting(a.json())) for a in got])
    assert answers[0] == answers[1]


def reindexed(client):
    """The answer to the request, and the status once what it began has ended."""
    answer = client.post("/v1/index")
    while "last_reindex" not in client.get("/v1/index").json():
        time.sleep(0.1)
    return answer


def test_renewing_the_index_is_the_same_with_the_recorder_in_front(tmp_path):
    """Behind before it, accepted, and then up to HEAD and answering from the new commit."""
    again, answers = behind(tmp_path), []
    for launcher in LAUNCHERS.values():
        with serving(again(), launcher=launcher) as server, server.client() as client:
            before = client.get("/v1/index")
            got = [before, reindexed(client)]
            got += [
                client.get(path) for path in ("/v1/index", "/v1/symbols?name=refund_card", "/v1/search?q=refund+card")
            ]
            answers.append([(a.status_code, a.headers["content-type"], lasting(a.json())) for a in got])
    assert [status for status, _, _ in answers[0]] == [200, 202, 200, 200, 200]
    assert [answers[0][n][2]["index"]["stale"] for n in (0, 2)] == [True, False]
    assert answers[0][3][2]["symbols"][0]["path"] == "later.py"
    assert answers[0] == answers[1]
