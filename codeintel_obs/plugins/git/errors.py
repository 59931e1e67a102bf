"""GitPython's exceptions: which are time-outs, which exit code they carry, and what they say without command line."""

from __future__ import annotations

import os
from typing import Any

from codeintel_obs.failures import message_of
from codeintel_obs.plugins.git.argv import parse

_OWN_TIMEOUT = "Timeout: the command"
_PUMP_TIMEOUT = "process killed because it timed out"
_SIGKILL = -9


def _is(exc: BaseException, name: str) -> bool:
    return any(cls.__name__ == name and cls.__module__ == "git.exc" for cls in type(exc).__mro__)


def exit_code_of(exc: BaseException) -> int | None:
    """Return the exit code that a failed command carries. `GitCommandNotFound` keeps an exception in its place."""
    status: Any = getattr(exc, "status", None) if _is(exc, "CommandError") else None
    return status if type(status) is int else None


def timed_out(exc: BaseException) -> bool:
    """Whether ``exc`` says that GitPython killed the command after ``kill_after_timeout``.

    It says so in two ways: `Git.execute` with SIGKILL's status and its own text; fetch, pull and push with a line of
    their own. A command killed by anybody else has the same status and neither text: it failed.
    """
    if not _is(exc, "GitCommandError"):
        return False
    said = str(getattr(exc, "stderr", ""))
    return _PUMP_TIMEOUT in said or (exit_code_of(exc) == _SIGKILL and _OWN_TIMEOUT in said)


def message(exc: BaseException) -> str:
    """Return the message of ``exc``; of a failed command only which and how, for the rest echoes argv and output."""
    if not _is(exc, "CommandError"):
        return message_of(exc)
    command = getattr(exc, "command", None)
    if _is(exc, "HookExecutionError"):
        # GitPython splits the hook's path where it has a space
        return f"hook {os.path.basename(' '.join(command or ()))}: {_how(exc)}"
    subcommand = parse(command).subcommand
    return f"git {subcommand}: {_how(exc)}" if subcommand else f"command: {_how(exc)}"


def _how(exc: BaseException) -> str:
    if timed_out(exc):
        return "killed because it timed out"
    status: Any = getattr(exc, "status", None)
    if isinstance(status, BaseException):
        return f"not started: {type(status).__name__}"
    return f"exit code {status}" if type(status) is int else "failed"
