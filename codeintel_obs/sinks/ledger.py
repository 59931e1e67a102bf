"""The sink that writes the ledger: each event becomes a line of its run's file before the application goes on."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from codeintel_obs import guard
from codeintel_obs.hookspecs import hookimpl
from codeintel_obs.ledger import encoding
from codeintel_obs.ledger.home import Home
from codeintel_obs.ledger.manifest import write_manifest
from codeintel_obs.ledger.networks import network_of
from codeintel_obs.ledger.process import here
from codeintel_obs.ledger.retention import Limits, prune_now_and_then
from codeintel_obs.ledger.writer import RunWriter

if TYPE_CHECKING:
    from codeintel_obs.ledger.behind import Behind
    from codeintel_obs.recorder import Recorder
    from codeintel_obs.runs import Run
    from codeintel_obs.settings import Settings
    from codeintel_obs.steps import LogEntry, Record, Step

    Writer = RunWriter | Behind

_PATIENCE_S: Final = 10.0  # an exit does not hang on another machine that does


class LedgerSink:
    """Built in, and inline: what it is told of is in the kernel when it returns, or counted as dropped."""

    def __init__(self) -> None:
        self._write: type[RunWriter] = RunWriter
        self._network: str | None = None
        self._looked = False
        self._home: Home | None = None
        self._manifest: Callable[[], dict[str, Any]] = dict
        self._facts: tuple[object, dict[str, Any]] = (None, {})
        self._writers: dict[tuple[str, str], Writer] = {}

    def configure(self, settings: Settings, active: Recorder, manifest: Callable[[], dict[str, Any]]) -> None:
        """Take the settings and the supplier of the manifest's content; nothing is written yet."""
        self._manifest = manifest
        data_dir = os.path.abspath(settings.data_dir)
        self._home = home = Home(data_dir, settings.fsync, self._process_facts)
        limits = Limits(int(settings.max_bytes), settings.max_days, settings.min_free)
        home.tidy = lambda stop: prune_now_and_then(data_dir, limits, stop)
        if settings.chain:
            from codeintel_obs.ledger.chained import ChainedWriter

            self._write = ChainedWriter
            home.tell_root = lambda root: guard.each(active.listeners.root, root)

    # -- hooks: runs --------------------------------------------------------------------------------------------------

    @hookimpl
    def obs_run_begun(self, run: Run) -> None:
        """Begin or join the run's file."""
        self._writer(run).begin()

    @hookimpl
    def obs_run_ended(self, run: Run) -> None:
        """Write the run's end, if this process began it, and close the file unless steps are still open."""
        still_open = list(run.open)
        payload = {"name": run.name, "outcome": run.outcome, "open": still_open}
        known = {key: value for key, value in payload.items() if value is not None}
        self._writer(run).end("run.end", known, run.end_error, close=not still_open)
        if not still_open:
            self._forget(run)

    # -- hooks: events ------------------------------------------------------------------------------------------------

    @hookimpl
    def obs_step_begun(self, step: Step) -> None:
        """Write ``step.begin``."""
        writer: Writer = step.run.ledger or self._writer(step.run)
        writer.append(encoding.step_begin(step, writer.ids))

    @hookimpl
    def obs_step_ended(self, step: Step) -> None:
        """Write ``step.end``, or an instant step's one record; the last late end closes its run's file."""
        writer: Writer = step.run.ledger or self._writer(step.run)
        if step.instant:
            writer.append(encoding.step_instant(step, writer.ids))
            return
        writer.append(encoding.step_end(step, writer.ids))
        if step.late and not step.run.open.keys() - {step.span_id}:
            writer.end("writer.end", {})
            self._forget(step.run)

    @hookimpl
    def obs_log(self, record: LogEntry) -> None:
        """Write a ``log`` record."""
        writer: Writer = record.run.ledger or self._writer(record.run)
        writer.append(encoding.log(record, writer.ids))

    @hookimpl
    def obs_record(self, record: Record) -> None:
        """Write any other event into the file of the run that it names."""
        writer = self._writers.get((record.run_id, record.attempt))
        if writer is not None:
            writer.append(encoding.record(record))
        elif self._home is not None:
            self._home.untold["of a run that this process does not have open"] += 1

    # -- hooks: the end -----------------------------------------------------------------------------------------------

    @hookimpl
    def obs_flush(self, timeout_s: float) -> None:
        """Make everything durable that was written by now."""
        if self._home is not None:
            self._home.flush(timeout_s)

    @hookimpl(tryfirst=True)  # what sends the roots of the files that are closed here must still be there
    def obs_shutdown(self) -> None:
        """Close every file with its closing record, make all durable, stop the thread."""
        home = self._home
        # what hangs is left: the process ends, and what is in the ledger so far says that it was not closed
        if home is not None and (self._network is None or home.flusher.flush(_PATIENCE_S)):
            home.close()

    # -- inside -------------------------------------------------------------------------------------------------------

    def _writer(self, run: Run) -> Writer:
        """Return the writer of ``run`` in this process: an open file, or one that opens at its first record."""
        if run.ledger is None:
            if self._home is None:
                raise RuntimeError("the ledger sink was not configured before it was used")
            made = self._write(run, self._home)
            run.ledger = self._behind(made) if self._waits(self._home) else made
            self._writers[run.run_id, run.attempt] = run.ledger
        writer: Writer = run.ledger
        return writer

    def _waits(self, home: Home) -> bool:
        """Whether records wait in a queue: a write to another machine may hang. Not where the user asked to wait."""
        if not self._looked:
            self._network, self._looked = (
                network_of(home.data_dir),
                True,
            )  # not at launch: many a process records nothing
        return self._network is not None and home.fsync != "step"

    def _behind(self, writer: RunWriter) -> Behind:
        from codeintel_obs.ledger.behind import Behind

        return Behind(writer)

    def _forget(self, run: Run) -> None:
        if self._writers.get((run.run_id, run.attempt)) is run.ledger:
            del self._writers[run.run_id, run.attempt]

    def _process_facts(self) -> dict[str, Any]:
        """Return what every file says of its process; the manifest is written when the first of them begins."""
        if self._facts[0] is not here.token:
            facts = self._own_facts()
            if "manifest" not in facts:
                return facts  # the disk did not take it: the next file tries again
            self._facts = (here.token, facts)
        return self._facts[1]

    def _own_facts(self) -> dict[str, Any]:
        content = self._manifest()
        network = {"network": self._network} if self._network else {}
        facts: dict[str, Any] = {
            **network,
            "service": content.get("service"),
            "host": os.uname().nodename,
            "pid": os.getpid(),
        }
        try:
            manifest = write_manifest(self._home.data_dir if self._home else "", content)
        except OSError:
            return facts
        return facts | {"manifest": manifest.name, "manifest_sha256": manifest.sha256}
