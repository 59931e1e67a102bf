"""``codeintel-obs run``: launches a command, waits for it, and records how its process ended.

Its process is there beside every launched one, so it imports next to nothing: no argparse, no subprocess, nothing that
the recorder needs.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
from typing import Any, Final

from codeintel_obs.launch.names import program_of
from codeintel_obs.launch.options import Options
from codeintel_obs.levels import Content
from codeintel_obs.runs import Run
from codeintel_obs.settings import Settings, load
from codeintel_obs.variables import CLI_VARIABLE, CONTEXT_VARIABLE, OFF_VARIABLE, is_off

_SITE: Final = os.path.join(os.path.dirname(os.path.abspath(__file__)), "site")
_FORWARDED: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
# The terminal sends these to the whole group: the child decides, and we stay to tell of it.
_LEFT_TO_THE_CHILD: Final = (signal.SIGINT, signal.SIGQUIT)
_IGNORED_BY_PYTHON: Final = (signal.SIGPIPE, signal.SIGXFSZ)


def run_command(options: Options) -> int:
    """Launch ``options.command`` recorded; return its exit code. Ends by the child's own signal if one killed it.

    A bad setting or a command that does not exist is told before anything is launched: exit code 2.
    """
    overrides = _overrides(options)
    settings = load(overrides=overrides, config=options.config)
    command = _resolved(options.command[0]) if options.command else None
    if settings.problems or command is None:
        for problem in settings.problems:
            _say(str(problem))
        if command is None:
            shown = options.command[0] if options.command else "no command given"
            _say(f"{shown}: not found; usage: codeintel-obs run -- CMD …")
        return 2
    run = _mint(options, settings)
    try:
        return _launch(command, options, run, settings, overrides)
    except _NotStartedError as exc:
        _say(f"{command}: cannot be started: {exc}")
        return 2


class _NotStartedError(Exception):
    """The system refused to start the command."""

    def __init__(self, exc: OSError) -> None:
        mend = "; a script needs a first line like #!/bin/sh" if exc.errno == errno.ENOEXEC else ""
        super().__init__(f"{exc.strerror}{mend}")


def _launch(command: str, options: Options, run: Run, settings: Settings, overrides: dict[str, Any]) -> int:
    off = is_off(os.environ.get(OFF_VARIABLE))
    environ = dict(os.environ) if off else _environment(run, settings, overrides, options.config)
    if not (off or options.exec):
        return _supervise(command, options.command, environ, run, settings, quiet=options.quiet)
    sys.stdout.flush()
    try:
        os.execve(command, options.command, environ)  # noqa: S606 - the user's own command, as asked
    except OSError as exc:
        raise _NotStartedError(exc) from exc


def _overrides(options: Options) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if options.plugins:
        values["plugins"] = options.plugins
    if options.disable:
        values["disabled_plugins"] = ",".join(options.disable)
    if options.data_dir:
        values["data_dir"] = os.path.abspath(options.data_dir)
    return values


def _resolved(name: str) -> str | None:
    """Return the path of the program that a shell would run for ``name``, or None."""
    folders = [""] if os.path.dirname(name) else os.get_exec_path()
    paths = (os.path.join(folder, name) for folder in folders)
    return next((path for path in paths if os.access(path, os.X_OK) and not os.path.isdir(path)), None)


def _mint(options: Options, settings: Settings) -> Run:
    """Return the process run, minted here so that every descendant joins it."""
    run_id = options.run_id or os.environ.get("CODEINTEL_OBS_RUN_ID")
    run = Run(run_id or None, session_id=os.environ.get("CODEINTEL_OBS_SESSION_ID") or None)
    run.name = program_of(options.command)
    run.is_process = run.joins = True
    run.tells_given = settings.content is not Content.NONE
    return run


def _environment(run: Run, settings: Settings, overrides: dict[str, Any], config: str | None) -> dict[str, str]:
    environ = dict(os.environ)
    paths = [path for path in environ.get("PYTHONPATH", "").split(os.pathsep) if path and path != _SITE]
    environ["PYTHONPATH"] = os.pathsep.join([_SITE, *paths])
    environ[CONTEXT_VARIABLE] = json.dumps(run.carrier())
    # made absolute here: a child that changes its directory still writes to the same ledger
    passed = {**overrides, "data_dir": settings.data_dir}
    if config:
        passed["config"] = os.path.abspath(config)
    environ[CLI_VARIABLE] = json.dumps(passed)
    environ.setdefault("OTEL_PYTHON_DISTRO", "codeintel_obs")
    return environ


def _supervise(
    command: str, argv: list[str], environ: dict[str, str], run: Run, settings: Settings, *, quiet: bool
) -> int:
    child = _Child()
    for number in _FORWARDED:
        _handle(number, child.forward)
    for number in _LEFT_TO_THE_CHILD:
        _handle(number, lambda *_: None)
    code = child.run(command, argv, environ)
    _tell(run, settings, child.pid, code, quiet=quiet)
    if code < 0:
        _end_by(-code)
    return code


def _handle(number: int, handler: Any) -> None:
    """Handle a signal, unless whoever started us has it ignored (nohup): then the child ignores it too."""
    if signal.getsignal(number) is not signal.SIG_IGN:
        signal.signal(number, handler)


class _Child:
    """The command's process; signals that come before it is there are sent to it when it is."""

    def __init__(self) -> None:
        self.pid = 0
        self._gone = False
        self._early: list[int] = []

    def forward(self, number: int, _frame: object) -> None:
        """Send a signal on."""
        if not self.pid:
            self._early.append(number)
        elif not self._gone:
            self._send(number)

    def run(self, command: str, argv: list[str], environ: dict[str, str]) -> int:
        """Start the command and wait for it; return its exit code, negative for a signal."""
        try:
            self.pid = os.posix_spawn(command, argv, environ, setsigdef=_IGNORED_BY_PYTHON)
        except OSError as exc:
            raise _NotStartedError(exc) from exc
        for number in self._early:
            self._send(number)
        _, status = os.waitpid(self.pid, 0)
        self._gone = True
        return os.waitstatus_to_exitcode(status)

    def _send(self, number: int) -> None:
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return  # it has ended, and we are about to notice


def _tell(run: Run, settings: Settings, pid: int, code: int, *, quiet: bool) -> None:
    """Write how the process ended, and after a failure say what stopped it and where to read of it."""
    try:
        from codeintel_obs.launch.identity import of_process, service
        from codeintel_obs.ledger.supervise import write_process_exit

        what = {"supervises": pid, "service": service(settings, run.name or "")}  # the command's, not our own
        write_process_exit(run, settings, pid, code, of_process(settings, run, "codeintel-obs run") | what)
        if code != 0 and not quiet:
            from codeintel_obs.report.verdict import verdict_line

            print(verdict_line(settings.data_dir, run.run_id, run.attempt), file=sys.stderr)
    except Exception as exc:  # noqa: BLE001 - the child's exit code passes through whatever becomes of its ledger
        _say(f"the end of run {run.run_id} was not recorded: {exc}")


def _say(what: str) -> None:
    print(f"codeintel-obs: {what}", file=sys.stderr)


def _end_by(number: int) -> None:
    """End by the signal that killed the child, without a core dump of our own."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if number != signal.SIGKILL:  # whose disposition nobody can set
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
