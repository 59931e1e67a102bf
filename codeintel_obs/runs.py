"""Runs and attempts: what one request, tool call or process did, under one ``run_id``."""

from __future__ import annotations

import json
import os
import random
import re
import time
from collections.abc import Mapping
from typing import Any, Final

from codeintel_obs.variables import CONTEXT_VARIABLE as CONTEXT_VARIABLE  # noqa: PLC0414 - the alias makes it public here too

SAFE_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_HASHED_ID: Final = re.compile(r"x-[0-9a-f]{32}\Z")
_TOKEN: Final = re.compile(r"[0-9a-f]{16}\Z")
_DAY: Final = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])\Z")
_TRACE: Final = re.compile(r"(?!0{32})[0-9a-f]{32}\Z")
_SPAN: Final = re.compile(r"(?!0{16})[0-9a-f]{16}\Z")
_TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-((?!0{32})[0-9a-f]{32})-((?!0{16})[0-9a-f]{16})-([0-9a-f]{2})(-|\Z)"
)

_GIVEN_CAP: Final = 2048

# Our own generator: the application's `random` must not notice us, and its seed must not repeat our ids.
_random = random.Random(os.urandom(16))  # noqa: S311 - ids, not secrets


_spare: list[str] = []  # span ids are made many at a time: one costs as much as thirty


def reseed() -> None:
    """Give a forked child its own sequence of ids."""
    _random.seed(os.urandom(16))
    _spare.clear()


def new_span_id() -> str:
    """Return 16 random lower-case hex digits, never all zero."""
    try:
        return _spare.pop()
    except IndexError:
        _spare.extend(made for made in _random.randbytes(512).hex(" ", 8).split() if made.strip("0"))
        return new_span_id()


def new_trace_id() -> str:
    """Return 32 random lower-case hex digits, never all zero."""
    return f"{_random.getrandbits(128) or 1:032x}"


def new_run_id() -> str:
    """Return a new run id that sorts by time: ``20261122T175022.123-9f3c1a2b4d``."""
    now_ms = time.time_ns() // 1_000_000
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now_ms // 1000))
    return f"{stamp}.{now_ms % 1000:03d}-{_random.getrandbits(40):010x}"


def accept_id(raw: str) -> tuple[str, str | None]:
    """Return the id under which hostile input ``raw`` is stored, and ``raw`` itself when that differs, else None."""
    if SAFE_ID.match(raw) and not _HASHED_ID.match(raw):
        return raw, None
    import hashlib  # loads OpenSSL: 3 ms of every launch, for ids that hardly anybody sends

    digest = hashlib.sha256(raw.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"x-{digest}", raw


def place_in(traceparent: str) -> tuple[str, str, bool] | None:
    """Return trace id, span id and whether it is sampled, of a sender's place in a trace (W3C); None when malformed."""
    found = _TRACEPARENT.match(traceparent)
    return (found[1], found[2], bool(int(found[3], 16) & 1)) if found is not None else None


class Run:
    """One attempt of a run, as this process knows it.

    ``ledger`` belongs to the ledger sink. ``open`` holds the steps that this process began and did not end, by span
    id. ``joins`` means that another process may have begun this attempt: the first with a record begins it.
    ``tells_given`` is False at content level ``none``: what a sender called the run is text of the sender's.
    """

    __slots__ = (
        "__weakref__",
        "attempt",
        "begun",
        "day",
        "end_error",
        "ended",
        "is_process",
        "joins",
        "ledger",
        "ledger_path",
        "mono_ns",
        "name",
        "open",
        "outcome",
        "parent_run_id",
        "parent_span_id",
        "plugins",
        "raw_run_id",
        "raw_session_id",
        "run_id",
        "sampled",
        "session_id",
        "tells_given",
        "trace_id",
        "ts_ns",
    )

    def __init__(self, run_id: str | None = None, name: str | None = None, session_id: str | None = None) -> None:
        self.run_id, self.raw_run_id = accept_id(run_id) if run_id else (new_run_id(), None)
        self.session_id: str | None = None
        self.raw_session_id: str | None = None
        if session_id:
            self.session_id, self.raw_session_id = accept_id(session_id)
        self.name = name
        self.attempt = new_span_id()
        self.ts_ns = time.time_ns()
        self.mono_ns = time.monotonic_ns()
        self.day = time.strftime("%Y-%m-%d", time.gmtime(self.ts_ns // 1_000_000_000))
        self.trace_id = new_trace_id()
        self.parent_run_id: str | None = None
        self.parent_span_id: str | None = None
        self.sampled: bool | None = None
        self.is_process = False
        self.tells_given = True
        self.joins = False
        self.begun = False
        self.ended = False
        self.outcome: str | None = None
        self.end_error: Any = None
        self.open: dict[str, Any] = {}
        self.plugins: tuple[str, ...] = ()
        self.ledger: Any = None
        self.ledger_path: str | None = None

    def continue_trace(self, traceparent: str) -> None:
        """Hang this run's first steps from the sender's place in a trace (W3C). It is hostile input."""
        found = place_in(traceparent)
        if found is not None:
            self.trace_id, self.parent_span_id, self.sampled = found

    def given(self) -> dict[str, str]:
        """Return what its sender called run and session where these are not the ids themselves: redacted, and cut."""
        raw = {"raw_run_id": self.raw_run_id, "raw_session_id": self.raw_session_id}
        if not self.tells_given or not any(raw.values()):
            return {}
        from codeintel_obs.redact import clean  # no launch loads it for ids that hardly anybody sends

        return {key: clean(value, _GIVEN_CAP) for key, value in raw.items() if value}

    def carrier(self, span_id: str | None = None) -> dict[str, str]:
        """Return what another process needs to join this attempt; ``span_id`` is the step that it hangs from."""
        values = {
            "run": self.run_id,
            "attempt": self.attempt,
            "day": self.day,
            "session": self.session_id,
            "trace": self.trace_id,
            "span": span_id or self.parent_span_id,
            "name": self.name,
            "raw": self.raw_run_id,
        }
        return {key: value for key, value in values.items() if value}


def join(carrier: Mapping[str, Any]) -> Run | None:
    """Return the run that ``carrier`` describes, to be joined, or None when it is malformed. It is hostile input."""
    run_id, attempt, day = (carrier.get(key) for key in ("run", "attempt", "day"))
    well_formed = (
        isinstance(run_id, str)
        and isinstance(attempt, str)
        and isinstance(day, str)
        and SAFE_ID.match(run_id)
        and _TOKEN.match(attempt)
        and _DAY.match(day)
    )
    if not well_formed:
        return None
    session = carrier.get("session")
    name = carrier.get("name")
    run = Run(str(run_id), str(name)[:128] if name else None, session if isinstance(session, str) else None)
    # A hashed id is stored as it came: its sender hashed it already.
    raw = carrier.get("raw")
    run.run_id, run.raw_run_id = str(run_id), raw if isinstance(raw, str) and accept_id(raw)[0] == run_id else None
    run.attempt, run.day, run.joins = str(attempt), str(day), True
    if isinstance(session, str) and _HASHED_ID.match(session):
        run.session_id, run.raw_session_id = session, None
    trace, span = carrier.get("trace"), carrier.get("span")
    if isinstance(trace, str) and _TRACE.match(trace):
        run.trace_id = trace
    if isinstance(span, str) and _SPAN.match(span):
        run.parent_span_id = span
    return run


def from_environment(environ: Mapping[str, str]) -> Run:
    """Return this process's run: the one its parent passed on, else a new one (named by `CODEINTEL_OBS_RUN_ID`)."""
    run = None
    text = environ.get(CONTEXT_VARIABLE)
    if text:
        try:
            carrier = json.loads(text)
        except ValueError:
            carrier = None
        run = join(carrier) if isinstance(carrier, dict) else None
    if run is None:
        session = environ.get("CODEINTEL_OBS_SESSION_ID")
        run = Run(environ.get("CODEINTEL_OBS_RUN_ID") or None, session_id=session or None)
    run.is_process = True
    return run
