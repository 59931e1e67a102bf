"""The service behind every transport: bounds, the index that answers now, and what is said when there is none."""

import asyncio
import contextvars
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from rev_served import commit, write_repository

from codeintel_rev.config.settings import Settings
from codeintel_rev.errors import BusyError, DamagedIndexError, DeadlineError, NotFoundError, OverloadedError
from codeintel_rev.gate import Gate, Limits
from codeintel_rev.indexing.build import BuildRequest, build_index
from codeintel_rev.io import build_lock
from codeintel_rev.io.symbols import SymbolQuery
from codeintel_rev.io.text_search import TextQuery
from codeintel_rev.service import FRESH_SECONDS, OLDEST_SECONDS, CodeIntel, SearchQuery

_seen = contextvars.ContextVar("seen", default="nothing")


@pytest.fixture
def settings(tmp_path):
    return Settings.from_environment(
        {"CODEINTEL_REV_CACHE": str(tmp_path / "cache"), "CODEINTEL_REV_MODEL_DIR": str(tmp_path / "nowhere")}
    )


@pytest.fixture
def root(tmp_path):
    (tmp_path / "repo").mkdir()
    write_repository(tmp_path / "repo")
    return tmp_path / "repo"


@pytest.fixture
def service(root, settings):
    opened = CodeIntel(root, settings)
    yield opened
    opened.close()


def index(root, settings):
    build_index(BuildRequest(root, settings, vectors=False))


async def test_the_gate_refuses_what_is_too_much():
    """At once: whoever waits for nothing would be told of it too late."""
    gate, go_on = Gate(Limits(workers=1, waiting=1, seconds=30)), threading.Event()
    two = [asyncio.ensure_future(gate.run(go_on.wait, 30)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError, match="2 requests are being worked on or wait already"):
        await gate.run(int)
    go_on.set()
    assert await asyncio.gather(*two) == [True, True]
    assert await gate.run(int) == 0
    gate.close()


async def test_a_call_over_its_time_keeps_its_place_until_it_ends():
    """So that slow work cannot pile up behind answers that have long been given."""
    gate, go_on = Gate(Limits(workers=1, waiting=0, seconds=0.05)), threading.Event()
    with pytest.raises(DeadlineError, match=r"no answer within 0\.05 s"):
        await gate.run(go_on.wait, 30)
    with pytest.raises(OverloadedError):
        await gate.run(int)
    go_on.set()
    while gate._inside:  # noqa: ASYNC110 - the thread tells nobody
        await asyncio.sleep(0.01)
    assert await gate.run(int) == 0
    gate.close()


async def test_a_call_brings_its_own_failures_and_context():
    """A TimeoutError of the work is the work's; the caller's context variables are seen in the thread."""
    gate = Gate(Limits(workers=1))

    def late():
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        await gate.run(late)
    _seen.set("something")
    assert await gate.run(_seen.get) == "something"
    gate.close()


def test_without_an_index_files_still_answer(service):
    """And say that nothing is indexed; what needs an index says how to make one."""
    reply = service.search_text(TextQuery("charge_card"))
    assert [match.path for match in reply.body.matches] == ["pay.py"]
    assert (reply.index, reply.degraded[0].channel, "codeintel-rev index" in reply.degraded[0].mend) == (
        None,
        "index",
        True,
    )
    for ask in (lambda: service.search(SearchQuery("x")), lambda: service.find_symbol(SymbolQuery("x"))):
        with pytest.raises(NotFoundError, match="no index in"):
            ask()


def test_a_new_generation_answers_without_a_restart(service, root, settings):
    index(root, settings)
    assert service.find_symbol(SymbolQuery("refund")).body == ([], False)
    (root / "later.py").write_text("def refund():\n    return 1\n")
    head = commit(root)
    time.sleep(1.1)  # what git told is remembered for a second
    assert service.search(SearchQuery("charge")).index.commits_behind == 1
    index(root, settings)
    reply = service.find_symbol(SymbolQuery("refund"))
    assert (reply.body[0][0].path, reply.index.commit, reply.index.commits_behind) == ("later.py", head, 0)


def test_a_generation_in_use_stays_open_until_its_last_user_leaves(service, root, settings):
    index(root, settings)
    with service._served.current() as old:
        (root / "later.py").write_text("x = 1\n")
        commit(root)
        index(root, settings)
        with service._served.current() as new:
            assert new.generation != old.generation
        assert old.symbols.find(SymbolQuery("charge"))[0]
        assert old.search.search("charge", 3).hits
    with pytest.raises(DamagedIndexError, match="cannot be read"):
        old.symbols.find(SymbolQuery("charge"))


def test_a_crowd_opens_an_index_once(service, root, settings):
    index(root, settings)
    meeting = threading.Barrier(8)

    def ask(_):
        meeting.wait()
        with service._served.current() as opened:
            return id(opened)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1


def test_a_damaged_index_is_said_and_mended_without_a_restart(service, root, settings):
    index(root, settings)
    generation = service.folder.current()
    (generation / "catalog.duckdb").write_bytes(b"nonsense")
    with pytest.raises(DamagedIndexError, match="cannot be read"):
        service.find_symbol(SymbolQuery("charge"))
    assert service.search_text(TextQuery("charge_card")).degraded[0].channel == "index"
    shutil.rmtree(generation)
    index(root, settings)
    assert service.find_symbol(SymbolQuery("charge")).body[0]


def test_edits_are_said_on_the_hit_and_in_the_envelope(service, root, settings):
    index(root, settings)
    (root / "pay.py").write_text("# edited\n" + (root / "pay.py").read_text())
    answer = service.search(SearchQuery("charge_card"))
    assert answer.index.dirty == ("pay.py",)
    assert {hit.path: hit.changed for hit in answer.hits}["pay.py"] is True


def test_a_slow_git_keeps_one_thread_and_no_other(service, root, settings):
    """The others go on with what git told last, as long as that is not old."""
    index(root, settings)
    first = service.search(SearchQuery("charge")).index
    service._now = replace(service._now, at=service._now.at - FRESH_SECONDS - 1)
    with service._looking:  # as a thread holds it that waits for git
        assert service.search(SearchQuery("charge")).index.commit == first.commit
    service._now = replace(service._now, at=service._now.at - OLDEST_SECONDS)
    with service._looking, ThreadPoolExecutor(1) as pool:
        waits = pool.submit(service.search, SearchQuery("charge"))
        with pytest.raises(TimeoutError):
            waits.result(0.5)
        service._now = replace(service._now, at=time.monotonic() + 60)  # git has told: nobody needs to ask again
        service._looking.release()
        assert waits.result(60).index.commit == first.commit
        service._looking.acquire()


def test_reindexing_twice_at_once_is_refused(service, root, settings):
    """Whoever is at it: this service, or any other living process."""
    index(root, settings)
    with build_lock.held(service.folder.path):
        assert service.index_status()[0].underway is None  # it has not said yet what it does
    service.reindex()
    with pytest.raises(BusyError, match="index"):
        service.reindex()
    while service.reindexing:
        time.sleep(0.05)
    status, last = service.index_status()
    assert (last.exit_code, status.index.commits_behind) == (0, 0)


def test_a_reindex_that_fails_is_told(service, root, settings):
    """Its last words, for whoever asks for the status."""
    index(root, settings)
    with build_lock.held(service.folder.path):
        service._indexing.start([str(root)])
        while service.reindexing:
            time.sleep(0.05)
    _, last = service.index_status()
    assert (last.exit_code, "is indexing into" in last.said) == (1, True)


SLOW_GIT = """#!/bin/sh
case "$*" in *status*) [ -e {flag} ] && sleep 4;; esac
exec {git} "$@"
"""


@pytest.mark.slow
def test_a_request_over_its_time_is_504_and_one_too_many_503(tmp_path, monkeypatch):
    """With a git that takes its time: the server answers at its deadline, and refuses while its one worker is taken."""
    import rev_served

    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "git"
    script.write_text(SLOW_GIT.format(git=shutil.which("git"), flag=tmp_path / "slow"))
    script.chmod(0o755)
    monkeypatch.setattr(
        rev_served,
        "rev_environ",
        lambda folder, made=rev_served.rev_environ: made(folder) | {"PATH": f"{script.parent}:{made(folder)['PATH']}"},
    )
    with rev_served.own_server(tmp_path, "--workers", "1", "--waiting", "0", "--seconds", "1") as server:
        (tmp_path / "slow").touch()
        with server.client() as client:
            late = client.get("/v1/search?q=charge")
            refused = client.get("/v1/search?q=charge")
            alive = client.get("/healthz")
        (tmp_path / "slow").unlink()
    assert (late.status_code, late.json()["detail"]) == (504, "no answer within 1 s")
    assert (refused.status_code, refused.headers["retry-after"], alive.status_code) == (503, "1", 200)
