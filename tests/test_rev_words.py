"""codeintel_rev, the pure parts: words, patterns, fusion, snippets."""

import pytest

from codeintel_rev.indexing.paths import matcher
from codeintel_rev.retrieval.fusion import Ranked, fuse
from codeintel_rev.retrieval.snippets import snippet
from codeintel_rev.retrieval.terms import query_terms, split_identifier, stem, terms


@pytest.mark.parametrize(
    ("identifier", "parts"),
    [
        ("getUserName", ["get", "user", "name"]),
        ("parseHTTP_v2", ["parse", "http", "v", "2"]),
        ("HTTPServer", ["http", "server"]),
        ("__init__", ["init"]),
        ("MAX_SIZE", ["max", "size"]),
        ("sha256sum", ["sha", "256", "sum"]),
        ("größe_2", ["größe", "2"]),
        ("данные", ["данные"]),
        ("_", []),
    ],
)
def test_an_identifier_is_split_at_case_underscore_and_digit(identifier, parts):
    """An identifier becomes the words that a person would read in it."""
    assert split_identifier(identifier) == parts


def test_terms_are_stems_and_whole_identifiers():
    """Composed names are kept whole besides their stemmed parts; single words are only stemmed."""
    assert terms("closeConnections retries") == ["close", "connect", "closeconnections", "retri"]
    assert stem("indexing") == stem("indexed") == stem("index")


def test_a_question_loses_its_small_words_but_never_all():
    """`how does` would be rare words in code, and mislead; a query of nothing else keeps them."""
    assert query_terms("how does the writer rotate") == ["writer", "rotat"]
    assert query_terms("to do") == ["to", "do"]
    assert query_terms("!?") == []


def test_fusion_adds_reciprocal_ranks():
    """RRF with k = 60, ties by document, and each channel's own rank stays readable."""
    fused = fuse(
        {
            "semantic": [Ranked(7, 1, 0.9), Ranked(8, 2, 0.8)],
            "bm25": [Ranked(8, 1, 12.0), Ranked(9, 2, 3.0)],
        },
        60,
    )
    assert [(item.doc, round(item.score, 6)) for item in fused] == [
        (8, round(1 / 62 + 1 / 61, 6)),
        (7, round(1 / 61, 6)),
        (9, round(1 / 62, 6)),
    ]
    assert fused[0].channels == {"semantic": Ranked(8, 2, 0.8), "bm25": Ranked(8, 1, 12.0)}
    assert [item.doc for item in fuse({"a": [Ranked(2, 1, 0)], "b": [Ranked(1, 1, 0)]})] == [1, 2]


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*.py", "deep/down/a.py", True),
        ("*.py", "a.pyi", False),
        ("src", "src/x/y.c", True),
        ("src/", "src/x/y.c", True),
        ("src/*.c", "src/x/y.c", False),
        ("src/**/*.c", "src/x/y.c", True),
        ("src/**/*.c", "src/y.c", True),
        ("src/**", "src/y.c", True),
        ("./a.py", "a.py", True),
        ("./a.py", "sub/a.py", False),
        ("[ab]?.py", "ax.py", True),
        ("[!ab]?.py", "ax.py", False),
        ("a+(b).py", "a+(b).py", True),
        ("[", "[", True),
    ],
)
def test_path_patterns_are_those_of_gitignore(pattern, path, matches):
    """A slash roots a pattern, `*` stays in its folder, `**` does not, a folder means all below."""
    assert bool(matcher([pattern]).fullmatch(path)) is matches


def test_no_pattern_selects_everything_and_several_add_up():
    assert matcher([]).fullmatch("any/thing")
    both = matcher(["*.py", "docs"])
    assert [bool(both.fullmatch(path)) for path in ("a.py", "docs/x.md", "x.md")] == [True, True, False]


def test_a_snippet_is_where_the_query_words_are():
    """The window with most query words; the first lines when there are none."""
    text = "one\ntwo\nthree\nfour\nretry the connection\nsix\nseven"
    offset, lines = snippet(text, frozenset(query_terms("connection retries")))
    assert (offset, lines.split("\n")[-1]) == (1, "retry the connection")
    assert snippet(text, frozenset({"nowhere"})) == (0, "one\ntwo\nthree\nfour")
    assert snippet("only", frozenset()) == (0, "only")
