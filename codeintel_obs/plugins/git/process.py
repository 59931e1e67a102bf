"""Describes git's processes: what was started, and with which exit code it ended, read from the `Popen` itself."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from subprocess import Popen
from typing import Any, Final

from codeintel_obs.plugins.git.argv import parse, shown
from codeintel_obs.plugins.git.errors import exit_code_of
from codeintel_obs.steps import Call, Outcome, Status, Step

KIND: Final = "git.process"
_TERMINATED: Final = frozenset({-15, -13})  # SIGTERM, or SIGPIPE where the closed pipe was quicker
_SESSION: Final = frozenset({"--batch", "--batch-check", "--batch-command"})

# `Git.execute` keeps its Popen to itself, and with `with_exceptions=False` its exit code too; an `AutoInterrupt` lets
# go of its Popen in `_terminate`, before the `wait` that says what came of it, and has no room for a note of ours.
_spawned: Final[weakref.WeakKeyDictionary[Step, Popen[Any]]] = weakref.WeakKeyDictionary()
_let_go: Final[weakref.WeakValueDictionary[int, Popen[Any]]] = weakref.WeakValueDictionary()


# -- rows that only look -----------------------------------------------------------------------------------------------


def spawned(call: Call, process: Any) -> None:
    """Note the first process that a running `Git.execute` started: later ones (`pgrep`) only help to kill it."""
    step = call.step
    if step is not None and step.kind == KIND and isinstance(process, Popen) and step not in _spawned:
        _spawned[step] = process


def letting_go(call: Call) -> None:
    """Note the process that an `AutoInterrupt` is about to forget; a step that waits for its end keeps it alive."""
    process = getattr(call.instance, "proc", None)
    if process is not None:
        _let_go[id(call.instance)] = process


# -- one git process ---------------------------------------------------------------------------------------------------


def before_execute(call: Call) -> Mapping[str, Any]:
    """Say what is about to be started."""
    command = call.arg(0, "command")
    line = parse(command, getattr(call.instance, "GIT_PYTHON_GIT_EXECUTABLE", None))
    return {
        "subcommand": line.subcommand,
        "program": line.program if line.subcommand is None else None,
        "options": list(line.options) or None,
        "arguments": line.arguments,
        "streamed": True if call.arg(4, "as_process") else None,
        "session": True if line.subcommand == "cat-file" and _SESSION.intersection(line.options) else None,
        "cwd": getattr(call.instance, "working_dir", None),
        "argv": shown(command),
    }


def after_execute(call: Call, result: Any) -> Mapping[str, Any]:
    """Say how the process ended that `Git.execute` waited for."""
    found = _ended(_spawned.pop(call.step, None)) if call.step is not None else {}
    if type(result) in {str, bytes}:
        found["stdout_len"] = len(result)
    return found


def failed_execute(call: Call, exc: BaseException) -> Mapping[str, Any]:
    """Say how the process ended whose failure `Git.execute` raised; nothing when none came into being."""
    process = _spawned.pop(call.step, None) if call.step is not None else None
    return _ended(process) if process is not None else {"exit_code": exit_code_of(exc)}


def streaming(call: Call, result: Any) -> Popen[Any] | None:
    """Return the process behind what `Git.execute` returned with ``as_process``; its step ends with it."""
    process = getattr(result, "proc", None) if hasattr(type(result), "_terminate") else None
    if process is not None and call.step is not None:
        _spawned.pop(call.step, None)
    call.notes = process
    return process


# -- the ends of a streaming process -----------------------------------------------------------------------------------


def behind(call: Call, _result: Any = None) -> Popen[Any] | None:
    """Return the process of an `AutoInterrupt`, also of one that has let go of it."""
    process = getattr(call.instance, "proc", None)
    if process is None:
        process = _let_go.get(id(call.instance))
        if process is not None and process.args is not call.instance.args:
            return None  # another's: an id is used again
    call.notes = process
    return process


def waited(call: Call, _result: Any) -> Mapping[str, Any]:
    """Say how a process ended that was waited for."""
    return _ended(call.notes)


def wait_failed(call: Call, _exc: BaseException) -> Mapping[str, Any]:
    """Say how a process ended whose failure `wait` raised."""
    return _ended(call.notes)


def dropped(call: Call, _result: Any) -> Outcome:
    """Say how a process ended that nobody waited for: its `AutoInterrupt` is collected."""
    payload = _ended(call.notes)
    return Outcome(payload, detail="closed by consumer" if payload.get("exit_code") in _TERMINATED else None)


def _ended(process: Any) -> dict[str, Any]:
    if process is None:
        return {}
    return {"pid": process.pid, "exit_code": process.returncode}


# -- hooks -------------------------------------------------------------------------------------------------------------


def before_hook(call: Call) -> Mapping[str, Any]:
    """Say which commit hook is about to run."""
    line = parse(call.arg(0, "args"))
    return {"hook": line.program, "arguments": line.arguments}


def hook_process(call: Call, result: Any) -> Popen[Any] | None:
    """Return the hook's process: of what started it, or of what waits for it."""
    process = result if result is not None else call.arg(0, "proc")
    call.notes = process
    return process if isinstance(process, Popen) else None


def hook_ended(call: Call, _result: Any) -> Outcome:
    """Say how a hook ended; by git's contract any exit code but 0 refuses, and GitPython raises for it afterwards."""
    payload = _ended(call.notes)
    code = payload.get("exit_code")
    if code in {0, None}:
        return Outcome(payload)
    return Outcome(payload, Status.FAILED, f"exit code {code}")
