"""codeintel_rev, searching while the embedding server misbehaves: an answer in time, degraded, and saying so."""

import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from openai_server import serving
from rev_corpus import commit, remote

from codeintel_rev.config.settings import SearchSettings
from codeintel_rev.errors import ClosedError
from codeintel_rev.indexing.build import BuildRequest, build_index
from codeintel_rev.io.generations import IndexFolder
from codeintel_rev.io.hybrid_search import HybridSearch, Wish
from codeintel_rev.retrieval.search import SearchRequest, search
from codeintel_rev.service import CodeIntel, SearchQuery

FILES = {
    "shop/cart.py": "class Cart:\n    def add_item(self, item):\n        self.items.append(item)\n",
    "shop/pay.py": "def charge_card(number, amount):\n    return gateway.charge(number, amount)\n",
    "weather.py": "def rain_tomorrow(city):\n    return forecast(city).rain\n",
}
QUERY = "how to charge a card"


@pytest.fixture(scope="module")
def generation(tmp_path_factory):
    """An index whose vectors came from a server that has gone since; each test has its own."""
    root = tmp_path_factory.mktemp("repo")
    commit(root, FILES)
    with serving() as (url, _):
        build_index(BuildRequest(root, remote(root, url)))
    return IndexFolder(root / ".codeintel-rev").current()


@pytest.fixture
def served():
    with serving() as (url, behaviour):
        yield url, behaviour


@pytest.fixture
def opened(generation, tmp_path):
    """Opens the index with settings of its own, and closes it at the end."""
    opened = []

    def open_one(url, *, search=None, **embedding):
        own = search or SearchSettings(deadline=60.0, rest=0.0)
        opened.append(HybridSearch(generation, remote(tmp_path, url, search=own, **embedding)))
        return opened[-1]

    yield open_one
    for index in opened:
        index.close()


def outcome(found, channel="semantic"):
    return next(item for item in found.channels if item.channel == channel)


def check_degraded(found, status, reason):
    """The lexical channel has found it, and the answer names what is missing and why."""
    assert [hit.name for hit in found.hits][:1] == ["charge_card"]
    assert (outcome(found).status, outcome(found, "bm25").status) == (status, "ran")
    assert reason in outcome(found).reason
    assert [(item.channel, item.reason) for item in found.degraded] == [("semantic", outcome(found).reason)]


def hangs(behaviour):
    behaviour.hangs = True


def drips(behaviour):
    behaviour.drips = True


def fails(behaviour):
    behaviour.statuses = [(503, {})] * 99


def asks_to_wait(behaviour):
    behaviour.statuses = [(429, {"Retry-After": "3600"})] * 9


def lies(behaviour):
    behaviour.body = b"<html>it works</html>"


def shrinks(behaviour):
    behaviour.dim = 7


@pytest.mark.parametrize(
    ("fault", "status", "reason"),
    [
        (hangs, "timed_out", "did not answer within 0.5 s"),
        (drips, "timed_out", "did not answer within 0.5 s"),
        (fails, "failed", "said 503"),
        (asks_to_wait, "failed", "the next try would come too late"),
        (lies, "failed", "answered what is no JSON"),
        (shrinks, "skipped", "the index was made with vllm:hashed-words/64, the model here is vllm:hashed-words/7"),
    ],
)
def test_a_faulty_server_degrades_the_answer(served, opened, fault, status, reason):
    """Hung, slow, failing, asking for patience, lying, and serving another dimension."""
    url, behaviour = served
    fault(behaviour)
    index = opened(url, query_timeout=0.5 if fault in (hangs, drips) else 20.0)
    check_degraded(index.search(QUERY, 3), status, reason)
    assert not behaviour.over.is_set()


def test_a_server_that_refuses_connections_degrades_the_answer(opened):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        index = opened(f"http://127.0.0.1:{taken.getsockname()[1]}", attempts=2)
        check_degraded(index.search(QUERY, 3), "failed", "cannot be reached")


def test_503_and_then_200_is_a_whole_answer(served, opened):
    url, behaviour = served
    behaviour.statuses = [(503, {}), (429, {"Retry-After": "0"})]
    found = opened(url).search(QUERY, 3)
    assert (outcome(found).status, found.degraded, len(behaviour.requests)) == ("ran", (), 3)


def test_the_deadline_of_one_search_bounds_a_hung_server(served, opened):
    """Also when the settings would be more patient."""
    url, behaviour = served
    behaviour.hangs = True
    found = opened(url).search(QUERY, 3, Wish(deadline=1.0))
    check_degraded(found, "timed_out", "within 0.72 s")


def test_a_channel_that_failed_rests_before_it_is_asked_again(served, opened):
    """So that a frozen server is not waited for by one search after another; it is named all the same."""
    url, behaviour = served
    behaviour.statuses = [(400, {})]
    index = opened(url, search=SearchSettings(deadline=60.0, rest=1000.0))
    check_degraded(index.search(QUERY, 3), "failed", "said 400")
    asked = len(behaviour.requests)
    again = index.search(QUERY, 3)
    check_degraded(again, "skipped", "said 400")
    assert "asked again in" in outcome(again).reason
    assert len(behaviour.requests) == asked


def test_after_its_rest_a_channel_is_whole_again(served, opened):
    url, behaviour = served
    behaviour.statuses = [(400, {})]
    index = opened(url)
    assert outcome(index.search(QUERY, 3)).status == "failed"
    assert outcome(index.search(QUERY, 3)).status == "ran"


def test_100_searches_at_once_are_answered_like_one(served, opened):
    """One index, opened by the crowd itself; the same hits, scores and outcomes for each query."""
    url, _ = served
    queries = [QUERY, "add_item", "weather.py", "rain tomorrow", r"def \w+_card"]
    with closing(HybridSearch(opened(url)._folder, opened(url)._settings)) as one:
        alone = {query: one.search(query, 3) for query in queries}
    crowd = opened(url)
    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda query: (query, crowd.search(query, 3)), queries * 20))
    assert len(answers) == 100
    for query, found in answers:
        assert (found.hits, found.degraded) == (alone[query].hits, ())


def test_100_searches_at_once_outlive_a_hung_server(served, opened):
    url, behaviour = served
    behaviour.hangs = True
    index = opened(url, query_timeout=0.2)
    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda _: index.search(QUERY, 3), range(100)))
    assert {hit.name for found in answers for hit in found.hits[:1]} == {"charge_card"}
    assert {tuple(item.channel for item in found.degraded) for found in answers} == {("semantic",)}


def test_closing_waits_for_the_searches_that_are_under_way(served, opened):
    """The last of them closes; whoever comes later is told."""
    url, behaviour = served
    index = opened(url)
    behaviour.gate = reached = Reached()
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(index.search, QUERY, 3)
        reached.wait_until_asked()
        index.close()
        with pytest.raises(ClosedError):
            index.search(QUERY, 3)
        reached.go_on()
        assert outcome(under_way.result()).status == "ran"


class Reached:
    """Holds the server's answer until the test has seen that it was asked."""

    def __init__(self):
        import threading

        self._asked, self._on = threading.Event(), threading.Event()

    def wait(self):
        self._asked.set()
        self._on.wait()

    def wait_until_asked(self):
        self._asked.wait()

    def go_on(self):
        self._on.set()


def test_what_an_index_lacks_is_told_once(served, tmp_path):
    """Half of the vectors could not be made: search, service and status each name that in one line."""
    url, _ = served
    root, settings = tmp_path / "repo", remote(tmp_path, url)
    commit(root, FILES)
    build_index(BuildRequest(root, settings))
    commit(root, {"later.py": "def refund_card(number):\n    return number\n"})
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nowhere = remote(tmp_path, f"http://127.0.0.1:{taken.getsockname()[1]}", attempts=1)
        lacking = build_index(BuildRequest(root, nowhere)).manifest.degraded
    assert len(lacking) == 1
    with closing(CodeIntel(root, settings)) as service:
        told = [
            search(SearchRequest(QUERY, settings, root)).degraded,
            service.search(SearchQuery(QUERY)).degraded,
            service.index_status()[0].degraded,
        ]
    assert told == [lacking] * 3
