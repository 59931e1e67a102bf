"""Every plugin proves with these few lines that it keeps the promises to the application."""

import difflib

from codeintel_obs import FieldClass
from codeintel_obs.testing import Conformance, workout


@workout("difflib", canaries={"canary-query": FieldClass.TEXT})
def matches_and_diffs(_folder: object) -> object:
    words = ["ape", "apple", "peach", "canary-queries"]
    try:
        difflib.get_close_matches("x", words, n=0)
    except ValueError as exc:
        refused = exc
    diff = list(difflib.unified_diff(["a\n", "b\n"], ["a\n", "c\n"]))
    return difflib.get_close_matches("canary-query", words, 2), diff, refused


class TestConformance(Conformance):
    plugins = ("difflib",)
