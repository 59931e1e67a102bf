r"""What a sink may implement: the page that a plugin author reads.

A sink is a pluggy plugin of the project ``codeintel_obs``, registered under the entry-point group
``codeintel_obs``; it implements any of the hooks below, each with any leading subset of the arguments::

    from codeintel_obs import hookimpl

    class Bell:
        @hookimpl
        def obs_step_ended(self, step):
            if step.status == "failed":
                print("\a", end="")

The entry point may name a class (made once, without arguments), an instance or a module. Hooks are called in pluggy's
order; hook wrappers are refused, because a sink must not be able to hold up another. The order of the
events of one thread is kept. A hook that raises harms nobody: the error is counted, written to the ledger
as a ``fault``, and a sink that keeps raising is put aside, which the ledger and the report say.

Built-in sinks run inline, on the thread of the watched call. A stranger's sink runs on one background thread of its own
behind a bounded queue (full: dropped, counted, and told); it may ask to run inline with the class attribute
``obs_inline = True``, and then its time is the application's time.

`Step`, `Record`, `LogEntry` and `Root` are `codeintel_obs.steps`; everything in them is already filtered by content level and
redacted. A sink reads them and changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from codeintel_obs.runs import Run
    from codeintel_obs.steps import LogEntry, Record, Root, Step

PROJECT = "codeintel_obs"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Hooks:
    """The hooks, as methods; a sink's own have the same names and any leading subset of the arguments."""

    @hookspec
    def obs_run_begun(self, run: Run) -> None:
        """Called when this process has begun or joined ``run``: before its first record, on that record's thread."""

    @hookspec
    def obs_step_begun(self, step: Step) -> None:
        """``step`` is about to run: called before the library's method is. Never called for an instant step."""

    @hookspec
    def obs_step_ended(self, step: Step) -> None:
        """``step`` has its status and end; called after the library's method. An instant step calls only this."""

    @hookspec
    def obs_log(self, record: LogEntry) -> None:
        """The application logged ``record``; called before the application's own handlers are."""

    @hookspec
    def obs_record(self, record: Record) -> None:
        """Any other event: ``span.begin``, ``span.end``, ``plan``, ``activation``, ``fault``, ``drop``.

        ``record.n`` is 0 here: the ledger's writer numbers its own lines.
        """

    @hookspec
    def obs_run_ended(self, run: Run) -> None:
        """Called when this process's part of ``run`` is over: ``run.outcome``, ``run.end_error`` and ``run.open`` are final."""

    @hookspec
    def obs_root(self, root: Root) -> None:
        """A file of a chained ledger (setting ``chain``) was closed: keep ``root`` where nobody who may write there can.

        Called after the file's closing record; ``codeintel-obs verify RUN --root`` compares what was kept.
        """

    @hookspec
    def obs_report_sections(self, report: Any) -> list[dict[str, Any]] | None:
        """Return sections of your own for a Run Report, each ``{"title": …, "text": …}``; called by readers only."""

    @hookspec
    def obs_runbook(self, step: Any) -> list[str] | None:
        """Return hints for a step of a report that failed or timed out; told as hints, never as facts.

        Called by `codeintel-obs report`, in its own process: a sink is made for it that gets no records. ``step`` is a
        ``ReportStep``: ``kind``, ``status``, ``detail``, ``payload``, ``error``, ``evidence``.
        """

    @hookspec
    def obs_flush(self, timeout_s: float) -> None:
        """Hand on what you hold within ``timeout_s`` seconds: before a fork's parent ends, at a lifespan's shutdown."""

    @hookspec
    def obs_shutdown(self) -> None:
        """The process ends, or the recorder is stopped: flush and close. Called once, last."""
