"""Seams: steps for code that nobody instruments, out of settings alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from codeintel_obs import Status, settings
from codeintel_obs.plugins.seams.instrumentor import SeamsInstrumentor, points_of
from codeintel_obs.seams import fields, read_seams
from codeintel_obs.testing import Conformance, Lab, recording, workout
from codeintel_obs.testing.conformance import Content

sys.path.insert(0, str(Path(__file__).parent / "libraries"))
FIND = "codeintel_shop:Searcher.find"


@pytest.fixture
def shop():
    import codeintel_shop

    return codeintel_shop


def declared(*tables, **options):
    return recording(SeamsInstrumentor, seams=list(tables), **options)


def seam(target=FIND, kind="shop.find", **more):
    return {"target": target, "kind": kind, **more}


# -- calls and payloads ------------------------------------------------------------------------------------------------


def test_a_call_is_a_step_of_the_declared_kind(shop):
    """Arguments and object are told when the call begins, the result when it has returned."""
    payload = {
        "query": "args.query",
        "query_len": "len(args.query)",
        "limit": "number(args.limit)",
        "model": "name(self.model)",
        "hits": "len(result.items)",
        "first": "name(result.items[0].name)",
        "last": "number(result.items[-1].score)",
        "sort": "type(result)",
    }
    with declared(seam(payload=payload)) as told:
        shop.Searcher().find("spoon", 4)
    step = told.only("shop.find")
    assert (step.status, step.source) == (Status.COMPLETED, "seam")
    assert step.payload == {"query_len": 5, "limit": 4, "model": "small"}
    assert step.end_payload == {"hits": 4, "first": "spoon-0", "last": 3, "sort": "Answer"}


def test_an_argument_that_was_not_passed_is_absent(shop):
    """A default is not a value that was seen; an argument counts the same by name and by position."""
    with declared(seam(payload={"limit": "number(args.limit)", "filters": "bool(args.filters)"})) as told:
        shop.Searcher().find("spoon")
        shop.Searcher().find(limit=2, query="spoon", filters=["a"])
    assert [step.payload for step in told.steps] == [{}, {"limit": 2, "filters": True}]


def test_functions_classes_coroutines_and_generators(shop):
    """Every sort of callable can be a seam: each is one step until it ends."""
    import asyncio

    targets = {"Searcher.made": "made", "Searcher.joined": "join", "total": "total", "fetch": "fetch", "pages": "pages"}
    payload = {"size": "len(result)", "model": "name(result.model)", "second": "name(args.second)"}
    tables = [seam(f"codeintel_shop:{name}", f"shop.{verb}", payload=payload) for name, verb in targets.items()]
    with declared(*tables) as told:
        shop.Searcher.made("big")
        shop.Searcher.joined("a", "b")
        shop.total([1, 2])
        asyncio.run(shop.fetch(3))
        list(shop.pages(2))
    assert told.kinds == ["shop.made", "shop.join", "shop.total", "shop.fetch", "shop.pages"]
    assert [told.payload(step) for step in told.steps] == [
        {"model": "big"},
        {"second": "b", "size": 2},
        {},
        {"size": 3},
        {"items": 2},
    ]


def test_an_override_that_calls_its_parent_is_one_step(shop):
    """The seam stands on the method that was named; a subclass's own goes through it."""
    with declared(seam()) as told:
        shop.Special().find("spoon")
    assert told.kinds == ["shop.find"]


def test_nothing_of_the_application_is_run_to_be_recorded(shop):
    """A property, a method, an attribute that is not stored: absent, and none of the application's code has run."""
    payload = {"total": "number(result.total)", "missing": "self.nothing", "deep": "result.items[9].name.x"}
    with declared(seam(payload=payload), content="all") as told:
        shop.Searcher().find("spoon")
    assert told.payload(told.only("shop.find")) == {}


@pytest.mark.parametrize(
    ("level", "kept"),
    [("none", {"k"}), ("messages", {"k", "model"}), ("all", {"k", "model", "query"})],
)
def test_the_function_says_from_which_level_on_a_value_is_kept(shop, level, kept):
    """Counts always, names from ``messages`` on, and a path without a function is a text."""
    payload = {"query": "args.query", "model": "name(self.model)", "k": "number(args.limit)"}
    with declared(seam(payload=payload), content=level) as told:
        shop.Searcher().find("spoon", 1)
    assert set(told.payload(told.only("shop.find"))) == kept


# -- results that say more ----------------------------------------------------------------------------------------------


OUTCOMES = {
    "failed_when": "result.error",
    "failed_reason": "result.error",
    "skipped_when": 'result.state == "off"',
    "skipped_reason": "result.note",
}


@pytest.mark.parametrize(
    ("query", "status", "detail"),
    [
        ("spoon", Status.COMPLETED, None),
        ("refused", Status.FAILED, "shelf 7 is locked"),
        ("off", Status.SKIPPED, "closed on Sundays"),
    ],
)
def test_a_result_says_that_it_failed_or_was_skipped(shop, query, status, detail):
    """An error inside a successful answer is failed, a decision is skipped, each with the application's own reason."""
    with declared(seam(**OUTCOMES)) as told:
        shop.Searcher().find(query)
    step = told.only("shop.find")
    assert (step.status, step.detail, step.error) == (status, detail, None)


def test_an_exception_is_failed_whatever_is_declared(shop):
    """What the application raises is raised, and the step is failed by that very exception."""
    with declared(seam(**OUTCOMES)) as told, pytest.raises(LookupError) as caught:
        shop.Searcher().find("broken")
    step = told.only("shop.find")
    assert (step.status, step.error.message) == (Status.FAILED, str(caught.value))


def test_decisions_inside_a_result_are_instants(shop):
    """One skip for each entry where the condition holds, with its reason and payload, under the call's step."""
    event = {
        "each": "result.channels",
        "when": "item.why",
        "kind": "shop.channel",
        "reason": "item.why",
        "payload": {"channel": "name(item.name)"},
    }
    with declared(seam(events=[event])) as told:
        shop.Searcher().find("spoon")
    skip, step = told.steps
    assert (skip.kind, skip.status, skip.detail, skip.payload) == (
        "shop.channel", Status.SKIPPED, "no model", {"channel": "semantic"},
    )  # fmt: skip
    assert skip.parent is step


def test_a_dict_of_decisions_has_keys(shop):
    """Of a dict each entry is an instant, and ``key`` is its key; a status of its own may be declared."""
    event = {"each": "result.parts", "kind": "shop.part", "status": "completed", "payload": {"part": "name(key)"}}
    with declared(seam("codeintel_shop:Searcher.joined", "shop.join", events=[event])) as told:
        shop.Searcher.joined("a", "b")
    assert [(step.payload, step.status) for step in told.of("shop.part")] == [
        ({"part": "a"}, Status.COMPLETED),
        ({"part": "b"}, Status.COMPLETED),
    ]


# -- what cannot be wrapped ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "fact"),
    [
        ("codeintel_shop:Searcher.fnid", "attribute missing"),
        ("codeintel_shop:Nobody.find", "attribute missing"),
        ("codeintel_shop:Searcher", "a class: name one of its methods"),
        ("codeintel_shop_elsewhere:find", "not imported"),
    ],
)
def test_a_target_that_is_not_there_is_a_fact(shop, target, fact):
    """It harms nobody: nothing is recorded of it, and the activation fact says why."""
    with declared(seam(target), seam()) as told:
        shop.Searcher().find("spoon")
        made = SeamsInstrumentor()
        assert made.activation[target] == fact
    assert told.kinds == ["shop.find"]


def test_without_seams_the_plugin_is_not_loaded(tmp_path):
    """Nobody pays for what nobody declared."""
    code = "import codeintel_obs, sys; codeintel_obs.start(); print([name for name in sys.modules if 'seams' in name])"
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


# -- the promises --------------------------------------------------------------------------------------------------------


EVERYTHING = [
    seam(
        payload={"query": "args.query", "model": "name(self.model)", "hits": "len(result.items)"},
        **OUTCOMES,
        events=[{"each": "result.channels", "kind": "shop.channel", "reason": "item.why"}],
    ),
    seam("codeintel_shop:Searcher.made", "shop.made", payload={"model": "name(args.model)"}),
    seam("codeintel_shop:pages", "shop.pages"),
    seam("codeintel_shop:fetch", "shop.fetch"),
]
SEAMS = read_seams(EVERYTHING, lambda key, what: pytest.fail(f"{key}: {what}"))
DECLARED = type("Declared", (SeamsInstrumentor,), {"points": points_of(SEAMS), "fields": fields(SEAMS)})


@workout("seams")
def shops(_folder):
    import asyncio

    import codeintel_shop

    searcher = codeintel_shop.Searcher.made("big")
    found = [searcher.find(query) for query in ("canary-in-a-query", "refused", "off")]
    try:
        searcher.find("broken")
    except LookupError as exc:
        found.append(exc)
    return [*found, list(codeintel_shop.pages(3)), asyncio.run(codeintel_shop.fetch(2))]


class TestSeams(Conformance):
    """All promises to the application, over declared seams."""

    plugins = ("seams",)

    @pytest.fixture
    def lab(self, tmp_path, shop):
        return Lab(DECLARED, tmp_path)

    def test_workouts_are_recorded(self, lab):
        """As for every plugin, but that a seam's decisions have kinds that no row has."""
        assert set(lab.told().kinds) == {"shop.find", "shop.made", "shop.pages", "shop.fetch", "shop.channel"}

    @pytest.mark.parametrize("level", list(Content))
    def test_canary_in_every_key(self, lab, level):
        """As for every plugin, without the decisions, whose payload is another."""
        told = lab.told(content=level)
        assert ("canary-in-a-query" in repr([step.payload for step in told.begun])) == (level is Content.ALL)


def test_settings_keep_what_is_sound_and_tell_of_the_rest():
    """One bad seam is a problem of the settings; the others are in effect."""
    found = settings.load({}, None, {"seams": [seam(), seam("no target")]})
    assert [each.target for each in found.seams] == [FIND]
    assert [(each.key, each.where) for each in found.problems] == [("seams.no target", "command line")]
