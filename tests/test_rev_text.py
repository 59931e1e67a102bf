"""Text search, path patterns, reading files, symbols: what each answers and what it refuses."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import git
import pytest

from codeintel_rev.errors import NotFoundError, UsageError
from codeintel_rev.indexing.chunks import chunk_file
from codeintel_rev.io import duckdb_catalog
from codeintel_rev.io.git_history import GitHistory
from codeintel_rev.io.globs import PathFilter
from codeintel_rev.io.regex import LinePattern
from codeintel_rev.io.repository_files import LARGEST, read_lines
from codeintel_rev.io.symbols import SymbolQuery, Symbols
from codeintel_rev.io.text_search import WIDTH, TextQuery, search_text


def found(folder, pattern, text=None, **options):
    """Lines that match in the one file `t`, as (line, column, text)."""
    if text is not None:
        (folder / "t").write_bytes(text)
    answer = search_text(folder, ["t"], TextQuery(pattern, **options))
    return [(match.line, match.column, match.text) for match in answer.matches]


@pytest.mark.parametrize(
    ("pattern", "options", "lines"),
    [
        ("one", {}, [1, 2, 4]),
        ("One", {}, [2]),
        ("one", {"case": "sensitive"}, [1, 4]),
        ("One", {"case": "ignore"}, [1, 2, 4]),
        (r"\Sne", {}, [1, 2, 4]),  # \S is no capital letter
        ("one", {"word": True}, [1, 2]),
        ("o.e", {"fixed": True}, []),
        ("a.b", {"fixed": True}, [3]),
        ("^one$", {}, [1]),
        ("^$", {}, [5]),
        (r"one\s+One", {}, []),  # lines are searched one by one
        ("caf\u00e9", {}, [6]),
        ("(", {"fixed": True}, [6]),
    ],
)
def test_patterns_mean_what_they_mean_to_ripgrep(tmp_path, pattern, options, lines):
    text = "one\nOne two\na.b\nstone\n\ncaf\u00e9 (\n".encode()
    assert [line for line, _, _ in found(tmp_path, pattern, text, **options)] == lines


def test_each_line_is_told_once_with_its_first_match(tmp_path):
    """By line, and by column in characters; a line end of Windows is not part of a line."""
    text = "x\u00e9 ab ab\r\nnone\nab".encode()
    assert found(tmp_path, "ab", text) == [(1, 4, "x\u00e9 ab ab"), (3, 1, "ab")]


def test_agrees_with_grep(tmp_path):
    """Line by line with another engine, over this repository's own sources."""
    root = Path(__file__).parents[1] / "codeintel_rev"
    paths = sorted(str(path.relative_to(root)) for path in root.rglob("*.py"))
    for pattern in (r"^def \w+\(", r"[A-Z]\w+Error", r"return$", r"\bself\._\w+\b", r"\(\)"):
        theirs = subprocess.run(["grep", "-nP", pattern, *paths], cwd=root, capture_output=True, text=True, check=True)
        answer = search_text(root, paths, TextQuery(pattern, case="sensitive", limit=1000, seconds=60))
        ours = [f"{match.path}:{match.line}" for match in answer.matches]
        assert ours == [":".join(line.split(":")[:2]) for line in theirs.stdout.splitlines()][:1000]


def test_context(tmp_path):
    """Lines before and after, as many as there are."""
    (tmp_path / "t").write_text("1\n2\n3\n4\n5")
    told = [
        (match.line, match.before, match.after)
        for match in search_text(tmp_path, ["t"], TextQuery("[135]", context=2)).matches
    ]
    assert told == [(1, (), ("2", "3")), (3, ("1", "2"), ("4", "5")), (5, ("3", "4"), ())]


def test_long_lines_are_cut_around_the_match(tmp_path):
    (line,) = found(tmp_path, "needle", b"a" * 5000 + b"needle" + b"b" * 5000)
    assert (line[0], line[1], "needle" in line[2], len(line[2])) == (1, 5001, True, WIDTH + 2)


def test_an_answer_is_bounded_and_says_so(tmp_path):
    """By number, by time, by size; and what was not searched is counted."""
    (tmp_path / "t").write_text("x\n" * 100)
    assert search_text(tmp_path, ["t"], TextQuery("x", limit=100)).stopped == ""
    assert search_text(tmp_path, ["t"], TextQuery("x", limit=99)).stopped == "limit"
    assert search_text(tmp_path, ["t"], TextQuery("x", seconds=-1)).stopped == "time"
    (tmp_path / "t").write_text(("x" * 299 + "\n") * 2000)
    assert search_text(tmp_path, ["t"], TextQuery("x", limit=1000, context=20)).stopped == "size"
    (tmp_path / "huge").write_bytes(b"x" * (LARGEST + 1))
    (tmp_path / "zero").write_bytes(b"x\0x")
    (tmp_path / "link").symlink_to("t")
    answer = search_text(tmp_path, ["huge", "zero", "link", "gone"], TextQuery("x"))
    assert (answer.files, answer.skipped) == (0, {"huge": 1, "binary": 1, "no regular file": 2})


def test_files_beside_a_folder_that_is_gone_are_searched(tmp_path):
    """As after `rm -r` of tracked files: those before and behind are told, the others counted."""
    (tmp_path / "a").mkdir()
    for name in ("a/a", "a/z", "z"):
        (tmp_path / name).write_text("x")
    answer = search_text(tmp_path, ["a/a", "a/gone/f", "a/z", "gone/f", "z"], TextQuery("x"))
    assert [match.path for match in answer.matches] == ["a/a", "a/z", "z"]
    assert answer.skipped == {"no regular file": 2}


def test_a_line_too_long_for_its_pattern_is_counted(tmp_path):
    """What would take a large pattern too long is left out, and the lines around it are not."""
    pattern = LinePattern(r"\pL{10}x")
    text = b"abcdefghijx\n" + b"a" * (pattern._slice + 1) + b"\nabcdefghijx\n"
    assert [line for line, _, _ in found(tmp_path, r"\pL{10}x", text)] == [1, 3]
    assert search_text(tmp_path, ["t"], TextQuery(r"\pL{10}x")).skipped == {"line too long": 1}


@pytest.mark.parametrize(
    ("query", "told"),
    [
        (TextQuery(""), "the pattern is empty"),
        (TextQuery("x" * 1001), "has 1001 characters"),
        (TextQuery("a\nb"), "holds a line break"),
        (TextQuery("\udcff"), "lone surrogate"),
        (TextQuery("(?=x)"), "invalid perl operator"),
        (TextQuery(r"(a)\1"), "invalid escape sequence"),
        (TextQuery(r"\pL{100}"), "too large"),
        (TextQuery("x", context=21), "context is 21"),
        (TextQuery("x", limit=0), "limit is 0"),
        (TextQuery("x", globs=("[z-a]",)), "cannot be read as a pattern of paths"),
        (TextQuery("x", globs=("a" * 201,)), "has 201 characters"),
    ],
)
def test_a_query_that_means_nothing_is_refused(tmp_path, query, told):
    with pytest.raises(UsageError, match=told.replace("(", r"\(")):
        search_text(tmp_path, [], query)


@pytest.mark.parametrize(
    ("patterns", "kept"),
    [
        ([], ["a.py", "b/a.py", "b/c/d.ts", "b/c/e.tsx", "x[1].py"]),
        (["*.py"], ["a.py", "b/a.py", "x[1].py"]),
        (["/a.py"], ["a.py"]),
        (["b"], ["b/a.py", "b/c/d.ts", "b/c/e.tsx"]),
        (["b/"], ["b/a.py", "b/c/d.ts", "b/c/e.tsx"]),
        (["b/*"], ["b/a.py", "b/c/d.ts", "b/c/e.tsx"]),  # b/c is a folder that matches
        (["b/**/*.{ts,tsx}"], ["b/c/d.ts", "b/c/e.tsx"]),
        (["**/c/*.ts?"], ["b/c/e.tsx"]),
        (["*.py", "!b/"], ["a.py", "x[1].py"]),
        (["!*.py"], ["b/c/d.ts", "b/c/e.tsx"]),
        (["x[[]1].py"], ["x[1].py"]),
        (["./a.py"], ["a.py"]),
    ],
)
def test_patterns_of_paths(patterns, kept):
    """As in .gitignore, with {a,b}; `!` refuses."""
    paths = ["a.py", "b/a.py", "b/c/d.ts", "b/c/e.tsx", "x[1].py"]
    assert [path for path in paths if PathFilter(patterns)(path)] == kept


def test_a_file_is_read_in_pieces(tmp_path):
    """Up to its end; a start behind the end is an error, an empty file is not."""
    (tmp_path / "t").write_bytes(b"1\n2\n3\n\xff")
    piece = read_lines(tmp_path, "t", 2, 2)
    assert (piece.text, piece.start_line, piece.end_line, piece.total_lines, piece.replaced) == ("2\n3", 2, 3, 4, True)
    assert read_lines(tmp_path, "./t", 4, 9).text == "\ufffd"
    with pytest.raises(NotFoundError, match="t has 4 lines, line 5 was asked for"):
        read_lines(tmp_path, "t", 5, 1)
    (tmp_path / "empty").touch()
    assert (read_lines(tmp_path, "empty", 1, 5).text, read_lines(tmp_path, "empty", 1, 5).end_line) == ("", 0)


def test_a_file_is_cut_and_says_so(tmp_path):
    (tmp_path / "wide").write_text("x" * 3000 + "\n" + "y" * 10)
    wide = read_lines(tmp_path, "wide", 1, 2)
    assert (wide.cut, len(wide.text)) == (True, 2011)
    (tmp_path / "long").write_text(("z" * 1999 + "\n") * 200)
    long = read_lines(tmp_path, "long", 1, 200)
    assert (long.cut, long.end_line, long.total_lines) == (True, 100, 200)


@pytest.mark.parametrize(
    ("path", "error", "told"),
    [
        ("gone", NotFoundError, "gone is not there"),
        ("x" * 300, NotFoundError, "is not there"),
        ("folder/gone", NotFoundError, "is not there"),
        ("t/below", NotFoundError, "is not there"),
        ("folder", UsageError, "is no regular file"),
        ("pipe", UsageError, "is no regular file"),
        ("link", UsageError, "is behind a symbolic link"),
        ("linked/t", UsageError, "is behind a symbolic link"),
        ("binary", UsageError, "is binary"),
        ("huge", UsageError, "files up to"),
        ("../t", UsageError, "is no path below"),
        (".git/config", UsageError, "lies in .git"),
    ],
)
def test_what_is_no_text_file_is_refused(tmp_path, path, error, told):
    import os

    (tmp_path / "t").write_text("x")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("t")
    (tmp_path / "linked").symlink_to(".")
    (tmp_path / "binary").write_bytes(b"\0")
    (tmp_path / "huge").write_bytes(b"x" * (LARGEST + 1))
    with pytest.raises(error, match=told):
        read_lines(tmp_path, path, 1, 1)


@pytest.fixture
def symbols(tmp_path):
    sources = {
        "http.py": "class Session:\n    def send(self):\n        pass\n\n    def send_all(self): ...\n\ndef SEND(): ...\n",
        "long.py": "def resend():\n" + "    call()\n" * 300,
        "web.ts": "export function sendForm() {}\n",
    }
    chunks = [chunk for path, text in sources.items() for chunk in chunk_file(path, "0" * 40, text)[0]]
    duckdb_catalog.build(tmp_path, chunks)
    with Symbols(tmp_path) as opened:
        yield opened


def test_symbols_come_by_how_well_they_match(symbols):
    """The name itself, members of that name, names that begin with it, names that contain it."""
    found, more = symbols.find(SymbolQuery("send"))
    assert [(symbol.name, symbol.match) for symbol in found] == [
        ("SEND", "exact"),
        ("Session.send", "member"),
        ("sendForm", "prefix"),
        ("Session.send_all", "prefix"),
        ("resend", "contains"),
    ]
    assert more is False
    assert symbols.find(SymbolQuery("Session::send"))[0][0].name == "Session.send"
    assert symbols.find(SymbolQuery("send()", limit=1))[1] is True


def test_symbols_are_filtered_and_whole(symbols):
    """By kind and path; a definition that was cut into pieces is one, with the line that names it."""
    found, _ = symbols.find(SymbolQuery("send", kind="method", globs=("*.py", "!long.py")))
    assert [symbol.name for symbol in found] == ["Session.send", "Session.send_all"]
    ((long,), _) = symbols.find(SymbolQuery("resend"))
    assert (long.start_line, long.end_line, long.signature) == (1, 301, "def resend():")
    with pytest.raises(UsageError, match="the name is empty"):
        symbols.find(SymbolQuery(" () "))


def test_blame_and_history_of_what_is_not_committed(tmp_path):
    """Lines that are edited have no commit; a file that git does not know has no blame, and no commit changed it."""
    with git.Repo.init(tmp_path) as repo:
        (tmp_path / "a").write_text("1\n2\n")
        repo.git.add("-A")
        repo.git(c=["user.name=Ann", "user.email=a@example.invalid"]).commit("-qm", "First")
    (tmp_path / "a").write_text("1\nedited\n")
    (tmp_path / "new").write_text("1\n")
    with GitHistory.open(tmp_path) as client:
        told = [(hunk.start_line, hunk.end_line, hunk.summary, hunk.commit is None) for hunk in client.blame("a", 1, 2)]
        assert told == [(1, 1, "First", False), (2, 2, "", True)]
        assert client.history("new", 5) == []
        with pytest.raises(NotFoundError, match="new is in no commit"):
            client.blame("new", 1, 1)
        with pytest.raises(UsageError, match="at most 1000 lines"):
            client.blame("a", 1, 1001)


def test_history_follows_renames(tmp_path):
    with git.Repo.init(tmp_path) as repo:
        ours = repo.git(c=["user.name=Ann", "user.email=a@example.invalid"])
        (tmp_path / "old").write_text("1\n2\n3\n")
        repo.git.add("-A")
        ours.commit("-qm", "First")
        repo.git.mv("old", "new")
        repo.git(c=["user.name=Ann", "user.email=a@example.invalid"]).commit("-qm", "Rename")
    with GitHistory.open(tmp_path) as client:
        assert [change.summary for change in client.history("new", 5)] == ["Rename", "First"]
        assert [change.summary for change in client.history("new", 1)] == ["Rename"]


def test_searches_at_once_find_what_each_finds_alone(tmp_path):
    """They take turns by so many files; 1,000 files are several turns."""
    paths = [f"f{number:04}" for number in range(1000)]
    for number, path in enumerate(paths):
        (tmp_path / path).write_text(f"word{number % 7}\n")
    queries = [TextQuery(f"word{number}", limit=1000) for number in range(7)]
    with ThreadPoolExecutor(7) as pool:
        together = list(pool.map(partial(search_text, tmp_path, paths), queries))
    assert together == [search_text(tmp_path, paths, query) for query in queries]
    assert [len(answer.matches) for answer in together] == [143] * 6 + [142]
