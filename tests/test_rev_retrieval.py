"""codeintel_rev, the pure parts of retrieval: what a query is like, what that costs, and how ranks come together."""

import pytest

from codeintel_rev.config.settings import SearchSettings
from codeintel_rev.errors import UsageError
from codeintel_rev.retrieval import exact
from codeintel_rev.retrieval.boosters import recency_boost
from codeintel_rev.retrieval.exact import Named
from codeintel_rev.retrieval.fusion import Fused, Ranked, fuse, ranking
from codeintel_rev.retrieval.gating import CHANNELS, DEPTH, Profile, budget, profile

DAY = 86_400


@pytest.mark.parametrize(
    ("query", "kind", "names"),
    [
        ("where are retries counted", "natural", ()),
        ("how does LedgerWriter.append rotate a file", "natural", ("LedgerWriter.append",)),
        ("who calls `run` and close()", "natural", ("run", "close")),
        ("LedgerWriter", "identifier", ("LedgerWriter",)),
        ("cart", "identifier", ("cart",)),
        ("std::vector::push_back", "identifier", ("std.vector.push_back",)),
        ("parse_args main_loop", "identifier", ("parse_args", "main_loop")),
        ("close()", "identifier", ("close",)),
        ("read file", "natural", ()),
        ("src/shop/pay.py", "path", ()),
        ("pay.py", "path", ()),
        ("./docs/", "path", ()),
        ("os.path.join", "identifier", ("os.path.join",)),
        (r"def \w+_card\(", "regex", ()),
        ("foo.*bar", "regex", ()),
        ("read|write", "regex", ()),
        ("[a-z]+_id", "regex", ()),
        ("what is C++?", "natural", ()),
        ("is this (really) so?", "natural", ()),
        (r"unbalanced \w(", "natural", ()),
        ("/", "natural", ()),
        ("", "natural", ()),
        ("日本語 を 検索", "natural", ()),
    ],
)
def test_a_query_is_profiled_by_its_shape(query, kind, names):
    assert profile(query) == Profile(kind, names)


@pytest.mark.parametrize(
    "query", ["[" * 5_000 + "-" * 5_000, "a." * 5_000 + "!", "\\w" * 5_000, "`" * 10_000, "(" * 9_999]
)
def test_a_hostile_query_is_profiled_too(query):
    """None of our own expressions explodes: the test's time-out is the judge."""
    assert profile(query).kind == "natural"


def test_a_budget_has_depth_weight_and_time_for_each_channel():
    plan = budget("cart", 500, SearchSettings(deadline=10.0))
    assert set(plan.channels) == set(CHANNELS)
    assert {own.depth for own in plan.channels.values()} == {500}
    assert {own.seconds for own in plan.channels.values()} == {8.0}
    assert budget("cart", 5, SearchSettings()).channels["bm25"].depth == DEPTH
    assert budget("cart", 5, SearchSettings(deadline=10.0), rerank=True).channels["bm25"].seconds == pytest.approx(5.5)


def test_kinds_weigh_channels_differently():
    """A name counts most where one is named; vectors know nothing of a path or a regular expression."""
    named, meant = (
        budget("LedgerWriter", 5, SearchSettings()).weights,
        budget("rotate a file", 5, SearchSettings()).weights,
    )
    assert named["exact"] > named["bm25"] > named["semantic"]
    assert meant["semantic"] > 0
    for query in ("a/b.py", r"a\w+b"):
        assert budget(query, 5, SearchSettings()).weights["semantic"] == 0


def test_a_callers_weights_win_over_the_settings():
    settings = SearchSettings(weights={"bm25": 7.0, "semantic": 7.0})
    assert budget("rotate a file", 5, settings, {"bm25": 0.0}).weights | {"exact": 0, "splade": 0} == {
        "semantic": 7.0,
        "bm25": 0.0,
        "splade": 0,
        "exact": 0,
    }


def test_a_weight_of_no_channel_is_refused():
    with pytest.raises(UsageError, match="there is no channel bm26") as caught:
        budget("x", 5, SearchSettings(), {"bm26": 1.0})
    assert "semantic" in caught.value.mend
    for wrong in (-1.0, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="cannot be used"):
            budget("x", 5, SearchSettings(), {"bm25": wrong})


def test_weighted_fusion_multiplies_and_leaves_out_what_weighs_nothing():
    channels = {"exact": [Ranked(1, 1, 1.0)], "bm25": [Ranked(2, 1, 9.0)], "semantic": [Ranked(3, 1, 0.9)]}
    fused = fuse(channels, 60, {"exact": 3.0, "semantic": 0.0})
    assert [(item.doc, item.score) for item in fused] == [(1, 3 / 61), (2, 1 / 61)]


def test_recency_lifts_the_younger_of_two_equals_and_no_more():
    """A factor that halves with age; without a date there is none; nothing is younger than the commit."""
    fused = [Fused(1, 0.5), Fused(2, 0.5), Fused(3, 0.5), Fused(4, 0.6)]
    dates = {1: 100 * DAY, 2: 190 * DAY, 4: 0}
    boosted = recency_boost(fused, dates, 190 * DAY, strength=0.1, half_life_days=90)
    assert [(item.doc, item.boost) for item in boosted] == [
        (4, pytest.approx(1 + 0.1 * 0.5 ** (190 / 90), abs=1e-6)),
        (2, 1.1),
        (1, 1.05),
        (3, None),
    ]
    assert recency_boost([Fused(1, 1.0)], {1: 300 * DAY}, 0, strength=0.1, half_life_days=90)[0].boost == 1.1


def named(doc, kind, name, path="a.py", line=1):
    return Named(doc, path, kind, name, line)


def test_a_class_stands_above_its_methods_and_stray_lines():
    """The definition of that very name first; then other cases, other qualifications, and bodies last."""
    found = [
        named(0, "body", "LedgerWriter"),
        named(1, "method", "Other.LedgerWriter"),
        named(2, "function", "ledgerwriter"),
        named(3, "class", "LedgerWriter"),
        named(4, "class", "io.LedgerWriter"),
    ]
    ranked = exact.by_name("LedgerWriter", found)
    assert [item.doc for item in ranked] == [3, 4, 1, 2, 0]
    assert ranked[0].score == 1.0
    assert len({item.score for item in ranked}) == 5


def test_a_path_stands_above_paths_that_contain_it():
    found = [
        named(0, "function", "a", "lib/pay.py.bak"),
        named(1, "function", "b", "shop/pay.py", 9),
        named(2, "module", "pay", "shop/pay.py"),
        named(3, "function", "c", "pay.py"),
    ]
    assert [item.doc for item in exact.by_path("pay.py", found)] == [3, 2, 1, 0]
    assert exact.by_path("shop/pay.py", found[1:3])[0].score == 1.0


def test_of_several_names_each_document_keeps_its_best_rank():
    one, other = (Ranked(1, 1, 1.0), Ranked(2, 2, 0.5)), (Ranked(3, 1, 1.0), Ranked(1, 2, 0.5))
    assert [(item.doc, item.rank) for item in exact.merged([one, other])] == [(1, 1), (3, 1), (2, 2)]
    assert exact.merged([]) == ()


def test_equal_scores_share_a_rank():
    """Else the document that was indexed first would win, and recency could never decide."""
    assert [item.rank for item in ranking([(7, 2.0), (5, 1.0), (6, 1.0), (8, 0.5)])] == [1, 2, 2, 4]
    assert ranking([]) == ()
