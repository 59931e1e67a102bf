"""``codeintel-obs run``: launches a command, waits for it, and records how its process ended."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from codeintel_obs.launch.names import program_of
from codeintel_obs.runs import CONTEXT_VARIABLE, Run
from codeintel_obs.settings import CLI_VARIABLE, OFF_VARIABLE, Settings, load

if TYPE_CHECKING:
    from argparse import Namespace

_SITE: Final = str(Path(__file__).with_name("site"))
_FORWARDED: Final = ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")


def run_command(options: Namespace) -> int:
    """Launch ``options.command`` recorded; return its exit code. Ends by the child's own signal if one killed it.

    A bad setting or a command that does not exist is told before anything is launched: exit code 2.
    """
    overrides = _overrides(options)
    settings = load(overrides=overrides, config=options.config)
    command = _resolved(options.command)
    if settings.problems or command is None:
        for problem in settings.problems:
            print(f"codeintel-obs: {problem}", file=sys.stderr)
        if command is None:
            shown = options.command[0] if options.command else "no command given"
            print(f"codeintel-obs: {shown}: not found; usage: codeintel-obs run -- CMD …", file=sys.stderr)
        return 2
    if os.environ.get(OFF_VARIABLE, "").lower() == "off":
        os.execv(command, options.command)  # noqa: S606 - the user's own command, and nothing of ours around it
    run = _mint(options)
    environ = _environment(run, settings, overrides, options.config)
    if options.exec:
        sys.stdout.flush()
        os.execve(command, options.command, environ)  # noqa: S606 - the user's own command, as asked
    return _supervise(command, options.command, environ, run, settings, quiet=options.quiet)


def _overrides(options: Namespace) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if options.plugins:
        values["plugins"] = options.plugins
    if options.disable:
        values["disabled_plugins"] = options.disable if isinstance(options.disable, str) else ",".join(options.disable)
    data_dir = options.data_dir[-1] if isinstance(options.data_dir, list) and options.data_dir else options.data_dir
    if data_dir:
        values["data_dir"] = str(Path(data_dir).absolute())
    return values


def _resolved(command: list[str]) -> str | None:
    return shutil.which(command[0]) if command else None


def _mint(options: Namespace) -> Run:
    """Return the process run, minted here so that every descendant joins it."""
    run_id = options.run_id or os.environ.get("CODEINTEL_OBS_RUN_ID")
    run = Run(run_id or None, session_id=os.environ.get("CODEINTEL_OBS_SESSION_ID") or None)
    run.name = program_of(options.command)
    run.is_process = run.joins = True
    return run


def _environment(run: Run, settings: Settings, overrides: dict[str, Any], config: str | None) -> dict[str, str]:
    environ = dict(os.environ)
    paths = [path for path in environ.get("PYTHONPATH", "").split(os.pathsep) if path and path != _SITE]
    environ["PYTHONPATH"] = os.pathsep.join([_SITE, *paths])
    environ[CONTEXT_VARIABLE] = json.dumps(run.carrier())
    # made absolute here: a child that changes its directory still writes to the same ledger
    passed = {**overrides, "data_dir": settings.data_dir}
    if config:
        passed["config"] = str(Path(config).absolute())
    environ[CLI_VARIABLE] = json.dumps(passed)
    environ.setdefault("OTEL_PYTHON_DISTRO", "codeintel_obs")
    return environ


def _supervise(
    command: str, argv: list[str], environ: dict[str, str], run: Run, settings: Settings, *, quiet: bool
) -> int:
    forwarded: list[int] = []
    child: subprocess.Popen[bytes] | None = None

    def forward(number: int, _frame: object) -> None:
        forwarded.append(number)
        if child is not None and child.poll() is None:
            child.send_signal(number)

    for name in _FORWARDED:
        signal.signal(getattr(signal, name), forward)
    # the terminal sends these to the whole group: the child decides, and we stay to tell of it
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGQUIT, lambda *_: None)
    child = subprocess.Popen(argv, executable=command, env=environ, close_fds=False)  # noqa: S603 - the user's own command
    for number in forwarded:
        child.send_signal(number)
    code = child.wait()
    _tell(run, settings, child.pid, code, quiet=quiet)
    if code < 0:
        _end_by(-code)
    return code


def _tell(run: Run, settings: Settings, pid: int, code: int, *, quiet: bool) -> None:
    """Write how the process ended, and after a failure say what stopped it and where to read of it."""
    from codeintel_obs.ledger.supervise import write_process_exit

    try:
        write_process_exit(run, settings, pid, code)
        if code != 0 and not quiet:
            from codeintel_obs.report.verdict import verdict_line

            print(verdict_line(settings.data_dir, run.run_id, run.attempt), file=sys.stderr)
    except Exception as exc:  # noqa: BLE001 - the child's exit code passes through whatever becomes of its ledger
        print(f"codeintel-obs: the end of run {run.run_id} was not recorded: {exc}", file=sys.stderr)


def _end_by(number: int) -> None:
    """End by the signal that killed the child, without a core dump of our own."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if number != signal.SIGKILL:  # whose disposition nobody can set
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
