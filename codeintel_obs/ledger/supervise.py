"""What a supervising parent writes: how the process that it launched ended.

It knows all of it at once, so its file appears whole and closed, and it needs nothing of what writes a step while the
application waits: no encoder, no threads, nothing but the standard library.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from zlib import crc32

from codeintel_obs.ledger.begin import begin_attempt, known
from codeintel_obs.ledger.descriptors import identity_of
from codeintel_obs.ledger.durable import make_durable
from codeintel_obs.ledger.manifest import write_manifest
from codeintel_obs.ledger.places import RUNS, filename, open_folder
from codeintel_obs.ledger.process import writer_id

_PAYLOAD_CAP: Final = 8192

if TYPE_CHECKING:
    from codeintel_obs.ledger.begin import FirstLines
    from codeintel_obs.runs import Run
    from codeintel_obs.settings import Settings


def write_process_exit(
    run: Run, settings: Settings, pid: int, code: int, manifest: dict[str, Any] | None = None
) -> str | None:
    """Write one ``process.exit`` for the child ``pid`` into ``run``; return the file's path, if one could be written.

    ``code`` is negative for a signal. ``run`` is the one that the child was given: it is joined with a file of its own,
    or begun and ended here when the child left no record. ``manifest`` is the content of this process's. Raises OSError
    only where the disk would not say that it keeps what it took.
    """
    run.joins = True
    data_dir = os.path.abspath(settings.data_dir)
    try:
        facts = _facts(data_dir, settings, pid, manifest)
        folder = open_folder(data_dir, *RUNS, run.day)
        try:
            begun = begin_attempt(folder, run, _words(settings, run, facts, {"pid": pid, **_seen(code)}, code))
        finally:
            os.close(folder)
    except OSError:
        return None
    run.ledger_path = os.path.join(data_dir, *RUNS, run.day, filename(begun.stem, begun.segment))
    try:
        with suppress(OSError):  # a file system without modes: the closing record says the same
            os.fchmod(begun.fd, 0o440)
        if settings.fsync != "none":
            make_durable(begun.fd, identity_of(begun.fd), run.ledger_path, with_folder=True)
    finally:
        os.close(begun.fd)
    return run.ledger_path


def _facts(data_dir: str, settings: Settings, pid: int, manifest: dict[str, Any] | None) -> dict[str, Any]:
    service = (manifest or {}).get("service") or settings.service or None
    facts = {"service": service, "host": os.uname().nodename, "pid": os.getpid(), "supervises": pid}
    if manifest is not None:
        written = write_manifest(data_dir, manifest)
        facts |= {"manifest": written.name, "manifest_sha256": written.sha256}
    return facts


def _seen(code: int) -> dict[str, int]:
    return {"code": code} if code >= 0 else {"signal": -code}


def _end_of(run: Run, code: int) -> dict[str, Any]:
    outcome = "completed" if code == 0 else "interrupted" if code < 0 else "failed"
    return known({"name": run.name, "outcome": outcome, "open": []})


def _words(settings: Settings, run: Run, facts: dict[str, Any], seen: dict[str, Any], code: int) -> FirstLines:
    words = _Exit(run, facts, seen, _end_of(run, code))
    if not settings.chain:
        return words
    from codeintel_obs.ledger.chain import ChainedWords

    return ChainedWords(words, run.attempt)


class _Exit(NamedTuple):
    """The lines of the supervisor's file: its begin, the exit that it saw, and its end."""

    run: Run
    facts: dict[str, Any]
    seen: dict[str, Any]
    end: dict[str, Any]

    def beginning(self) -> bytes:
        """Begin the run, and end it: the child left no record."""
        run = self.run
        payload = {
            "name": run.name,
            **run.given(),
            "parent_run_id": run.parent_run_id,
        }
        words = {"trace_id": run.trace_id, "parent_span_id": run.parent_span_id}
        begin = self._line(
            1, "run.begin", {**payload, **self.facts, "writer": writer_id()}, (run.ts_ns, run.mono_ns), words
        )
        return begin + self._exit() + self._line(3, "run.end", {**self.end, "records": 3})

    def joining(self, writer: str) -> bytes:
        """Join the run that the child began, and leave it."""
        begin = self._line(1, "writer.begin", {**self.facts, "writer": writer})
        return begin + self._exit() + self._line(3, "writer.end", {"records": 3})

    def sealed(self, content: bytes, name: str) -> bytes:
        """Return ``content``: without a chain a line is the same under every name."""
        del name
        return content

    def _exit(self) -> bytes:
        return self._line(2, "process.exit", self.seen)

    def _line(
        self,
        n: int,
        event: str,
        payload: dict[str, Any],
        at: tuple[int, int] | None = None,
        words: dict[str, str | None] | None = None,
    ) -> bytes:
        ts_ns, mono_ns = at or (time.time_ns(), time.monotonic_ns())
        record = {
            "v": 1,
            "n": n,
            "event": event,
            "ts": _stamp(ts_ns),
            "mono_ns": mono_ns,
            "run_id": self.run.run_id,
            "attempt": self.run.attempt,
            "session_id": self.run.session_id,
            **(words or {}),
        }
        head = b'%b,"payload":%b,"source":"obs"' % (_json(known(record))[:-1], _payload(known(payload)))
        return head + b',"crc":"%08x"}\n' % crc32(head)


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _payload(payload: dict[str, Any]) -> bytes:
    try:
        data = _json(payload)
    except ValueError:
        data = b""
    if 0 < len(data) <= _PAYLOAD_CAP:
        return data
    from codeintel_obs.ledger.encoding import payload_json  # an id as it came may be anything

    return payload_json(payload)


def _stamp(ts_ns: int) -> str:
    seconds, rest = divmod(ts_ns, 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest // 1000:06d}Z"
