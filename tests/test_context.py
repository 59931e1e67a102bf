"""The current step travels to what the application starts: threads, executors, tasks, and processes of Python."""

from __future__ import annotations

import asyncio
import json
import os
import queue
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from codeintel_obs import carriers, step
from codeintel_obs.context import current, suppress, suppressed
from codeintel_obs.runs import CONTEXT_VARIABLE
from codeintel_obs.testing import recording


@pytest.fixture
def told():
    carriers.install(lambda: None)
    try:
        with recording() as told:
            yield told
    finally:
        carriers.uninstall()


def work(name="app.inner"):
    with step(name):
        pass


def parents(told, kind="app.inner"):
    names = {each.span_id: each.kind for each in told.begun}
    return [names.get(each.parent_span_id) for each in told.of(kind)]


def test_thread_takes_the_step_that_started_it(told):
    """A thread's steps hang from the step in which it was started, also when that has ended meanwhile."""
    go = threading.Event()

    def wait_and_work():
        go.wait(10)
        work()

    with step("app.outer"):
        thread = threading.Thread(target=wait_and_work)
        thread.start()
    go.set()
    thread.join()
    assert parents(told) == ["app.outer"]


def test_subclass_of_thread_is_carried_too(told):
    """A thread class of the application's own is carried; nothing is left on its object."""

    class Worker(threading.Thread):
        def run(self):
            work()

    worker = Worker()
    before = set(vars(worker))
    with step("app.outer"):
        worker.start()
        worker.join()
    assert parents(told) == ["app.outer"]
    assert {name for name in set(vars(worker)) - before if "codeintel" in name} == set()


def test_workers_of_a_pool_take_each_tasks_own_step(told):
    """A worker that lives on takes the step of each task, not that of the task which first woke it."""
    with ThreadPoolExecutor(1) as pool:
        for name in ("app.first", "app.second"):
            with step(name):
                pool.submit(work).result()
        pool.submit(work).result()
        with step("app.third"):
            list(pool.map(work, ["app.mapped"] * 2))
    assert parents(told) == ["app.first", "app.second", None]
    assert parents(told, "app.mapped") == ["app.third"] * 2


async def test_tasks_and_executors_of_a_loop(told):
    """Tasks, `to_thread` and `run_in_executor` keep the step that they were started in."""
    loop = asyncio.get_running_loop()

    async def task():
        await asyncio.sleep(0)
        work("app.task")

    with step("app.outer"):
        await asyncio.gather(task(), asyncio.create_task(task()))
        await asyncio.to_thread(work, "app.to_thread")
        await loop.run_in_executor(None, work, "app.executor")
    for kind, count in (("app.task", 2), ("app.to_thread", 1), ("app.executor", 1)):
        assert parents(told, kind) == ["app.outer"] * count


def test_error_in_a_task_is_the_applications(told):
    """An exception of a task comes out of its future as itself."""
    raised = LookupError("x")

    def fail():
        raise raised

    with ThreadPoolExecutor(1) as pool, step("app.outer"):
        assert pool.submit(fail).exception() is raised


def test_own_threads_stay_unrecorded(told):
    """What our own code starts under suppression is suppressed in its threads too."""
    found = queue.SimpleQueue()
    with ThreadPoolExecutor(1) as pool:
        with suppress():
            thread = threading.Thread(target=lambda: found.put(suppressed.get()))
            thread.start()
            thread.join()
            found.put(pool.submit(suppressed.get).result())
        found.put(pool.submit(suppressed.get).result())
    assert [found.get(), found.get(), found.get()] == [True, True, False]


def test_carriers_come_off_and_go_on(told):
    """Taken off, the standard library holds its identical objects; put on twice, they are there once."""
    ours = threading.Thread.start
    carriers.install(lambda: None)
    assert threading.Thread.start is ours
    carriers.uninstall()
    original = threading.Thread.start
    assert "codeintel" not in original.__code__.co_filename
    carriers.install(lambda: None)
    assert threading.Thread.start.__wrapped__ is original


def test_signature_of_popen_stays(told):
    """The constructor of `Popen` answers as it did."""
    import inspect

    watched = str(inspect.signature(subprocess.Popen))
    carriers.uninstall()
    assert str(inspect.signature(subprocess.Popen)) == watched


# -- subprocesses ----------------------------------------------------------------------------------------------------

SHOW = f"import os; print(os.environ.get({CONTEXT_VARIABLE!r}, ''))"
CALLS = {
    "list": lambda env: [[sys.executable, "-c", SHOW], {"env": env}],
    "named": lambda env: [[], {"args": [sys.executable, "-c", SHOW], "env": env}],
    "tuple": lambda env: [(sys.executable, "-c", SHOW), {"env": env}],
    "executable": lambda env: [["anything", "-c", SHOW], {"executable": sys.executable, "env": env}],
}


@pytest.mark.parametrize("which", CALLS)
@pytest.mark.parametrize("env", [None, {"PATH": os.environ["PATH"]}])
def test_python_child_gets_the_run_in_its_own_environment(told, which, env):
    """A child that is a Python finds the run and the step in its environment; ours and the given one stay."""
    before, given = dict(os.environ), None if env is None else dict(env)
    args, named = CALLS[which](env)
    with step("app.outer"):
        around = current.get()
        with subprocess.Popen(*([args] if args else []), stdout=subprocess.PIPE, text=True, **named) as child:
            out, _ = child.communicate()
    carried = json.loads(out)
    assert (carried["run"], carried["span"]) == (around.run.run_id, around.span_id)
    assert (dict(os.environ), env) == (before, given)


def test_script_with_a_python_shebang_is_a_python(told, tmp_path):
    """A script whose first line names Python gets the run; another program's environment is left alone."""
    for name, shebang in (("a", f"#!{sys.executable}"), ("b", "#!/bin/sh")):
        script = tmp_path / name
        body = f"import os; print(len(os.environ.get({CONTEXT_VARIABLE!r}, '')) > 0)" if name == "a" else "printenv"
        script.write_text(f"{shebang}\n{body}\n")
        script.chmod(0o755)
    assert subprocess.check_output([tmp_path / "a"], text=True).strip() == "True"
    assert CONTEXT_VARIABLE not in subprocess.check_output([str(tmp_path / "b")], text=True)


@pytest.mark.parametrize("args", ["printenv", ["printenv"], [b"printenv"], ("sh", "-c", "printenv")])
def test_other_children_get_what_they_were_given(told, args):
    """A child that is no Python gets its environment untouched."""
    out = subprocess.check_output(args, text=True, shell=isinstance(args, str))
    assert CONTEXT_VARIABLE not in out


@pytest.mark.parametrize("args", [["/not/there/python3"], [], [None], 7])
def test_errors_of_popen_stay(told, args):
    """What `Popen` raises of its own is what it raises unwatched."""

    def error():
        with pytest.raises(Exception) as caught:
            subprocess.Popen(args)
        return type(caught.value), str(caught.value)

    watched = error()
    carriers.uninstall()
    assert error() == watched


async def test_asyncio_subprocess_is_carried(told):
    """A child started by asyncio gets the run too."""
    with step("app.outer"):
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", SHOW, stdout=asyncio.subprocess.PIPE)
        out, _ = await child.communicate()
    assert json.loads(out)["run"]


# -- real processes of a run -----------------------------------------------------------------------------------------

PROGRAM = """
import multiprocessing, os, subprocess, sys
import codeintel_obs
codeintel_obs.start(data_dir={data!r})

def work(number):
    with codeintel_obs.step("app.child"):
        return os.getpid()

if __name__ == "__main__":
    with codeintel_obs.step("app.outer"):
        context = multiprocessing.get_context({method!r})
        child = context.Process(target=work, args=(1,))
        child.start()
        child.join()
        assert child.exitcode == 0, child.exitcode
        with context.Pool(1) as pool:
            pool.map(work, [1, 2])
            pool.close()
            pool.join()
"""


def records_of(data):
    paths = sorted((Path(data) / "telemetry" / "runs").rglob("*.jsonl"))
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_of_multiprocessing_join_the_run(tmp_path, method):
    """Workers of each start method record into the run of their parent, under the step that started them."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(data=str(tmp_path / "data"), method=method))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CODEINTEL")}
    done = subprocess.run(
        [sys.executable, program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    records = records_of(tmp_path / "data")
    begun = [each for each in records if each["event"] == "step.begin"]
    ended = [each for each in records if each["event"] == "step.end"]
    outer = next(each for each in begun if each["kind"] == "app.outer")
    children = [each for each in begun if each["kind"] == "app.child"]
    assert len({each["attempt"] for each in records}) == 1
    assert [each["parent_span_id"] for each in children] == [outer["span_id"]] * 3
    assert len(ended) == 4


@pytest.mark.slow
def test_python_subprocess_joins_the_run(tmp_path):
    """A Python child that starts recording joins its parent's run under the step that started it."""
    data = str(tmp_path / "data")
    inner = "import codeintel_obs; codeintel_obs.start()\nwith codeintel_obs.step('app.child'): pass"
    outer = (
        f"import codeintel_obs, subprocess, sys; codeintel_obs.start(data_dir={data!r})\n"
        f"with codeintel_obs.step('app.outer'): subprocess.run([sys.executable, '-c', {inner!r}], check=True)"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CODEINTEL")}
    done = subprocess.run(
        [sys.executable, "-c", outer], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    begun = {each["kind"]: each for each in records_of(data) if each["event"] == "step.begin"}
    assert begun["app.child"]["parent_span_id"] == begun["app.outer"]["span_id"]
    assert begun["app.child"]["attempt"] == begun["app.outer"]["attempt"]


def test_a_block_that_fails_keeps_what_it_told_of_itself():
    """What was put into the dict is known, however the block ends."""
    with recording() as told, pytest.raises(OSError, match="no more"), step("app.reads") as late:
        late["rows"] = 3
        raise OSError("no more")
    (made,) = told.steps
    assert (made.status, made.end_payload) == ("failed", {"rows": 3})
