"""Begins and ends steps, keeps of them what the content level allows, and hands them to the sinks."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from time import monotonic_ns, time_ns
from typing import Any, Final

from codeintel_obs import collecting, failures, guard
from codeintel_obs.content import Filter
from codeintel_obs.context import current, suppress
from codeintel_obs.redact import clean
from codeintel_obs.runs import Run, new_span_id, reseed
from codeintel_obs.settings import Settings
from codeintel_obs.spans import Spans
from codeintel_obs.steps import Content, FieldClass, Link, LogEntry, Record, Status, Step, StepEvent

Listener = Callable[[Any], Any]
DETAIL_CAP: Final = 2048
LOG_CAP: Final = 8192
_PUT_ASIDE_AFTER: Final = 20

active: Recorder | None = None
"""The recorder of this process, or None: then nothing is recorded and a wrapper only passes on."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """The sinks' hooks, compiled: a tuple of bound methods for each."""

    run_begun: tuple[Listener, ...] = ()
    step_begun: tuple[Listener, ...] = ()
    step_ended: tuple[Listener, ...] = ()
    log: tuple[Listener, ...] = ()
    record: tuple[Listener, ...] = ()
    run_ended: tuple[Listener, ...] = ()
    root: tuple[Listener, ...] = ()
    flush: tuple[Listener, ...] = ()
    shutdown: tuple[Callable[..., Any], ...] = ()

    def without(self, sink: object) -> Listeners:
        """Return these listeners less those that are ``sink``'s."""
        kept = {
            name: tuple(each for each in getattr(self, name) if getattr(each, "__self__", None) is not sink)
            for name in ("run_begun", "step_begun", "step_ended", "log", "record", "run_ended", "root")
        }
        return replace(self, **kept)


class Recorder:
    """One per process. Thread-safe; a step is begun and ended by whoever holds it, from any thread."""

    def __init__(self, settings: Settings, process_run: Run, listeners: Listeners, spans: Spans) -> None:
        self.settings = settings
        self.process_run = process_run
        self.listeners = listeners
        self.spans = spans
        self.epoch = 0
        self.plugins: tuple[str, ...] = ()
        self.live_runs: dict[int, Run] = {}
        self._lock = threading.Lock()
        self._keeps_messages = settings.content is not Content.NONE
        self._keeps_all = settings.content is Content.ALL
        self.free = Filter(settings.content, {}, free=True)
        self._whole = Filter(Content.ALL, {}, free=True)
        self._names = threading.local()
        self._faults: dict[int, int] = {}

    # -- steps ------------------------------------------------------------------------------------------------------

    def begin(
        self,
        kind: str,
        source: str,
        payload: dict[str, Any] | None,
        subject: int = 0,
        annotate: bool | tuple[str, ...] = False,
        span_kind: str = "internal",
    ) -> Step:
        """Return a step that begins now under the current one; the caller hands it to ``listeners.step_begun``.

        ``subject`` is the identity of the object whose method it is; ``annotate`` uses a span of the library's own.
        """
        step = self._new(kind, source, payload)
        step.subject = subject
        self.spans.start(step, annotate, span_kind)
        step.run.open[step.span_id] = step
        return step

    def end(
        self,
        step: Step,
        status: Status,
        payload: dict[str, Any] | None = None,
        detail: str | None = None,
        error: Any = None,
    ) -> bool:
        """End ``step``; return False when it has ended before, or belongs to the parent of this forked process."""
        run = step.run
        if step.epoch != self.epoch or run.open.pop(step.span_id, None) is None:
            return False
        step.end_mono_ns = monotonic_ns()
        step.end_ts_ns = time_ns()
        step.duration_ns = step.end_mono_ns - step.mono_ns
        step.status = status
        step.end_payload = payload
        step.detail = clean(detail, DETAIL_CAP) if detail and self._keeps_messages else None
        step.error = error
        step.late = run.ended
        return True

    def instant(
        self, event: StepEvent, source: str, keep: Filter | None = None, under: Step | Run | None = None
    ) -> Step:
        """Return an instant step with its one record's worth of facts; the caller hands it to ``step_ended``."""
        token = current.set(under) if under is not None else None
        try:
            step = self._new(event.kind, source, (keep or self.free).keep(event.payload))
        finally:
            if token is not None:
                current.reset(token)
        step.instant = True
        step.status = Status(event.status)
        step.detail = clean(event.detail, DETAIL_CAP) if event.detail and self._keeps_messages else None
        step.links += event.links
        step.end_ts_ns, step.end_mono_ns = step.ts_ns, step.mono_ns
        if event.error is not None:
            step.error = self.error(event.error)
        self.spans.locate(step, under is not None)
        return step

    def _new(self, kind: str, source: str, payload: dict[str, Any] | None) -> Step:
        around = current.get()
        if isinstance(around, Step):
            run, parent = around.run, around
        else:
            run, parent = around or self.process_run, None
        links: tuple[Link, ...] = ()
        if run.ended and run is not self.process_run:
            # a step begun under an ended run belongs to the process run, and links what it was begun under
            ended, span_id = (parent or run), parent.span_id if parent else None
            links = (Link(run.run_id, ended.trace_id, span_id),)
            run, parent = self.process_run, None
        if not run.begun:
            self._begin_run(run)
        try:
            thread = self._names.value
        except AttributeError:
            thread = self._name_thread()
        trace_id, above = (run.trace_id, run.parent_span_id) if parent is None else (parent.trace_id, parent.span_id)
        return Step(
            run,
            kind,
            source,
            payload,
            new_span_id(),
            trace_id,
            parent,
            above,
            thread,
            self.epoch,
            time_ns(),
            monotonic_ns(),
            0,
            links,
        )

    def error(self, exc: BaseException, message: Callable[[BaseException], str] | None = None) -> Any:
        """Return ``exc`` as recorded at this content level; ``message`` drops what a library echoes below ``all``."""
        text = None
        if self._keeps_messages:
            words = None if self._keeps_all else failures.words_of(exc, message)
            text = failures.message_of(exc) if words is None else words or None
        return failures.describe(exc, text)

    def _name_thread(self) -> str:
        # threading.current_thread() would register a dummy for a thread that Python does not know
        known = threading._active.get(threading.get_ident())  # type: ignore[attr-defined]  # noqa: SLF001
        name: str = clean(known.name, 64) if known else f"native-{threading.get_native_id()}"
        self._names.value = name
        return name

    def filter_for(self, classes: Mapping[str, FieldClass]) -> Filter:
        """Return the filter of a plugin whose table declares ``classes``."""
        return Filter(self.settings.content, classes)

    # -- other events -----------------------------------------------------------------------------------------------

    def log(
        self,
        logger: str,
        level: str,
        number: int,
        text: str | None,
        ts_ns: int,
        exc: BaseException | None,
        source: str,
    ) -> LogEntry:
        """Return a log record of the application as it is kept; the caller hands it to ``listeners.log``."""
        around = current.get()
        step = around if isinstance(around, Step) else None
        run: Run = step.run if step is not None else around or self.process_run  # type: ignore[assignment]  # no step, so a run
        if run.ended:
            run, step = self.process_run, None
        if not run.begun:
            self._begin_run(run)
        return LogEntry(
            run=run,
            ts_ns=ts_ns,
            mono_ns=monotonic_ns(),
            logger=clean(logger, 256),
            level=clean(level, 64),
            level_number=number,
            text=clean(text, LOG_CAP) if text is not None and self._keeps_messages else None,
            thread=getattr(self._names, "value", None) or self._name_thread(),
            trace_id=step.trace_id if step else run.trace_id,
            span_id=step.span_id if step else None,
            error=self.error(exc) if exc is not None else None,
            source=source,
            sampled=step.sampled if step else run.sampled,
        )

    def record(self, event: str, payload: Mapping[str, Any], run: Run | None = None, **fields: Any) -> None:
        """Hand any other event to the sinks: ``payload`` is of our own making or filtered already."""
        run = run or self.process_run
        if not run.begun:
            self._begin_run(run)
        now = time_ns()
        seconds, rest = divmod(now, 1_000_000_000)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest // 1000:06d}Z"
        values = {"source": "obs", "trace_id": None, "mono_ns": monotonic_ns(), **fields}
        guard.each(
            self.listeners.record,
            Record(
                v=1,
                n=0,
                event=event,
                ts=stamp,
                run_id=run.run_id,
                attempt=run.attempt,
                session_id=run.session_id,
                payload=self._whole.keep(payload),
                **values,
            ),
        )

    def fault(self, where: str, exc: Exception, listener: object) -> None:
        """Write an error of ours into the ledger; put a sink aside that keeps raising."""
        payload: dict[str, Any] = {
            "where": where,
            "type": failures.type_name(type(exc)),
            "at": failures.raised_at(exc),
            "count": guard.counts[where],
        }
        if self._keeps_all:  # our own error may quote what the application gave us
            payload["message"] = failures.message_of(exc)
        sink = getattr(listener, "__self__", None)
        if sink is not None:
            self._faults[id(sink)] = self._faults.get(id(sink), 0) + 1
            if self._faults[id(sink)] == _PUT_ASIDE_AFTER:
                self.listeners = self.listeners.without(sink)
                payload["put_aside"] = type(sink).__qualname__
        if guard.counts[where] <= 1 or guard.counts[where] % 1000 == 0 or "put_aside" in payload:
            self.record("fault", payload)

    # -- runs -------------------------------------------------------------------------------------------------------

    def _begin_run(self, run: Run) -> None:
        with self._lock:
            if run.begun:
                return
            run.begun = True
            run.plugins = self.plugins
            self.live_runs[id(run)] = run
        guard.each(self.listeners.run_begun, run)

    def begin_run(self, run: Run) -> None:
        """Begin ``run`` now, and not only at its first record."""
        if not run.begun:
            self._begin_run(run)

    def end_run(self, run: Run, outcome: str, error: Any = None) -> None:
        """End this process's part of ``run``. Steps still open stay open: their later ends are written as late."""
        with self._lock:
            if run.ended or not run.begun:
                return
            run.ended = True
            run.outcome = outcome
            run.end_error = error
            self.live_runs.pop(id(run), None)
        guard.each(self.listeners.run_ended, run)

    def after_fork_in_child(self) -> None:
        """Make this forked child a process of its own: it joins its runs, and its parent's steps are not its to end."""
        reseed()
        self.epoch += 1
        self._lock = threading.Lock()
        self._names = threading.local()
        for run in [*self.live_runs.values(), self.process_run]:
            run.begun, run.ended, run.joins, run.ledger, run.open = False, False, True, None, {}
        self.live_runs = {}

    def flush(self, timeout_s: float) -> None:
        """Ask every sink to hand on what it holds."""
        guard.each(self.listeners.flush, timeout_s)

    def shutdown(self, outcome: str = "ended", error: Any = None) -> None:
        """End the process run and close every sink. Once; a recorder is not used again after it."""
        for run in list(self.live_runs.values()):
            if run is not self.process_run:
                self.end_run(run, "unknown")
        self.end_run(self.process_run, outcome, error)
        for close in self.listeners.shutdown:
            guard.call(close)


def finish_failed(
    recorder: Recorder,
    begun: Step,
    exc: BaseException,
    payload: dict[str, Any] | None,
    decided: bool | None = None,
    message: Callable[[BaseException], str] | None = None,
) -> None:
    """End ``begun`` with the application's exception: failed, or timed out when that is what ``exc`` is."""
    late = failures.timed_out(exc, decided)
    detail = "cancelled" if failures.is_cancellation(exc) else None
    if recorder.end(begun, Status.TIMED_OUT if late else Status.FAILED, payload, detail, recorder.error(exc, message)):
        guard.each(recorder.listeners.step_ended, begun)


def install(recorder: Recorder | None) -> None:
    """Make ``recorder`` this process's own, or none."""
    global active
    active = recorder
    collecting.watch(recorder is not None)
    guard.on_fault(recorder.fault if recorder is not None else None)


def _after_fork() -> None:
    if active is not None:
        with suppress():
            guard.call(active.after_fork_in_child)


os.register_at_fork(after_in_child=_after_fork)
