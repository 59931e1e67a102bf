"""Spans of others in an adopted provider become records of the run in which they start."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from opentelemetry.sdk.trace import SpanProcessor

from codeintel_obs import guard, recorder
from codeintel_obs.content import Filter
from codeintel_obs.context import current, suppressed
from codeintel_obs.recorder import Recorder
from codeintel_obs.redact import clean
from codeintel_obs.runs import Run
from codeintel_obs.spans import SCOPE_PREFIX
from codeintel_obs.steps import FieldClass, Step

# Attributes that are kept, by what they hold. Any other text is only counted; numbers of these families are kept.
_FAMILIES: Final = (
    "http.", "db.", "rpc.", "gen_ai.", "mcp.", "url.", "server.", "client.", "network.", "messaging.", "faas.", "code.",
    "process.", "error.", "otel.",
)  # fmt: skip
_CODES: Final = (
    "http.method", "http.request.method", "http.flavor", "http.scheme", "url.scheme", "db.system", "db.system.name",
    "db.operation", "db.operation.name", "rpc.system", "rpc.service", "rpc.method", "gen_ai.system",
    "gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model",
    "gen_ai.response.finish_reasons", "gen_ai.response.id", "gen_ai.tool.name", "mcp.method.name",
    "mcp.protocol.version", "mcp.session.id", "error.type", "network.protocol.name", "network.protocol.version",
    "network.transport", "messaging.system", "messaging.operation.type", "otel.status_code",
)  # fmt: skip
_NAMES: Final = (
    "http.route", "http.host", "server.address", "client.address", "db.name", "db.namespace", "db.collection.name",
    "db.query.summary", "messaging.destination.name", "code.function", "code.function.name", "code.namespace",
)  # fmt: skip
_PATHS: Final = ("url.path", "code.filepath", "code.file.path")
_TEXTS: Final = (
    "db.statement", "db.query.text", "url.full", "url.query", "http.url", "http.target", "gen_ai.input.messages",
    "gen_ai.output.messages", "gen_ai.system_instructions",
)  # fmt: skip
_CLASSES: Final[Mapping[str, FieldClass]] = {
    **dict.fromkeys(_CODES, FieldClass.CODE),
    **dict.fromkeys(_NAMES, FieldClass.NAME),
    **dict.fromkeys(_PATHS, FieldClass.PATH),
    **dict.fromkeys(_TEXTS, FieldClass.TEXT),
}
_FIELDS: Final = {
    "name": FieldClass.NAME,
    "scope": FieldClass.ID,
    "span_kind": FieldClass.CODE,
    "status": FieldClass.CODE,
    "message": FieldClass.NAME,
    "events": FieldClass.COUNT,
    "links": FieldClass.COUNT,
    "other_attributes": FieldClass.COUNT,
}
_watched: weakref.WeakSet[Any] = weakref.WeakSet()
_counting = threading.RLock()  # re-entrant: the application's signal handler may start a span while we count


def _after_fork() -> None:
    global _counting
    _counting = threading.RLock()  # another thread of the parent may have held it


os.register_at_fork(after_in_child=_after_fork)


def watch_foreign_spans(provider: Any) -> None:
    """Watch the spans of an SDK ``provider`` that are not ours, once; a provider of another make shows us none."""
    add = getattr(provider, "add_span_processor", None)
    if add is not None and provider not in _watched:
        _watched.add(provider)
        add(ForeignSpans())


class _Tally:
    """How many foreign spans of a run are kept, and how many were dropped and not yet told of."""

    __slots__ = ("dropped", "kept", "next_telling", "told")

    def __init__(self) -> None:
        self.kept = 0
        self.dropped = 0
        self.told = 0
        self.next_telling = 1


class ForeignSpans(SpanProcessor):
    """Never raises into the application's tracer, and keeps no span alive."""

    ignores_our_spans = True

    def __init__(self) -> None:
        self._open: dict[int, tuple[Run, int, weakref.ref[Any]]] = {}
        self._tallies: weakref.WeakKeyDictionary[Run, _Tally] = weakref.WeakKeyDictionary()
        self._filters: tuple[Recorder, Filter, Filter] | None = None

    def on_start(self, span: Any, parent_context: Any = None) -> None:  # noqa: ARG002 - the SDK's signature
        """Write ``span.begin``, while the run has room."""
        active = recorder.active
        if active is not None and not suppressed.get():
            guard.call(self._started, active, span)

    def on_end(self, span: Any) -> None:
        """Write ``span.end`` of a span whose begin is on record."""
        active = recorder.active
        if active is not None and self._open:
            guard.call(self._ended, active, span)

    def _started(self, active: Recorder, span: Any) -> None:
        if _is_ours(span):
            return
        run = _run_here(active)
        if not self._has_room(active, run):
            return
        span_id = span.context.span_id
        gone = weakref.ref(span, lambda _: self._open.pop(span_id, None))
        self._open[span_id] = (run, active.epoch, gone)
        active.record("span.begin", self._payload(active, span), run, **_place(span), thread=_thread())

    def _ended(self, active: Recorder, span: Any) -> None:
        run, epoch, _ = self._open.pop(span.context.span_id, (None, 0, None))
        if run is None or epoch != active.epoch:
            return  # not on record, or begun by the parent of this forked process and its to end
        if run.ended:
            run = active.process_run  # its file may be closed; the span's own ids still say where it belongs
        said = self._payload(active, span)
        code = span.status.status_code.name.lower()
        active.record("span.end", said, run, **_place(span), status=code, duration_ns=span.end_time - span.start_time)

    # -- the cap ----------------------------------------------------------------------------------------------------

    def _has_room(self, active: Recorder, run: Run) -> bool:
        with _counting:
            tally = self._tallies.get(run)
            if tally is None:
                tally = self._tallies[run] = _Tally()
                self._tell_at_end(active)
            if tally.kept < active.settings.foreign_spans:
                tally.kept += 1
                return True
            tally.dropped += 1
            due = tally.dropped >= tally.next_telling
        if due:
            self._tell_drops(active, run)
        return False

    def _tell_at_end(self, active: Recorder) -> None:
        """Have the rest of the dropped told right before a run's file is closed."""
        if self._run_ended not in active.listeners.run_ended:
            ended = (self._run_ended, *active.listeners.run_ended)
            active.listeners = replace(active.listeners, run_ended=ended)

    def _run_ended(self, run: Run) -> None:
        if recorder.active is not None:
            self._tell_drops(recorder.active, run)

    def _tell_drops(self, active: Recorder, run: Run) -> None:
        """Write how many were dropped since the last telling; each telling waits for twice as many as all before."""
        with _counting:
            tally = self._tallies.get(run)
            count = tally.dropped - tally.told if tally is not None else 0
            if tally is None or not count:
                return
            tally.told = tally.dropped
            tally.next_telling = tally.dropped * 2
        limit = int(active.settings.foreign_spans)
        reason = f"more than {limit} spans of others in one run"
        active.record("drop", {"count": count, "reason": reason, "what": "spans"}, run)

    # -- what is said -----------------------------------------------------------------------------------------------

    def _payload(self, active: Recorder, span: Any) -> dict[str, Any]:
        if self._filters is None or self._filters[0] is not active:
            self._filters = (active, active.filter_for(_FIELDS), active.filter_for(_CLASSES))
        _, own, allowed = self._filters
        values = dict(span.attributes or {})
        # a number is a count or a code, whatever its name; of texts only the listed
        numbers = {key: value for key, value in values.items() if type(value) in _NUMBERS and key.startswith(_FAMILIES)}
        texts = {key: value for key, value in values.items() if key not in numbers and key in _CLASSES}
        said = {
            "name": span.name,
            "scope": getattr(span.instrumentation_scope, "name", None),
            "span_kind": span.kind.name.lower(),
            "message": span.status.description,
            "events": len(span.events) or None,
            "links": len(span.links) or None,
            "other_attributes": (len(values) - len(numbers) - len(texts)) or None,
        }
        kept = {**numbers, **allowed.keep(texts)}
        return own.keep(said) | ({"attributes": kept} if kept else {})


_NUMBERS: Final = frozenset({int, float, bool})


def _is_ours(span: Any) -> bool:
    return str(getattr(span.instrumentation_scope, "name", "")).startswith(SCOPE_PREFIX)


def _run_here(active: Recorder) -> Run:
    """Return the run of the context in which a span starts; an ended run takes no more."""
    around = current.get()
    run: Run = around.run if isinstance(around, Step) else around or active.process_run
    return active.process_run if run.ended else run


def _place(span: Any) -> dict[str, Any]:
    parent = span.parent
    return {
        "trace_id": f"{span.context.trace_id:032x}",
        "span_id": f"{span.context.span_id:016x}",
        "parent_span_id": f"{parent.span_id:016x}" if parent is not None else None,
        "sampled": bool(span.context.trace_flags.sampled),
    }


def _thread() -> str:
    return clean(threading.current_thread().name, 64)
