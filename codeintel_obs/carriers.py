"""How the current step reaches what the application starts: threads, executors, child processes.

Each carrier stands at a place of the standard library through which all of its kind pass, so that the
application's own callables, arguments and `os.environ` stay untouched. One setting (``carriers``) switches them off.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from codeintel_obs import failures, guard, recorder
from codeintel_obs.context import current, suppressed
from codeintel_obs.imports import watcher
from codeintel_obs.runs import CONTEXT_VARIABLE, Run, join
from codeintel_obs.steps import Status, Step, StepEvent

_ATTRIBUTE: Final = "_codeintel_around"
_HOOK: Final = "_invoke_excepthook"
_KEY: Final = "codeintel_obs"
_PYTHON: Final = re.compile(r"(python|pypy)[\d.]*t?(\.exe)?\Z")
_ENV_POSITION: Final = 10  # of Popen.__init__, after self
_on = False
_undo: list[tuple[Any, str, Any, Any]] = []
_at_exit: Callable[[], None] = lambda: None  # noqa: E731 - replaced by launch


def install(at_exit: Callable[[], None]) -> None:
    """Put the carriers in place, each when its module is imported. Idempotent.

    ``at_exit`` ends the recording of a forked worker of multiprocessing, which runs no atexit of its own.
    """
    global _at_exit, _on
    _at_exit = at_exit
    if not _on:
        _on = True
        guard.call(_adopt_while_spawned)
        watcher.after("threading", _threads)
        watcher.after("concurrent.futures.thread", _executors)
        watcher.after("multiprocessing.pool", _thread_pools)
        watcher.after("multiprocessing.spawn", _multiprocessing_spawn)
        watcher.after("multiprocessing.util", _multiprocessing_util)
        watcher.after("subprocess", _subprocesses)


def uninstall() -> None:
    """Restore the standard library's identical objects, but where somebody else stands on top of ours."""
    global _on
    _on = False
    while _undo:
        owner, name, original, ours = _undo.pop()
        if getattr(owner, name) is ours:
            setattr(owner, name, original)


def _patch(owner: Any, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    original = getattr(owner, name)
    if not _on or any(original is ours for *_, ours in _undo):
        return  # a hook that was set by an earlier `install`
    ours = functools.wraps(original)(make(original))
    setattr(owner, name, ours)
    _undo.append((owner, name, original, ours))


def carried() -> dict[str, str] | None:
    """Return what another process needs to join the current run under the current step; None when nothing records."""
    if recorder.active is None:
        return None
    around = current.get()
    step = around if isinstance(around, Step) else None
    run: Run = step.run if step is not None else around or recorder.active.process_run  # type: ignore[assignment]
    return run.carrier(step.span_id if step is not None else None)


# -- threads and executors: the contextvar is carried over -----------------------------------------------------------


def _threads(module: Any) -> None:
    _patch(module.Thread, "start", _remember_first)
    _patch(module.Thread, "_bootstrap_inner", _resume)


def _executors(module: Any) -> None:
    _patch(module._WorkItem, "__init__", _remember)  # noqa: SLF001 - made in submit(), on the submitting thread
    _patch(module._WorkItem, "run", _resume_and_reset)  # noqa: SLF001 - run on the worker's


def _thread_pools(module: Any) -> None:
    from codeintel_obs import pools  # needs what the module itself has imported

    _patch(module.ThreadPool, "_setup_queues", pools.with_queues_of_ours)
    _patch(module.ApplyResult, "__init__", pools.remembering)
    _patch(module.IMapIterator, "__init__", pools.remembering)
    _patch(module.Pool, "_guarded_task_generation", pools.generating)


def _remember_first(original: Callable[..., Any]) -> Callable[..., Any]:
    def start(self: Any, *args: Any, **kwargs: Any) -> Any:
        self.__dict__[_ATTRIBUTE] = current.get(), suppressed.get()
        return original(self, *args, **kwargs)

    return start


def _resume(original: Callable[..., Any]) -> Callable[..., Any]:
    def bootstrap(self: Any) -> Any:
        around, quiet = self.__dict__.pop(_ATTRIBUTE, (None, False))
        if around is not None:
            current.set(around)  # the thread's own context, which dies with it
        if quiet:
            suppressed.set(True)  # what our own code started is our own use
        hook = self.__dict__.get(_HOOK)
        if hook is not None:
            self.__dict__[_HOOK] = functools.partial(_uncaught, hook)
        return original(self)

    return bootstrap


def _uncaught(original: Callable[[Any], None], thread: Any) -> None:
    """Tell that the exception which ends ``thread`` was caught by nobody, and let Python say so as it always does."""
    guard.call(_tell_uncaught, sys.exc_info()[1])
    original(thread)


def _tell_uncaught(exc: BaseException | None) -> None:
    active = recorder.active
    if exc is None or active is None or suppressed.get():
        return
    if isinstance(exc, SystemExit) and not failures.is_known(exc):
        return  # a thread that leaves by sys.exit() has ended as it wanted to
    event = StepEvent("error", Status.COMPLETED, "nobody caught it: it ended its thread", {"uncaught": True}, (), exc)
    guard.each(active.listeners.step_ended, active.instant(event, "obs"))


def _remember(original: Callable[..., Any]) -> Callable[..., Any]:
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        setattr(self, _ATTRIBUTE, (current.get(), suppressed.get()))

    return init


def _resume_and_reset(original: Callable[..., Any]) -> Callable[..., Any]:
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        # a worker lives on: each task brings its own context, and takes it away
        around, quiet = getattr(self, _ATTRIBUTE, (None, False))
        token, quiet_token = current.set(around), suppressed.set(quiet)
        try:
            return original(self, *args, **kwargs)
        finally:
            current.reset(token)
            suppressed.reset(quiet_token)

    return run


# -- multiprocessing -------------------------------------------------------------------------------------------------


def _multiprocessing_spawn(module: Any) -> None:
    """Spawned and fork-served children get the run with the data that multiprocessing prepares for them."""
    _patch(module, "get_preparation_data", _add_run)
    _patch(module, "prepare", _take_run)


def _add_run(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    def get_preparation_data(name: str) -> dict[str, Any]:
        data = original(name)
        values = guard.call(carried)
        return {**data, _KEY: values} if values else data

    return get_preparation_data


def _take_run(original: Callable[..., None]) -> Callable[..., None]:
    def prepare(data: dict[str, Any]) -> None:
        guard.call(adopt, data.get(_KEY))
        original(data)

    return prepare


def _adopt_while_spawned() -> None:
    """Take the run over where recording starts while multiprocessing imports the program's main module again."""
    frame: Any = sys._getframe()  # noqa: SLF001 - the data that the parent prepared stand in this frame alone
    while frame is not None:
        if frame.f_code.co_name == "prepare" and frame.f_globals.get("__name__") == "multiprocessing.spawn":
            adopt(frame.f_locals["data"].get(_KEY))
            return
        frame = frame.f_back


def adopt(values: Any) -> None:
    """Make the run that ``values`` describe this process's own, unless it has written a record already."""
    active = recorder.active
    if active is None or not isinstance(values, Mapping) or active.process_run.begun:
        return
    run = join(values)
    if run is not None:
        run.is_process = True
        run.name = run.name or active.process_run.name
        active.process_run = run


class _AtFork:
    """Something for `multiprocessing.util.register_after_fork` to hold weakly."""


_at_fork = _AtFork()


def _multiprocessing_util(module: Any) -> None:
    """A forked worker ends by ``os._exit`` and runs no atexit: its own finalizers are where we close."""

    def in_child(_: object) -> None:
        module.Finalize(None, _at_exit, exitpriority=-1000)

    module.register_after_fork(_at_fork, in_child)


# -- subprocesses ----------------------------------------------------------------------------------------------------


def _subprocesses(module: Any) -> None:
    _patch(module.Popen, "__init__", _pass_on)


def _pass_on(original: Callable[..., None]) -> Callable[..., None]:
    def init(self: Any, args: Any, *positional: Any, **named: Any) -> None:
        changed = guard.call(_with_run, args, positional, named) if recorder.active is not None else None
        positional, named = changed or (positional, named)
        original(self, args, *positional, **named)

    return init


def _with_run(
    args: Any, positional: tuple[Any, ...], named: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """Return Popen's arguments with the run in the child's own environment, or None when the child is no Python."""
    where = _ENV_POSITION - 1
    env = positional[where] if len(positional) > where else named.get("env")
    executable = positional[1] if len(positional) > 1 else named.get("executable")
    shell = positional[7] if len(positional) > 7 else named.get("shell")  # noqa: PLR2004 - Popen's own order
    if shell or not _is_python(executable or _first(args), env):
        return None
    values = carried()
    if values is None:
        return None
    passed = {**(os.environ if env is None else env), CONTEXT_VARIABLE: json.dumps(values)}
    passed["CODEINTEL_OBS_DATA_DIR"] = recorder.active.settings.data_dir if recorder.active else ""
    if len(positional) > where:
        return (*positional[:where], passed, *positional[where + 1 :]), named
    return positional, {**named, "env": passed}


def _first(args: Any) -> Any:
    return args[0] if isinstance(args, Sequence) and not isinstance(args, (str, bytes)) and args else args


def _is_python(executable: Any, env: Mapping[str, str] | None) -> bool:
    """Whether the child is a Python, or a script whose first line names one."""
    try:
        name = os.fsdecode(executable)
    except TypeError:
        return False
    if name == sys.executable or _PYTHON.match(os.path.basename(name)):
        return True
    path = shutil.which(name, path=(env or os.environ).get("PATH"))
    if path is None:
        return False
    with open(path, "rb") as file:
        first = file.readline(256)
    return first.startswith(b"#!") and b"python" in first
