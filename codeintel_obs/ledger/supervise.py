"""What a supervising parent writes: how the process that it launched ended. Light: no OpenTelemetry, no plugins."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from codeintel_obs.ledger.encoding import own
from codeintel_obs.ledger.home import Home
from codeintel_obs.ledger.writer import RunWriter

if TYPE_CHECKING:
    from codeintel_obs.runs import Run
    from codeintel_obs.settings import Settings


def write_process_exit(run: Run, settings: Settings, pid: int, code: int) -> str | None:
    """Write one ``process.exit`` for the child ``pid`` into ``run``; return the file's path, if one could be written.

    ``code`` is `subprocess.Popen.returncode`: negative for a signal. ``run`` is the one that the child was given: it is
    joined with a file of its own, or begun and ended here when the child left no record. Never raises for a disk.
    """
    run.joins = True
    service = {"service": settings.service} if settings.service else {}
    facts = {**service, "host": os.uname().nodename, "pid": os.getpid(), "supervises": pid}
    home = Home(settings.data_dir, settings.fsync, lambda: facts)
    writer = RunWriter(run, home)
    seen = {"code": code} if code >= 0 else {"signal": -code}
    writer.append(own("process.exit", writer.ids, {"pid": pid, **seen}))
    writer.end("run.end", _end_of(run, code))
    home.close()
    return run.ledger_path


def _end_of(run: Run, code: int) -> dict[str, Any]:
    outcome = "completed" if code == 0 else "interrupted" if code < 0 else "failed"
    return {**({"name": run.name} if run.name else {}), "outcome": outcome, "open": []}
