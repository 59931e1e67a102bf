"""Turns what happened in a channel or stage into an outcome: nothing that one of them raises ends a search."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from codeintel_rev.errors import EmbeddingError, ModelUnavailableError, RemoteError, RevError
from codeintel_rev.retrieval.answer import ChannelOutcome, StageOutcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from codeintel_rev.retrieval.answer import Status
    from codeintel_rev.retrieval.fusion import Ranked

REBUILD = "Mend: codeintel-rev index REPO builds a new index"


class NotAskedError(Exception):
    """The query or the settings do not ask for this channel or stage: nothing is missing from the answer."""


class Told(NamedTuple):
    status: Status
    reason: str
    mend: str = ""
    expected: bool = False


def told(error: Exception) -> Told:
    """What an exception says of the channel or stage that raised it."""
    if isinstance(error, NotAskedError):
        return Told("skipped", str(error), expected=True)
    if isinstance(error, ModelUnavailableError):
        return Told("skipped", error.what, error.mend)
    status: Status = "timed_out" if isinstance(error, TimeoutError) else "failed"
    if isinstance(error, RevError):
        return Told(status, error.what, error.mend)
    first_line = next(iter(str(error).strip().splitlines()), "no message")
    return Told(status, f"{type(error).__name__}: {first_line}", REBUILD if status == "failed" else "")


class Resting:
    """Channels whose model or server has just failed: a crowd of searches does not wait for it one by one."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._failed: dict[str, tuple[float, Told]] = {}

    def note(self, channel: str, error: Exception, reason: Told) -> None:
        if isinstance(error, EmbeddingError | RemoteError):
            self._failed[channel] = (time.monotonic(), reason)

    def raise_if_resting(self, channel: str) -> None:
        """The same failure once more, with its age, instead of another attempt."""
        when, reason = self._failed.get(channel, (0.0, None))
        age = time.monotonic() - when
        if reason is not None and age < self._seconds:
            again = f"asked again in {self._seconds - age:.1f} s"
            raise ModelUnavailableError(f"failed {age:.1f} s ago ({reason.reason}); {again}", reason.mend)


def channel_outcome(channel: str, ask: Callable[[], tuple[Ranked, ...]], resting: Resting) -> ChannelOutcome:
    """Asks, unless the channel rests; whatever it raises, the others may have the answer."""
    begun = time.monotonic()
    try:
        resting.raise_if_resting(channel)
        found = ask()
    except Exception as error:  # noqa: BLE001 - told in the outcome, and by it in the answer
        reason = told(error)
        resting.note(channel, error, reason)
        seconds = time.monotonic() - begun
        return ChannelOutcome(channel, reason.status, reason.reason, reason.mend, seconds, expected=reason.expected)
    return ChannelOutcome(channel, "ran", seconds=time.monotonic() - begun, found=found)


class Stages:
    """The clock of one search, and the outcomes of its steps in their order."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._begun = time.monotonic()
        self._outcomes: list[StageOutcome] = []

    @property
    def outcomes(self) -> tuple[StageOutcome, ...]:
        return tuple(self._outcomes)

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._begun

    @property
    def left(self) -> float:
        return max(0.0, self.seconds - self.elapsed)

    @contextmanager
    def stage(self, name: str, *, vital: bool = False) -> Iterator[dict[str, object]]:
        """A step with its details; what a step raises that is not vital becomes its outcome, and is over."""
        begun, detail = time.monotonic(), dict[str, object]()
        try:
            yield detail
        except Exception as error:
            if vital:
                raise
            outcome = StageOutcome(name, *told(error)[:3], time.monotonic() - begun, told(error).expected, detail)
        else:
            outcome = StageOutcome(name, "ran", seconds=time.monotonic() - begun, detail=detail)
        self._outcomes.append(outcome)
