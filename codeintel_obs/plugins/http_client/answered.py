"""What is seen of an answer while it passes to the application: its status, its size, what vLLM says of its work."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import msgspec

from codeintel_obs.beside import Beside
from codeintel_obs.steps import Outcome, Status

CLOSED: Final = "closed by consumer"
_READ_UP_TO: Final = 32 << 20
_LINE_CAP: Final = 1 << 20
_CODE_CAP: Final = 32
_SERVER_ERROR: Final = 500
_NONE: Final = msgspec.Raw()  # in a union with None, msgspec takes None alone


class _Choice(msgspec.Struct):
    finish_reason: Any = None


class _Usage(msgspec.Struct):
    prompt_tokens: Any = None
    input_tokens: Any = None
    completion_tokens: Any = None
    output_tokens: Any = None
    prompt_tokens_details: Any = None


class _Answer(msgspec.Struct):
    """What is read of an answer's JSON; the rest is skipped and never made."""

    usage: _Usage | None = None
    choices: list[_Choice] | None = None
    data: list[msgspec.Raw] | None = None
    results: list[msgspec.Raw] | None = None
    error: msgspec.Raw = _NONE


class _Vector(msgspec.Struct):
    embedding: list[float] | None = None


_read_answer: Final = msgspec.json.Decoder(_Answer).decode
_read_vector: Final = msgspec.json.Decoder(_Vector).decode


class Tally:
    """One answer. ``see`` is shown each piece as it passes; of other hosts' bodies only the size is kept."""

    __slots__ = (
        "bytes",
        "done",
        "done_marked",
        "error",
        "events",
        "in_event",
        "kept",
        "line",
        "reading",
        "reasons",
        "status",
        "usage",
    )

    def __init__(self, status: int, *, of_vllm: bool, content_type: str = "", encoded: bool = False) -> None:
        self.status = status
        self.bytes = 0
        self.done = False
        self.done_marked = False
        self.events: int | None = None
        self.kept: list[bytes] | None = None
        self.reading = of_vllm and not encoded
        self.usage: _Usage | None = None
        self.reasons: Counter[str] = Counter()
        self.error = False
        self.line = b""
        self.in_event = False
        if content_type.startswith("text/event-stream") and not encoded:
            self.events = 0
        elif self.reading:
            self.kept = []

    def see(self, piece: Any) -> None:
        """Take note of a piece of the body on its way to its reader."""
        if not isinstance(piece, (bytes, bytearray, memoryview)):
            return
        self.bytes += len(piece)
        if self.events is not None:
            self._see_lines(bytes(piece))
        elif self.kept is not None:
            self.kept.append(bytes(piece))
            if self.bytes > _READ_UP_TO:
                self.kept = None

    def _see_lines(self, piece: bytes) -> None:
        *lines, rest = piece.split(b"\n")
        for line in lines:
            self._see_line(self.line + line)
            self.line = b""
        if len(self.line) <= _LINE_CAP:  # of a longer one it is enough to know how it begins
            self.line += rest

    def _see_line(self, line: bytes) -> None:
        """See one line: those of one event follow each other, and an empty one ends it."""
        if line.startswith(b"data:"):
            self._see_data(line[5:].strip() if len(line) <= _LINE_CAP else b"")
        elif line in (b"", b"\r"):
            self.in_event = False

    def _see_data(self, data: bytes) -> None:
        if data == b"[DONE]":
            self.done_marked = True
            return
        if not self.in_event:
            self.in_event = True
            self.events = (self.events or 0) + 1
        if self.reading and any(
            word in data for word in (b'"usage"', b'"finish_reason":"', b'"finish_reason": "', b'"error"')
        ):
            self._read(data)

    def _read(self, text: bytes) -> _Answer | None:
        try:
            answer = _read_answer(text)
        except msgspec.MsgspecError:
            return None
        self.usage = answer.usage or self.usage
        self.reasons.update(each.finish_reason for each in answer.choices or () if _is_code(each.finish_reason))
        self.error = self.error or bytes(answer.error) not in (b"", b"null")
        return answer

    def payload(self) -> dict[str, Any]:
        """Return what was seen, of an answer that has ended or was cut off."""
        found: dict[str, Any] = {"status_code": self.status, "bytes": self.bytes, "items": self.events}
        if self.kept:
            answer = self._read(b"".join(self.kept))
            self.kept = None  # its holder may live on, as a connection does
            found |= _results(answer) if answer is not None else {}
        if self.usage is not None:
            found |= _tokens(self.usage)
        if self.events is not None and self.done_marked:
            found["done_marker"] = True
        if self.reasons:
            found["finish_reasons"] = dict(self.reasons)
        return found

    def outcome(self, detail: str | None = None) -> Outcome:
        """Return how the step of an answer ends that nothing raised in."""
        payload = self.payload()
        if self.status >= _SERVER_ERROR:
            return Outcome(payload, Status.FAILED, f"status {self.status}")
        if self.error and self.events is not None:
            return Outcome(payload, Status.FAILED, "an event of the stream says error")
        return Outcome(payload, detail=detail)


def _is_code(reason: Any) -> bool:
    """Whether a server's reason is a word of a list, as vLLM's are, and not a text: codes are kept at every level."""
    return isinstance(reason, str) and reason.isidentifier() and len(reason) <= _CODE_CAP


def _tokens(usage: _Usage) -> dict[str, Any]:
    details = usage.prompt_tokens_details
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    given = {
        "tokens": usage.prompt_tokens if usage.prompt_tokens is not None else usage.input_tokens,
        "output_tokens": usage.completion_tokens if usage.completion_tokens is not None else usage.output_tokens,
        "cached_tokens": cached,
    }
    return {key: value for key, value in given.items() if type(value) is int}


def _results(answer: _Answer) -> dict[str, Any]:
    rows = answer.data if answer.data is not None else answer.results
    if rows is None:
        return {"outputs": len(answer.choices)} if answer.choices is not None else {}
    found: dict[str, Any] = {"outputs": len(rows)}
    if answer.data:
        try:
            vector = _read_vector(answer.data[0]).embedding
        except msgspec.MsgspecError:  # encoded in base64: its length is that of bytes, not of numbers
            vector = None
        found["dim"] = len(vector) if vector else None
    return found


tallies: Final[Beside[Tally]] = Beside()
"""Answers under way, each beside the object of its library that gives the body."""


def see(holder: Any, piece: Any) -> None:
    """Show a piece to the tally of the answer that ``holder`` gives."""
    tally = tallies.get(holder)
    if tally is not None:
        tally.see(piece)


def ended(holder: Any, detail: str | None = None) -> Outcome | None:
    """Return how the answer ended that ``holder`` gives."""
    tally = tallies.get(holder)
    return tally.outcome(detail) if tally is not None else None


def cut(holder: Any) -> dict[str, Any] | None:
    """Return what was seen of an answer that broke off."""
    tally = tallies.get(holder)
    return tally.payload() if tally is not None else None
