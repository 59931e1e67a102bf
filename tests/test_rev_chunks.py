"""codeintel_rev, the chunker: every line that says something is found, under the right name."""

import textwrap

from hypothesis import given, settings
from hypothesis import strategies as st

from codeintel_rev.indexing.chunks import chunk_file
from codeintel_rev.indexing.outline import LINES_PER_CHUNK

SOURCE = textwrap.dedent('''\
    """A module."""
    import os

    LIMIT = 3


    # why it is there
    @decorated(
        1,
    )
    def outer():
        def inner():
            return 1
        return inner


    class Box:
        """A box."""

        size: int = 3

        @property
        def half(self):
            return self.size / 2

        colour = "red"

        class Lid:
            def open(self): ...


    if os.name == "posix":
        async def wait(): ...
    else:
        def wait(): ...
    ''')


def spans(path, text):
    return [(c.kind, c.name, c.start_line, c.end_line) for c in chunk_file(path, "b", text)[0]]


def test_python_is_cut_at_its_definitions():
    """Decorators and the comment above belong to their definition; nested functions stay inside."""
    assert spans("pkg/mod.py", SOURCE) == [
        ("module", "mod", 1, 4),
        ("function", "outer", 7, 14),
        ("class", "Box", 17, 20),
        ("method", "Box.half", 22, 24),
        ("body", "Box", 26, 26),
        ("class", "Box.Lid", 28, 28),
        ("method", "Box.Lid.open", 29, 29),
        ("body", "mod", 32, 32),
        ("function", "wait", 33, 33),
        ("body", "mod", 34, 34),
        ("function", "wait", 35, 35),
    ]


def test_comments_belong_to_the_definition_below():
    """A ruler of dashes is no answer; a statement is one, without the name of what it stands in."""
    text = "class A:\n    x = 1\n\n    def f(self): ...\n\n    # ---- part\n\n    def g(self): ...\n    y = 2\n"
    chunks = chunk_file("a.py", "b", text)[0]
    assert spans("a.py", text) == [
        ("class", "A", 1, 2),
        ("method", "A.f", 4, 4),
        ("method", "A.g", 6, 8),
        ("body", "A", 9, 9),
    ]
    assert [c.embedded_text for c in chunks[1::2]] == ["a f\n    def f(self): ...", "    y = 2"]


def test_the_text_of_a_chunk_is_its_lines():
    """Also with CRLF, a form feed and U+2028, none of which may shift a line number."""
    text = "x = '\u2028'\r\n\x0c\r\ndef f():\r\n    return 1\r\n"
    chunks, parser = chunk_file("a.py", "b", text)
    assert parser == "ast"
    assert [(c.start_line, c.text) for c in chunks] == [(1, "x = '\u2028'"), (3, "def f():\n    return 1")]


def test_python_that_does_not_parse_is_cut_by_lines():
    """A syntax error, a NUL and bottomless nesting are found by their lines, and said to be unparsed."""
    for text in ("def f(:\n  pass\n", "x = '\0'\n", "-" * 200_000 + "1\n", "print 'two'\n"):
        chunks, parser = chunk_file("a.py", "b", text)
        assert (parser, [c.kind for c in chunks]) == ("unparsed", ["lines"])


def test_the_indexed_codes_warnings_are_not_ours():
    """An invalid escape warns when parsed; under `filterwarnings = error` that would fail here."""
    assert chunk_file("a.py", "b", "x = '\\d'\n")[1] == "ast"


def test_files_without_text_have_no_chunk():
    for text in ("", "\n\n", "   \n\t\n"):
        assert chunk_file("a.py", "b", text) == ([], "ast")
        assert chunk_file("a.md", "b", text) == ([], "lines")


def test_other_text_is_cut_in_overlapping_windows():
    """What one window cuts in two is whole in the next; a short file is one chunk."""
    text = "\n".join(f"line {n}" for n in range(1, 101))
    assert spans("notes.md", text) == [
        ("lines", "notes.md", 1, 40),
        ("lines", "notes.md", 33, 72),
        ("lines", "notes.md", 65, 100),
    ]
    assert spans("Makefile", "all:\n\ttrue\n") == [("lines", "Makefile", 1, 2)]
    assert LINES_PER_CHUNK == 40


def test_a_long_function_is_cut_and_keeps_its_name():
    """A hit is a place to look at, not two hundred lines."""
    text = "def long():\n" + "    x = 1\n" * 149
    assert spans("a.py", text) == [
        ("function", "long", 1, 60),
        ("function", "long", 51, 110),
        ("function", "long", 101, 150),
    ]


def test_a_key_changes_with_text_and_model_and_not_with_the_path():
    """A renamed file keeps its vectors; another model has others."""
    first, renamed, edited = (
        chunk_file(path, "b", text)[0][0]
        for path, text in (("a.py", "def f(): 1"), ("b.py", "def f(): 1"), ("a.py", "def f(): 2"))
    )
    assert first.key("m") == renamed.key("m")
    assert len({first.key("m"), edited.key("m"), first.key("n")}) == 3


LINE = st.sampled_from(
    [
        "x = 1",
        "",
        "# note",
        "@d",
        "def f():",
        "class A:",
        "    y = 2",
        "    def g(self):",
        "        pass",
        "if x:",
        "'''",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(LINE, max_size=30), st.sampled_from(["a.py", "a.txt"]))
def test_every_line_that_is_not_blank_is_in_a_chunk(lines, path):
    """Whatever the file looks like; and in Python, which has no overlap when short, in exactly one."""
    chunks, parser = chunk_file(path, "b", "\n".join(lines))
    covered = [n for c in chunks for n in range(c.start_line, c.end_line + 1)]
    assert {n for n, line in enumerate(lines, 1) if line.strip()} <= set(covered)
    assert parser != "ast" or len(covered) == len(set(covered))
