"""A third party's instrumentor: fuzzy matches and diffs of the standard library's difflib, as steps."""

from codeintel_obs import Call, FieldClass, LibraryInstrumentor, Point


def _query(call: Call) -> dict[str, object]:
    word = call.arg(0, "word")
    return {"query": word, "query_len": len(word), "n": call.arg(2, "n")}


def _hits(_call: Call, result: list[str]) -> dict[str, object]:
    return {"hits": len(result)}


class DifflibInstrumentor(LibraryInstrumentor):
    plugin = "difflib"
    library = "difflib"
    points = (
        Point(module="difflib", name="get_close_matches", kind="difflib.match", before=_query, after=_hits),
        Point(module="difflib", name="unified_diff", kind="difflib.diff"),
    )
    fields = {  # noqa: RUF012 - a table, declared as ClassVar by the base class
        "query": FieldClass.TEXT,
        "query_len": FieldClass.COUNT,
        "n": FieldClass.COUNT,
        "hits": FieldClass.COUNT,
    }
