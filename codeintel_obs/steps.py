"""The vocabulary: steps, records, points and calls. Data only; imports nothing of ours but the content level."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import msgspec

from codeintel_obs.levels import Content as Content  # noqa: PLC0414 - part of the vocabulary, kept apart for settings

SCHEMA_VERSION: Final = 1


class Status(StrEnum):
    """How a step ended. There is no fifth: begun and not ended is *in flight*, which only readers say."""

    COMPLETED = "completed"
    SKIPPED = "skipped"
    FAILED = "failed"
    TIMED_OUT = "timed_out"


class FieldClass(StrEnum):
    """What a payload key holds, declared in its plugin's table; it decides from which level on it is kept.

    ``count``, ``code`` and ``id`` are kept at every level, ``path`` and ``name`` from ``messages`` on,
    ``text`` (query texts, SQL, prompts, argv) at ``all`` only, and ``secret`` never.
    """

    COUNT = "count"
    CODE = "code"
    ID = "id"
    PATH = "path"
    NAME = "name"
    TEXT = "text"
    SECRET = "secret"  # noqa: S105 - the name of a class of fields


class Link(msgspec.Struct, frozen=True, omit_defaults=True):
    """A pointer at another step: each part absent when unknown."""

    run_id: str | None = None
    trace_id: str | None = None
    span_id: str | None = None


class ChainLink(msgspec.Struct, frozen=True, omit_defaults=True):
    """One exception that hangs from another: ``of`` is the id it hangs from, ``via`` says how."""

    id: str
    type: str
    via: str
    of: str | None = None


class ErrorInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """An exception as recorded: ``id`` is a token that travels on the exception object itself."""

    type: str
    message: str | None = None
    id: str | None = None
    chain: tuple[ChainLink, ...] = ()


class Record(msgspec.Struct, omit_defaults=True, kw_only=True):
    """One line of a ledger, schema version 1, keys in their order on disk (``crc`` is the line's last 18 bytes)."""

    v: int
    n: int
    event: str
    ts: str
    mono_ns: int
    run_id: str
    attempt: str
    session_id: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    links: list[Link] | None = None
    sampled: bool | None = None
    thread: str | None = None
    kind: str | None = None
    status: str | None = None
    detail: str | None = None
    duration_ns: int | None = None
    payload: dict[str, Any] | None = None
    error: ErrorInfo | None = None
    source: str
    prev: str | None = None
    crc: str | None = None


@dataclass(frozen=True, slots=True)
class StepEvent:
    """An instant step: it has one record, and no duration.

    ``classes`` declares what the payload's keys hold; an application's undeclared strings count as names.
    """

    kind: str
    status: Status = Status.COMPLETED
    detail: str | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)
    links: tuple[Link, ...] = ()
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What ``after`` may say beyond a payload: a result that says it failed or was skipped, and instants of its own."""

    payload: Mapping[str, Any] = field(default_factory=dict)
    status: Status = Status.COMPLETED
    detail: str | None = None
    events: Sequence[StepEvent] = ()
    links: tuple[Link, ...] = ()


class Step(msgspec.Struct, weakref=True, eq=False):
    """One unit of work from begin to end, as the sinks see it. Owned by the recorder; sinks only read it.

    Times are ``ts_ns`` (wall clock, for people) and ``mono_ns`` (monotonic, for durations), both ns. Payload, detail
    and error are already filtered by content level and redacted when a sink sees them. ``status`` is None
    while the step is in flight. ``instant`` steps have one record. ``handled`` is what its framework was
    handed to answer, until the step ends (see `Point.handled_error`). A struct, because it is made in C.
    """

    run: Any
    kind: str
    source: str
    payload: dict[str, Any] | None = None
    span_id: str = ""
    trace_id: str = ""
    parent: Step | None = None
    parent_span_id: str | None = None
    thread: str = ""
    epoch: int = 0
    ts_ns: int = 0
    mono_ns: int = 0
    subject: int = 0
    links: tuple[Link, ...] = ()
    sampled: bool | None = None
    instant: bool = False
    late: bool = False
    status: Status | None = None
    detail: str | None = None
    duration_ns: int | None = None
    end_ts_ns: int = 0
    end_mono_ns: int = 0
    end_payload: dict[str, Any] | None = None
    error: ErrorInfo | None = None
    otel: Any = None
    handled: BaseException | None = None


class Call(msgspec.Struct, eq=False):
    """One call of a watched callable, as a describe function sees it. Arguments are read, never consumed or kept.

    ``notes`` belongs to the plugin: what ``before`` saw and ``after`` needs. ``settings`` are the effective ones, for
    the rows that declare ``run`` or ``stands_for``.
    """

    name: str
    instance: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    notes: Any = None
    step: Step | None = None
    settings: Any = None

    def arg(self, position: int, name: str, default: Any = None) -> Any:
        """Return the argument at ``position`` (0 is the first after ``self``) or by ``name``, else ``default``."""
        if position < len(self.args):
            return self.args[position]
        return self.kwargs.get(name, default)


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What a `Point.run` function asks for: a run of its own, named and identified by hostile input or not at all.

    ``run_id`` and ``session_id`` come from outside and are never trusted. ``join`` is the carrier of a run to join
    (``run``, ``attempt``, ``day``, ``session``); it is None unless its sender may be trusted. ``traceparent`` is the
    sender's place in a trace (W3C).
    """

    name: str
    run_id: str | None = None
    session_id: str | None = None
    join: Mapping[str, str] | None = None
    traceparent: str | None = None


Describe = Callable[[Call], "Mapping[str, Any] | Outcome | None"]
DescribeResult = Callable[[Call, Any], "Mapping[str, Any] | Outcome | None"]
DescribeFailure = Callable[[Call, BaseException], "Mapping[str, Any] | Outcome | None"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One row of an instrumentor's table: what is wrapped, which kind it is, how it is described.

    A describe function is pure, level-blind and may raise (the guard counts it). ``before`` sees the call's
    arguments at its begin: cheap scalars only. ``after`` sees the result of a call that returned; for a generator
    or stream it is called once at its end with ``None``, and the core counts ``items``. ``failed`` sees the exception.
    Of an `Outcome` that ``before`` gives, payload, events and links count; of one from ``failed``, payload and events.
    """

    module: str
    """Module whose import triggers the wrapping, and where ``name`` is looked up."""
    name: str
    """Dotted attribute path in the module (``DuckDBPyConnection.execute``); see ``every_class``."""
    kind: str | None
    """``library.verb``; None for a row that only ends steps of other points (see ``ends_at``), or that only looks: its
    ``before`` and ``after`` may note what they see, ``call.step`` is then the step around it, and nothing is recorded but
    the instants of an `Outcome` that ``after`` gives."""
    before: Describe | None = None
    after: DescribeResult | None = None
    failed: DescribeFailure | None = None
    timed_out: Callable[[BaseException], bool] | None = None
    """Whether this exception *is* a time-out of the library; TimeoutError always is."""
    message: Callable[[BaseException], str] | None = None
    """The error's message without what the library echoes of SQL or argv; used below content level ``all``."""
    every_class: bool = False
    """Wrap the own-``__dict__`` slot of every class in the module's namespace that defines the method, each once:
    of ``Index.search`` those of ``Index`` and its subclasses, of a bare ``search`` those of all classes."""
    optional: bool = False
    """Not in every build or version of the library: where it is missing, nothing of its kind goes unwatched."""
    outermost: bool = False
    """A call made inside any step of the same plugin is part of that step: a library's own Python calling itself."""
    from_outside: bool = False
    """A call that the module makes which defines the callable is part of the step around it. Unlike ``outermost`` it
    leaves alone what the application does from a callback (synchronous callables only)."""
    patched_by: tuple[str, ...] = ()
    """Modules that replace the wrapped attribute when they are imported; the point is put in place again after each."""
    frame_transparent: bool = True
    """The library sees the caller's frame, locals and line (synchronous callables only)."""
    ends_at: tuple[str, ...] = ()
    """Names of the points whose call ends the step that this one begins."""
    key: Callable[[Call, Any], Any] | None = None
    """Object (compared by identity, held weakly) that ties a begin to its end: ``key(call, result)`` at the begin,
    ``key(call, None)`` at the end; None means that the step ends at return."""
    ends_when: Callable[[Call, Any], bool] | None = None
    """Of a row at which steps end: whether this call, which returned, is the end. One that raised always is."""
    carrier: Callable[[Call], Call] | None = None
    """May return a call with *new* mappings that also hold run context; only such points change arguments."""
    annotate: bool | tuple[str, ...] = False
    """The library makes its own span: add the step event to it if it is recording, make no second one. Where somebody
    else makes the library's spans, the names of their instrumentation scopes: only such a span is the library's."""
    run: Callable[[Call], RunRequest | None] | None = None
    """Begins or joins a run for the length of the call; of a row without a kind, at the first record in it."""
    baggage: Callable[[Call], str | None] | None = None
    """The sender's baggage (W3C), for OpenTelemetry's context of a coroutine; ours is left out of it."""
    stands_for: Callable[[Call], str | None] | None = None
    """Name of the row that describes this very call, where its arguments decide; None: nothing is recorded of it."""
    hands_on: tuple[tuple[str, str], ...] = ()
    """Callables that are watched from here on, each with the name of the row that watches it: an argument by its
    ``position:name``, exchanged before the call, or an attribute of the instance (``.name``), after it."""
    item: Callable[[Call, Any], Any] | None = None
    """Sees each thing that a stream gave, right before its consumer does; what it notes is there for ``after``."""
    handed_on: bool = False
    """Nothing is looked up under ``name``: other rows stand for this one, or hand callables on to it."""
    same: Callable[[Call], Any] | None = None
    """Object whose identity tells that a call inside a step of this kind, at any depth, is part of that step."""
    handled_error: Callable[[Call, BaseException | None], BaseException | None] | None = None
    """Of a row without a kind: the exception that a framework is handed to answer, from the arguments at the begin
    (with None) or as it left the call. Should the plugin's step around it end as failed, that was its error."""
    mount: Callable[[Call], bool] | None = None
    """The callable is an ASGI application. Whether this call is for the routes that `codeintel_obs.asgi.mounted`
    answers in its place."""
    received: Callable[[Call, Any], Any] | None = None
    """Sees each message that an ASGI application received."""
    sent: Callable[[Call, Any], Any] | None = None
    """Sees each message that an ASGI application sends; may return a *new* one that also holds run context."""
    returns: Callable[[Call, Any], Any] | None = None
    """May return a *new* mapping in the place of a coroutine's result that also holds run context."""
    flushes: bool = False
    """The process may be killed after this call without a further word: every sink hands on what it holds."""
    emits: str = "step"
    """``step``, or ``log`` when the call is a log record on its way: ``before`` gives ``logger``, ``level``, ``number``,
    ``ts_ns``, ``exc`` and ``text``, a callable that is only asked for records that are kept. Where it gives None,
    ``after`` is asked for ``{"text": ...}`` once the application's own handlers have seen the record."""
    leads: Callable[[Call, Any], Any] | None = None
    """Object, or tuple of objects (compared by identity, held weakly), by which later steps link this one:
    ``leads(call, result)`` when the call returned, ``leads(call, None)`` when it raised: then no link leads anywhere."""
    follows: Callable[[Call], Any] | None = None
    """Object whose latest leading step this one links."""
    passes_on: bool = False
    """What ``leads`` here leads on to what this step itself links, if it links anything."""
    skip_when: Callable[[Call], str | None] | None = None
    """A reason why this very call is not a step (a session process, an empty flush); None records it."""
    span_kind: str = "internal"
    attributes: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None
    """Semantic-convention attributes of the span, from the filtered payload."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A log record of the application, on its way to the sinks: already filtered and redacted."""

    run: Any
    ts_ns: int
    mono_ns: int
    logger: str
    level: str
    level_number: int
    text: str | None
    thread: str
    trace_id: str | None
    span_id: str | None
    error: ErrorInfo | None = None
    source: str = "logging"
    sampled: bool | None = None


@dataclass(frozen=True, slots=True)
class Root:
    """What a closed file of a chained ledger comes down to: the SHA-256 of its closing record's line.

    ``file`` is ``<day>/<file>``, as evidence cites it; ``records`` is how many lines it has.
    """

    run: Any
    file: str
    records: int
    sha256: str
