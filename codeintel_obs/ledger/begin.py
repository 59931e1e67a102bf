"""Begins a file of the ledger: who begins an attempt and who joins it is decided by who creates the file."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from codeintel_obs.ledger.places import Owner, claim, filename, owner_of
from codeintel_obs.ledger.process import writer_id

if TYPE_CHECKING:
    from codeintel_obs.ledger.encoding import Ids
    from codeintel_obs.runs import Run

_MOST_SEGMENTS: Final = 10_000


class Begun(NamedTuple):
    """A file just created with its first line in it; the caller owns ``fd``."""

    fd: int
    stem: str
    segment: int
    size: int
    begins: bool


class FirstLines(Protocol):
    """What a file begins with, whole lines: it is visible to nobody before they are in it."""

    def beginning(self) -> bytes:
        """Return the lines of the file that begins the attempt."""

    def joining(self, writer: str) -> bytes:
        """Return the lines of one that joins it, or goes on where a segment was left."""

    def sealed(self, content: bytes, name: str) -> bytes:
        """Return ``content``, lines of the other two, as it is written into the file ``name``."""


class Words(NamedTuple):  # imports what encodes records when it does: a supervisor has words of its own, and no steps
    """The first line that a writer's file begins with; ``predecessor`` is (file, last counted line, why it was left)."""

    run: Run
    ids: Ids
    facts: Callable[[], dict[str, Any]]
    predecessor: tuple[str, int, str] | None = None

    def beginning(self) -> bytes:
        """Return ``run.begin``; its time is the run's, not the file's."""
        from codeintel_obs.ledger.encoding import line, own

        run = self.run
        payload = {
            "name": run.name,
            **run.given(),
            "parent_run_id": run.parent_run_id,
            **self._facts(writer_id()),
        }
        moment, parent = (run.ts_ns, run.mono_ns), run.parent_span_id
        tail = own("run.begin", self.ids, known(payload), at=moment, trace_id=run.trace_id, parent_span_id=parent)
        return line(1, tail)

    def joining(self, writer: str) -> bytes:
        """Return ``writer.begin``."""
        from codeintel_obs.ledger.encoding import line, own

        payload = self._facts(writer)
        if self.predecessor is not None:
            name, last_n, reason = self.predecessor
            payload |= {"predecessor": name, "last_n": last_n, "reason": reason}
        return line(1, own("writer.begin", self.ids, known(payload)))

    def sealed(self, content: bytes, name: str) -> bytes:
        """Return ``content``: without a chain a line is the same under every name."""
        del name
        return content

    def _facts(self, writer: str) -> dict[str, Any]:
        from codeintel_obs import guard

        facts = guard.call(self.facts) or {}
        return {"pid": os.getpid(), **facts, "writer": writer, "plugins": list(self.run.plugins) or None}


def begin_attempt(folder: int, run: Run, words: FirstLines) -> Begun:
    """Begin ``run`` in this folder if nobody did, else join it."""
    us = Owner(run.run_id, run.attempt)
    whole = f"{run.run_id}~{run.attempt}"
    begin = words.beginning()
    if run.joins and owner_of(folder, filename(whole)) == us:
        return _join(folder, whole, words, None)
    for stem in (run.run_id, whole):
        if owner_of(folder, filename(stem)) is None:
            content = words.sealed(begin, filename(stem))
            fd = claim(folder, filename(stem), content)
            if fd is not None:
                return Begun(fd, stem, 1, len(content), begins=True)
        if owner_of(folder, filename(stem)) == us:
            return _join(folder, whole, words, None)
    # Both names are a stranger's, planted or damaged: the attempt is begun under a joiner's name.
    return _join(folder, whole, words, begin)


def _join(folder: int, whole: str, words: FirstLines, begin: bytes | None) -> Begun:
    writer = writer_id()
    while True:
        stem = f"{whole}~{writer}"
        content = words.sealed(begin or words.joining(writer), filename(stem))
        fd = claim(folder, filename(stem), content)
        if fd is not None:
            return Begun(fd, stem, 1, len(content), begins=begin is not None)
        writer = os.urandom(4).hex()  # this process joined the attempt before, and left it


def begin_segment(folder: int, stem: str, segment: int, words: FirstLines) -> Begun:
    """Begin segment number ``segment`` of ``stem``, or the first number after it that is free."""
    joining = words.joining(writer_id())
    for number in range(segment, _MOST_SEGMENTS):
        content = words.sealed(joining, filename(stem, number))
        fd = claim(folder, filename(stem, number), content)
        if fd is not None:
            return Begun(fd, stem, number, len(content), begins=False)
    raise OSError(errno.EDQUOT, "too many segments", stem)


def known(payload: dict[str, Any]) -> dict[str, Any]:
    """Return what is known of ``payload``: what is unknown is absent."""
    return {key: value for key, value in payload.items() if value is not None}
