"""An error of ours is told with its type and place; what it says may quote the application, so its text needs `all`."""

from __future__ import annotations

import pytest

from codeintel_obs import guard, step
from codeintel_obs.report import parts
from codeintel_obs.testing import recording

CANARY = "canary-4711"


@pytest.fixture(autouse=True)
def no_faults_yet(monkeypatch):
    """Count anew: a place that has failed before in this process is not told again."""
    monkeypatch.setattr(guard, "counts", guard.Counter())


def describe(payload):
    """Fail as a describe function may: on the application's own text, which its error quotes."""
    return payload[CANARY]


@pytest.mark.parametrize(("level", "kept"), [("none", False), ("messages", False), ("all", True)])
def test_message_of_a_fault_needs_the_level_all(level, kept):
    """An error of ours that quotes the application is told without its text below `all`, with its text at `all`."""
    with recording(strict=False, content=level) as told:
        guard.call(describe, {})
    (fault,) = [each for each in told.records if each.event == "fault"]
    assert (CANARY in str(fault.payload)) is kept
    assert fault.payload["type"] == "KeyError"


@pytest.mark.parametrize("level", ["none", "messages", "all"])
def test_fault_is_told_with_its_place(level):
    """At every level a fault says which function of ours failed, and the line that raised."""
    with recording(strict=False, content=level) as told:
        guard.call(describe, {})
    (fault,) = [each for each in told.records if each.event == "fault"]
    line = describe.__code__.co_firstlineno + 2
    assert (fault.payload["where"], fault.payload["at"]) == (f"{__name__}.describe", f"{__name__}:{line}")


def test_sink_that_fails_on_a_payload_does_not_leak_it():
    """A sink's error that quotes a payload is told without it."""

    class Sink:
        def obs_step_ended(self, ended):
            raise ValueError(ended.payload)

    from codeintel_obs.recorder import Listeners

    listeners = [Listeners(step_ended=(Sink().obs_step_ended,))]
    with recording(strict=False, listeners=listeners) as told, step("app.work", {"name": CANARY}):
        pass
    (fault,) = [each for each in told.records if each.event == "fault"]
    assert CANARY not in str(fault.payload)
    assert parts._words(("f", fault)).startswith("an error of the recorder: ValueError in ")
