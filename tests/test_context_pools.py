"""The current step travels with each task of a `multiprocessing.pool.ThreadPool`, and its pool stays what it was."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from multiprocessing.dummy import Pool as DummyPool
from multiprocessing.pool import ThreadPool
from pathlib import Path

import pytest

from codeintel_obs import carriers, step
from codeintel_obs.context import current, suppress, suppressed
from codeintel_obs.testing import recording


@pytest.fixture
def told():
    carriers.install(lambda: None)
    try:
        with recording() as told:
            yield told
    finally:
        carriers.uninstall()


@pytest.fixture
def pool(told):
    """A pool that was made under a step of its own, with one worker that has lived before."""
    with step("app.creator"):
        made = ThreadPool(1)
    with made:
        yield made
        made.close()
        made.join()


def work(number=0):
    with step("app.inner"):
        return number * 2


def parents(told, kind="app.inner"):
    names = {each.span_id: each.kind for each in told.begun}
    return [names.get(each.parent_span_id) for each in told.of(kind)]


SUBMITS = {
    "apply": lambda pool: pool.apply(work),
    "apply_async": lambda pool: pool.apply_async(work).get(10),
    "map": lambda pool: pool.map(work, [1]),
    "map in chunks": lambda pool: pool.map(work, [1, 2, 3], chunksize=2),
    "map_async": lambda pool: pool.map_async(work, [1]).get(10),
    "starmap": lambda pool: pool.starmap(work, [(1,)]),
    "starmap_async": lambda pool: pool.starmap_async(work, [(1,)]).get(10),
    "imap": lambda pool: list(pool.imap(work, [1])),
    "imap in chunks": lambda pool: list(pool.imap(work, [1, 2, 3], chunksize=2)),
    "imap_unordered": lambda pool: list(pool.imap_unordered(work, [1])),
}


@pytest.mark.parametrize("submit", SUBMITS.values(), ids=SUBMITS)
def test_each_task_hangs_from_the_step_that_submitted_it(told, pool, submit):
    """A worker takes the step of each task: not that of the pool's creator, nor that of the task before."""
    for name in ("app.first", "app.second"):
        with step(name):
            submit(pool)
    submit(pool)
    count = len(told.of("app.inner")) // 3
    assert parents(told) == ["app.first"] * count + ["app.second"] * count + [None] * count


def test_task_submitted_before_another_keeps_its_own_step(told, pool):
    """Tasks of several steps that wait in one queue each keep their own."""
    go = threading.Event()
    blocked = pool.apply_async(go.wait, (10,))
    waiting = []
    for name in ("app.first", "app.second"):
        with step(name):
            waiting.append(pool.apply_async(work))
    go.set()
    assert [each.get(10) for each in (blocked, *waiting)] == [True, 0, 0]
    assert parents(told) == ["app.first", "app.second"]


def test_pool_of_multiprocessing_dummy_is_carried(told):
    """`multiprocessing.dummy.Pool` is the same pool."""
    with step("app.creator"):
        pool = DummyPool(2)
    with pool, step("app.submitter"):
        pool.map(work, range(4))
    assert parents(told) == ["app.submitter"] * 4


def test_callbacks_run_under_the_step_that_submitted(told, pool):
    """A callback and an error callback hang from the step that handed them over."""
    done = threading.Semaphore(0)

    def called(_result):
        work()
        done.release()

    with step("app.submitter"):
        pool.apply_async(int, ("7",), callback=called)
        pool.apply_async(int, ("x",), error_callback=called)
    assert done.acquire(timeout=10)
    assert done.acquire(timeout=10)
    assert parents(told) == ["app.submitter"] * 2


def test_lazy_arguments_are_made_under_the_step_that_submitted(told, pool):
    """What `imap` draws from the application's generator, on a thread of the pool's, hangs from the submitter."""
    with step("app.submitter"):
        assert list(pool.imap(abs, (work(number) for number in (1, 2)))) == [2, 4]
    assert parents(told) == ["app.submitter"] * 2


def test_results_and_errors_are_the_tasks_own(told, pool):
    """Results and exceptions are the very objects; an error of lazy arguments comes out where it did."""
    result, raised = object(), LookupError("x")

    def fail(_argument=None):
        raise raised

    def arguments():
        yield 1
        raise raised

    assert pool.apply(lambda: result) is result
    assert pool.map(lambda each: each, [result])[0] is result
    for run in (lambda: pool.apply(fail), lambda: pool.map(fail, [1]), lambda: list(pool.imap(abs, arguments()))):
        with pytest.raises(LookupError) as found:
            run()
        assert found.value is raised


def test_no_frame_of_ours_stands_between_worker_and_task(told, pool):
    """A task sees the frames that it sees unwatched: the pool's worker calls it."""
    assert pool.apply(lambda: sys._getframe(1).f_code.co_name) == "worker"


def test_own_tasks_stay_unrecorded(told, pool):
    """What our own code submits under suppression is suppressed there; the next task is not."""
    with suppress():
        assert pool.apply(suppressed.get) is True
    assert pool.apply(suppressed.get) is False


def test_pool_that_is_terminated_leaves_the_callers_step(told):
    """Ending a pool, which drains its queue on the caller's thread, changes nothing there."""
    go = threading.Event()
    pool = ThreadPool(1)
    pool.apply_async(go.wait, (10,))
    with step("app.other"):
        pool.map_async(work, [1, 2])
    with step("app.outer"):
        around = current.get()
        go.set()
        pool.terminate()
        assert current.get() is around
    assert current.get() is None


def test_initializer_runs_under_the_pools_creator(told):
    """What a worker is initialised with hangs from the step that made the pool."""
    with step("app.creator"), ThreadPool(1, initializer=work) as pool:
        pool.apply(abs, (1,))
    assert parents(told) == ["app.creator"]


def test_pool_made_before_the_carriers_works_on(told):
    """A pool that is older than the carriers, or outlives them, is a plain pool."""
    carriers.uninstall()
    with ThreadPool(1) as old:
        carriers.install(lambda: None)
        assert old.map(work, [1, 2]) == [2, 4]
    with ThreadPool(1) as young:
        carriers.uninstall()
        assert young.map(work, [1, 2]) == [2, 4]


# -- pools of processes: the limit that docs/transparency.md names ----------------------------------------------------

PROGRAM = """
import multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor
import codeintel_obs
codeintel_obs.start(data_dir={data!r})

def work(number):
    with codeintel_obs.step("app.child"):
        return number

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    with codeintel_obs.step("app.first"):
        pool = context.Pool(1)
        executor = ProcessPoolExecutor(1, mp_context=context)
        assert [pool.apply(work, (1,)), executor.submit(work, 2).result()] == [1, 2]
    with codeintel_obs.step("app.second"):
        assert [pool.apply(work, (3,)), executor.submit(work, 4).result()] == [3, 4]
    pool.close()
    pool.join()
    executor.shutdown()
"""


@pytest.mark.slow
def test_worker_process_keeps_the_step_that_started_it(tmp_path):
    """Tasks go to worker processes as they are: their steps hang from the step that started the worker."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(data=str(tmp_path / "data")))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CODEINTEL")}
    done = subprocess.run(
        [sys.executable, program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    paths = (Path(tmp_path) / "data" / "telemetry" / "runs").rglob("*.jsonl")
    records = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
    begun = [each for each in records if each["event"] == "step.begin"]
    first = next(each["span_id"] for each in begun if each["kind"] == "app.first")
    assert [each["parent_span_id"] for each in begun if each["kind"] == "app.child"] == [first] * 4
