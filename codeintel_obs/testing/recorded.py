"""Records into memory what a plugin does in a test, with nothing written to disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from codeintel_obs import guard, instrumentor, recorder, settings
from codeintel_obs.instrumentor import LibraryInstrumentor
from codeintel_obs.recorder import Listeners, Recorder
from codeintel_obs.runs import Run
from codeintel_obs.spans import Private, Spans, merged
from codeintel_obs.steps import LogEntry, Record, Step


class Recorded:
    """What the recorder told its sinks, in order: ``steps`` as they ended, ``begun`` as they began."""

    def __init__(self) -> None:
        self.begun: list[Step] = []
        self.steps: list[Step] = []
        self.logs: list[LogEntry] = []
        self.records: list[Record] = []
        self.runs: list[Run] = []
        self.ended_runs: list[Run] = []

    def of(self, kind: str) -> list[Step]:
        """Return the ended steps of ``kind``, in the order of their ends."""
        return [step for step in self.steps if step.kind == kind]

    def only(self, kind: str) -> Step:
        """Return the one ended step of ``kind``."""
        (step,) = self.of(kind)
        return step

    @property
    def kinds(self) -> list[str]:
        """The kinds of the ended steps, in the order of their ends."""
        return [step.kind for step in self.steps]

    @property
    def open(self) -> list[Step]:
        """Steps that began and did not end."""
        ended = {step.span_id for step in self.steps}
        return [step for step in self.begun if step.span_id not in ended]

    @staticmethod
    def payload(step: Step) -> dict[str, Any]:
        """Return both of a step's payloads merged, as a report shows them."""
        return merged(step)

    def listeners(self) -> Listeners:
        return Listeners(
            run_begun=(self.runs.append,),
            step_begun=(self.begun.append,),
            step_ended=(self.steps.append,),
            log=(self.logs.append,),
            record=(self.records.append,),
            run_ended=(self.ended_runs.append,),
        )


@contextmanager
def recording(
    *plugins: type[LibraryInstrumentor],
    private: Private | None = None,
    strict: bool = True,
    listeners: Sequence[Listeners] = (),
    **overrides: Any,
) -> Iterator[Recorded]:
    """Record with ``plugins`` in this process, into memory; errors of ours are raised when ``strict``.

    ``overrides`` are settings by name. Whatever recorded before is put back afterwards; the plugins are unwrapped.
    """
    told = Recorded()
    effective = settings.load({}, None, overrides)
    process_run = Run(name="test")
    process_run.is_process = True
    merged_listeners = told.listeners()
    for more in listeners:
        merged_listeners = Listeners(
            **{name: getattr(merged_listeners, name) + getattr(more, name) for name in Listeners.__slots__}
        )
    active = Recorder(effective, process_run, merged_listeners, Spans(private, plain=effective.plain_spans))
    before, before_strict, before_denied = recorder.active, guard.strict, instrumentor.denied
    known = dict(instrumentor.registry)
    recorder.install(active)
    guard.strict, instrumentor.denied = strict, effective.denied
    made = [plugin() for plugin in plugins]
    try:
        for each in made:
            active.spans.semantics.update(each.semantics)
            each.configure(effective)
            each.instrument()
        yield told
    finally:
        for each in made:
            each.uninstrument()
        recorder.install(before)
        guard.strict, instrumentor.denied = before_strict, before_denied
        instrumentor.registry.clear()
        instrumentor.registry.update(known)
