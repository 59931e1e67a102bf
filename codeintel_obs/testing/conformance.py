"""The promises to the application, as one suite over every plugin: inherit it, and name workouts."""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest

from codeintel_obs import guard, recorder
from codeintel_obs.context import suppress
from codeintel_obs.recorder import Listeners
from codeintel_obs.spans import merged
from codeintel_obs.steps import Content, FieldClass, Point, Step
from codeintel_obs.testing import probes
from codeintel_obs.testing.lab import Lab
from codeintel_obs.testing.recorded import Recorded
from codeintel_obs.testing.witness import witnessing

_KIND = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+\Z")
_FROM: Mapping[FieldClass, tuple[Content, ...]] = {
    FieldClass.COUNT: (Content.NONE, Content.MESSAGES, Content.ALL),
    FieldClass.CODE: (Content.NONE, Content.MESSAGES, Content.ALL),
    FieldClass.ID: (Content.NONE, Content.MESSAGES, Content.ALL),
    FieldClass.PATH: (Content.MESSAGES, Content.ALL),
    FieldClass.NAME: (Content.MESSAGES, Content.ALL),
    FieldClass.TEXT: (Content.ALL,),
    FieldClass.SECRET: (),
}


_FUNCTIONS = (
    "before", "after", "failed", "timed_out", "message", "key", "skip_when", "leads", "follows", "run", "baggage",
    "stands_for", "same", "handled_error", "mount", "received", "sent", "returns", "item", "ends_when",
)  # fmt: skip
_COUNTED = frozenset({"items"})  # the core's own count of what a stream gave


class Deadline(Exception):  # noqa: N818 - what an application would call it
    """What an application's own signal handler raises."""


def _boom(*_: Any) -> Any:
    raise ZeroDivisionError("an error of ours, injected")


def _expire(*_: Any) -> Any:
    raise Deadline


class Conformance:
    """One test for each promise. ``plugins`` names those to test; none means all that are installed."""

    plugins: ClassVar[tuple[str, ...]] = ()

    # -- the table --------------------------------------------------------------------------------------------------

    def test_table_is_sound(self, lab: Lab) -> None:
        """Each row stands once, each kind reads ``library.verb``, and each key has a class."""
        rows = [(point.module, point.name, point.every_class) for point in lab.plugin.points]
        assert sorted(row for row in set(rows) if rows.count(row) > 1) == [], "these points stand in the table twice"
        kinds = {point.kind for point in lab.plugin.points if point.kind is not None}
        assert sorted(kind for kind in kinds if not _KIND.match(kind)) == [], "a kind reads library.verb"
        assert all(type(field) is FieldClass for field in lab.plugin.fields.values())
        assert lab.plugin.requires or lab.plugin.library, "a plugin says what provides its library"

    def test_points_are_wrapped(self, lab: Lab) -> None:
        """With this version of the library every point is wrapped, or said to be optional."""
        lab.load()
        with lab.wrapped() as made:
            facts = {f"{each.module}:{each.name}": made.fact_of(each) for each in made.points if not each.optional}
        assert {row: fact for row, fact in facts.items() if fact != "wrapped"} == {}, "neither wrapped nor optional"

    def test_workouts_are_recorded(self, lab: Lab) -> None:
        """The workouts reach the points: each leaves a begin and an end for everything that it does."""
        told = lab.told()
        assert told.steps or told.logs, "the workouts reached no point of the table"
        known = {point.kind for point in lab.plugin.points} | set(lab.plugin.instants)
        assert sorted(set(told.kinds) - known) == [], "steps of kinds that no point has"

    # -- results, exceptions, arguments -----------------------------------------------------------------------------

    @pytest.mark.parametrize("how", ["wrapped", "recorded"])
    def test_results_stay(self, lab: Lab, how: str) -> None:
        """What the application sees is what it sees unwatched: values, their types, exceptions and their texts."""
        bare = probes.shape(lab.run())
        with lab.wrapped() if how == "wrapped" else lab.recording():
            watched = probes.shape(lab.run())
        assert watched == bare

    def test_objects_are_the_librarys(self, lab: Lab) -> None:
        """Each call reaches the library once, with the very arguments, and its very result or exception comes back."""
        lab.run()
        with witnessing(lab) as witnesses:
            lab.run()
        complaints = [complaint for each in witnesses.seen if (complaint := each.complaint())]
        assert complaints == []
        assert witnesses.seen or not witnesses.standing, "no call of the workouts passed the witnesses"

    def test_callables_stay(self, lab: Lab) -> None:
        """Names, signatures, ``inspect``'s answers, pickles and copies of what is wrapped stay."""
        slots = lab.slots()
        before = [probes.answers(owner, name) for owner, name in slots]
        with lab.recording():
            after = [probes.answers(owner, name) for owner, name in slots]
        changed = {
            f"{owner.__name__}.{name}": {key: (old[key], new[key]) for key in old if new[key] != old[key]}
            for (owner, name), old, new in zip(slots, before, after, strict=True)
        }
        assert {name: differences for name, differences in changed.items() if differences} == {}

    def test_classes_stay(self, lab: Lab) -> None:
        """A class is never replaced: its identity, bases and type stay."""
        lab.load()
        before = probes.classes_of(_modules(lab))
        named = {(point.module, point.name) for point in lab.plugin.points}  # an alias that is called like a function
        with lab.recording():
            now = probes.classes_of(_modules(lab))
        assert {where for where, what in before.items() if now.get(where) != what} - named == set()

    def test_uninstrumenting_restores_the_identical_objects(self, lab: Lab) -> None:
        """Taken off, every slot of the library's modules and classes holds the very object that it held."""
        lab.run()
        owners = probes.owners_of(_modules(lab))
        before = probes.raw(owners)
        with lab.recording():
            lab.run()
        after = {(id(owner), name): value for owner, name, value in probes.raw(owners)}
        lost = [
            f"{owner.__name__}.{name}" for owner, name, value in before if after.get((id(owner), name)) is not value
        ]
        assert lost == []

    # -- the process ------------------------------------------------------------------------------------------------

    def test_randomness_stays(self, lab: Lab) -> None:
        """The application's random sequences are the same as without us."""
        lab.run()
        states = []
        for context in (suppress(), lab.recording()):
            probes.seed()
            with context:
                lab.run()
            states.append(probes.randomness())
        assert states[0] == states[1]

    def test_warnings_stay(self, lab: Lab) -> None:
        """The same warnings are given, from the same places."""
        lab.run()
        lab.quiet = False
        told = []
        for context in (suppress(), lab.recording()):
            with context, probes.warned() as warnings:
                lab.run()
            told.append(warnings)
        assert told[0] == told[1]

    def test_logging_stays(self, lab: Lab) -> None:
        """Loggers are set as they were, and the same lines come from the same places."""
        lab.run()
        told = []
        for context in (suppress(), lab.recording()):
            with context, probes.logged() as lines:
                before = probes.loggers()
                lab.run()
                assert {name: probes.loggers()[name] for name in before} == before
            told.append(lines)
        assert told[0] == told[1]

    def test_signal_handlers_stay(self, lab: Lab) -> None:
        """The handlers of all signals are the application's."""
        lab.run()
        before = probes.handlers_of_signals()
        with lab.recording():
            lab.run()
            assert probes.handlers_of_signals() == before

    def test_own_use_is_not_recorded(self, lab: Lab) -> None:
        """What is done under suppression leaves no record, and works."""
        bare = probes.shape(lab.run())
        with lab.recording() as told, suppress():
            assert probes.shape(lab.run()) == bare
        here = threading.current_thread().name  # what a library's own threads do is suppressed by the carriers
        assert [step for step in told.begun + told.steps if step.thread == here] == []
        assert told.logs == []

    # -- errors of ours ---------------------------------------------------------------------------------------------

    def test_error_in_describing_reaches_nobody(self, lab: Lab) -> None:
        """Whatever a plugin's functions raise: results stay, steps have ends, and the errors are counted."""
        bare = probes.shape(lab.run())
        for part in _FUNCTIONS:
            if any(getattr(point, part) for point in lab.plugin.points):
                faults = guard.counts.total()
                with _Lenient(lab, lab.changed(_breaking(part))) as told:
                    assert probes.shape(lab.run()) == bare, part
                assert guard.counts.total() > faults or part != "before", "the injected errors were not counted"
                assert [step for step in told.open if not _ends_elsewhere(lab, step)] == [], part

    @pytest.mark.parametrize("hook", ["run_begun", "step_begun", "step_ended", "log", "record"])
    def test_error_in_a_sink_reaches_nobody(self, lab: Lab, hook: str) -> None:
        """A sink that raises at everything changes nothing that the application sees."""
        bare = probes.shape(lab.run())
        with lab.recording(strict=False, listeners=[Listeners(**{hook: (_boom,)})]):
            assert probes.shape(lab.run()) == bare

    @pytest.mark.parametrize("method", ["begin", "end", "log"])
    def test_error_in_the_recorder_reaches_nobody(self, lab: Lab, method: str) -> None:
        """A recorder that raises at everything changes nothing that the application sees."""
        bare = probes.shape(lab.run())
        with lab.recording(strict=False):
            setattr(recorder.active, method, _boom)
            assert probes.shape(lab.run()) == bare

    def test_deadline_of_the_application_passes(self, lab: Lab) -> None:
        """What the application's signal handler raises while we describe a call reaches the application.

        A server framework answers it as it answers any exception: then the answers are others.
        """
        bare = probes.shape(lab.run())

        def interrupt(_call: Any) -> None:
            signal.raise_signal(signal.SIGALRM)

        plugin = lab.changed(lambda _point: {"before": interrupt})
        handler = signal.signal(signal.SIGALRM, _expire)
        faults = guard.counts.total()
        try:
            with _Lenient(lab, plugin):
                seen = probes.shape(lab.run())
        except Exception as exc:  # noqa: BLE001 - a framework may have put it into a group of its own
            seen = exc
        finally:
            signal.signal(signal.SIGALRM, handler)
        assert seen != bare
        assert guard.counts.total() == faults, "the application's own exception was swallowed as one of ours"

    # -- what is kept -----------------------------------------------------------------------------------------------

    def test_payload_keys_are_declared(self, lab: Lab) -> None:
        """Every key that a payload ever holds has a class in the plugin's table."""
        told = lab.told(content="all")
        keys = {key for step in told.steps for key in merged(step)}
        assert sorted(keys - set(lab.plugin.fields) - _COUNTED) == [], "keys without a class"

    @pytest.mark.parametrize("level", list(Content))
    def test_canary_in_every_key(self, lab: Lab, level: Content) -> None:
        """A canary in every key of every payload appears exactly where its class and the level allow it."""
        canaries = {key: f"canary-of-{key}" for key in lab.plugin.fields}
        with _Lenient(lab, lab.changed(_canaries(canaries)), content=level) as told:
            lab.run()
        allowed = {key for key, field in lab.plugin.fields.items() if level in _FROM[field]}
        for step in told.steps:
            kept = {key for key, value in merged(step).items() if canaries.get(key) == value}
            assert kept | _COUNTED == allowed | _COUNTED, step.kind

    @pytest.mark.parametrize("level", list(Content))
    def test_canaries_of_the_workouts(self, lab: Lab, level: Content) -> None:
        """A text that a workout hands to the library is in no record below its level, and in some record at ``all``."""
        canaries = {text: field for each in lab.workouts for text, field in each.canaries.items()}
        everything = "\n".join(_words(lab.told(content=level)))
        leaked = [text for text, field in canaries.items() if level not in _FROM[field] and text in everything]
        assert leaked == [], f"kept at content level {level}"
        if level is Content.ALL:
            unseen = [text for text, field in canaries.items() if level in _FROM[field] and text not in everything]
            assert unseen == [], "these canaries prove nothing: no record holds them at any level"


class _Lenient:
    """Records a changed plugin, errors of ours swallowed as they are in a watched process."""

    def __init__(self, lab: Lab, plugin: Any, **options: Any) -> None:
        from codeintel_obs.testing.recorded import recording

        lab.workouts  # noqa: B018 - says what is missing before anything runs
        self._context = recording(plugin, strict=False, **options)

    def __enter__(self) -> Recorded:
        return self._context.__enter__()

    def __exit__(self, *exc: object) -> None:
        self._context.__exit__(*exc)  # type: ignore[arg-type]


def _breaking(part: str) -> Any:
    return lambda point: {part: _boom} if getattr(point, part) else {}


def _canaries(canaries: Mapping[str, str]) -> Any:
    def change(point: Point) -> dict[str, Any]:
        if point.emits == "log":
            return {}
        if point.kind is None:
            return {"after": None, "failed": None}
        return {"before": lambda _call: dict(canaries), "after": None, "failed": None}

    return change


def _modules(lab: Lab) -> list[str]:
    return list(dict.fromkeys(point.module for point in lab.plugin.points))


def _ends_elsewhere(lab: Lab, step: Step) -> bool:
    return any(point.ends_at for point in lab.plugin.points if point.kind == step.kind)


def _words(told: Recorded) -> Iterator[str]:
    """Yield all that the sinks were told, as text."""
    for step in told.steps:
        yield repr((step.kind, step.detail, merged(step), step.error, step.links))
    for entry in told.logs:
        yield repr((entry.logger, entry.text, entry.error))
    for record in told.records:
        yield repr(record)
