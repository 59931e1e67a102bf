"""Begins a file of the ledger: who begins an attempt and who joins it is decided by who creates the file."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from codeintel_obs import guard
from codeintel_obs.ledger.encoding import Ids, line, own
from codeintel_obs.ledger.places import Owner, claim, filename, owner_of
from codeintel_obs.ledger.process import writer_id
from codeintel_obs.runs import Run

_MOST_SEGMENTS: Final = 10_000


class Begun(NamedTuple):
    """A file just created with its first line in it; the caller owns ``fd``."""

    fd: int
    stem: str
    segment: int
    size: int
    begins: bool


class Words(NamedTuple):
    """The first lines that a file may begin with; ``predecessor`` is (file, last counted line, why it was left)."""

    run: Run
    ids: Ids
    facts: Callable[[], dict[str, Any]]
    predecessor: tuple[str, int, str] | None = None

    def run_begin(self) -> str:
        """Return the tail of ``run.begin``; its time is the run's, not the file's."""
        run = self.run
        payload = {
            "name": run.name,
            "raw_run_id": run.raw_run_id,
            "raw_session_id": run.raw_session_id,
            "parent_run_id": run.parent_run_id,
            **self._facts(writer_id()),
        }
        moment, parent = (run.ts_ns, run.mono_ns), run.parent_span_id
        return own("run.begin", self.ids, _known(payload), at=moment, trace_id=run.trace_id, parent_span_id=parent)

    def writer_begin(self, writer: str) -> str:
        """Return the tail of ``writer.begin``."""
        payload = self._facts(writer)
        if self.predecessor is not None:
            name, last_n, reason = self.predecessor
            payload |= {"predecessor": name, "last_n": last_n, "reason": reason}
        return own("writer.begin", self.ids, _known(payload))

    def _facts(self, writer: str) -> dict[str, Any]:
        facts = guard.call(self.facts) or {}
        return {"pid": os.getpid(), **facts, "writer": writer, "plugins": list(self.run.plugins) or None}


def begin_attempt(folder: int, run: Run, words: Words) -> Begun:
    """Begin ``run`` in this folder if nobody did, else join it."""
    us = Owner(run.run_id, run.attempt)
    whole = f"{run.run_id}~{run.attempt}"
    begin = line(1, words.run_begin())
    if run.joins and owner_of(folder, filename(whole)) == us:
        return _join(folder, whole, words, None)
    for stem in (run.run_id, whole):
        if owner_of(folder, filename(stem)) is None:
            fd = claim(folder, filename(stem), begin)
            if fd is not None:
                return Begun(fd, stem, 1, len(begin), begins=True)
        if owner_of(folder, filename(stem)) == us:
            return _join(folder, whole, words, None)
    # Both names are a stranger's, planted or damaged: the attempt is begun under a joiner's name.
    return _join(folder, whole, words, begin)


def _join(folder: int, whole: str, words: Words, begin: bytes | None) -> Begun:
    writer = writer_id()
    while True:
        stem = f"{whole}~{writer}"
        content = begin or line(1, words.writer_begin(writer))
        fd = claim(folder, filename(stem), content)
        if fd is not None:
            return Begun(fd, stem, 1, len(content), begins=begin is not None)
        writer = os.urandom(4).hex()  # this process joined the attempt before, and left it


def begin_segment(folder: int, stem: str, segment: int, words: Words) -> Begun:
    """Begin segment number ``segment`` of ``stem``, or the first number after it that is free."""
    content = line(1, words.writer_begin(writer_id()))
    for number in range(segment, _MOST_SEGMENTS):
        fd = claim(folder, filename(stem, number), content)
        if fd is not None:
            return Begun(fd, stem, number, len(content), begins=False)
    raise OSError(errno.EDQUOT, "too many segments", stem)


def _known(payload: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in payload.items() if value is not None}
