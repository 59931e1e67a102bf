"""codeintel_rev, the commands around the index: init, index, status, rollback, and watching."""

import json
import os
import select
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
from rev_repository import commit

from codeintel_rev.cli import main
from codeintel_rev.config.settings import Settings
from codeintel_rev.config.template import settings_template
from codeintel_rev.io.generations import IndexFolder
from codeintel_rev.io.underway import Underway

START = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
from codeintel_rev.cli import main
sys.exit(main())
"""


@pytest.fixture
def repo(tmp_path, monkeypatch):
    """On a machine without a model."""
    monkeypatch.setenv("CODEINTEL_REV_EMBEDDING_KIND", "none")
    monkeypatch.setenv("CODEINTEL_REV_CACHE", str(tmp_path / "cache"))
    commit(tmp_path / "repo", {"pay.py": "def charge(x):\n    return x\n", "web.ts": "export class Shop {}\n"})
    return tmp_path / "repo"


@pytest.fixture
def told(capsys):
    """Runs a command; its exit code, and its standard output as JSON."""

    def run(*arguments):
        code = main([*map(str, arguments), "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


def test_init_writes_all_settings_commented_out(repo, capsys):
    """What it writes changes nothing, and when it is there it is never touched."""
    assert main(["init", str(repo)]) == 0
    out = capsys.readouterr().out
    assert "2 files at commit" in out
    assert "none, answers will be lexical only: embeddings are switched off" in out
    written = repo / "codeintel_rev.toml"
    assert written.read_text() == settings_template()
    assert Settings.load(repo, {}) == Settings.load(None, {})
    written.write_text("[search]\nrest = 1\n")
    assert main(["init", str(repo)]) == 0
    assert (written.read_text(), "left as it is" in capsys.readouterr().out) == ("[search]\nrest = 1\n", True)


def test_every_line_of_the_template_is_a_setting(repo):
    """Uncommented as it stands it is read without complaint, and is what holds without it; it names no secret."""
    lines = [line.removeprefix("# ") for line in settings_template().splitlines()]
    text = "\n".join(line for line in lines if line.startswith("[") or " = " in line.split("`")[0])
    (repo / "codeintel_rev.toml").write_text(text)
    assert Settings.load(repo, {}) == Settings.load(None, {})
    assert "api_key" not in text


def test_status_before_and_after(repo, told):
    """Not indexed is exit 3; then what is held; then, with `--exit-code`, that it is behind or without vectors."""
    code, status = told("status", repo)
    assert (code, status["kind"], status["index"], status["degraded"][0]["channel"]) == (3, "none", None, "index")
    assert told("index", repo)[0] == 0
    code, status = told("status", repo)
    assert (code, status["kind"], status["stale"], status["files"], status["underway"]) == (
        0,
        "lexical",
        False,
        2,
        None,
    )
    assert told("status", repo, "--exit-code")[0] == 1
    commit(repo, {"new.py": "x = 1\n"})
    (repo / "pay.py").write_text("edited = 1\n")
    code, status = told("status", repo)
    assert (status["stale"], status["index"]["commits_behind"], status["index"]["dirty"]) == (True, 1, ["pay.py"])


def test_status_as_text(repo, capsys):
    main(["index", str(repo)])
    (repo / "pay.py").write_text("edited = 1\n")
    capsys.readouterr()
    assert main(["status", str(repo)]) == 0
    out = capsys.readouterr().out
    for line in (f"{repo}: indexed for words only, STALE\n", "  holds    2 files in 2 chunks, 0 with a vector\n"):
        assert line in out
    assert "  dirty    1, not indexed as they are now: pay.py\n" in out
    assert "Z (answers): commit " in out


def test_status_tells_a_living_builder_from_a_killed_one(repo, told):
    """Progress is believed only while its process holds the lock."""
    told("index", repo)
    folder = IndexFolder(repo / ".codeintel-rev")
    with folder.building():
        Underway(77, 0.0, "embedding 9 chunks", 0.0, 3, 9, 6.0).write(folder.path)
        status = told("status", repo)[1]
    assert (status["underway"]["pid"], status["underway"]["eta_seconds"], status["interrupted"]) == (77, 12.0, None)
    status = told("status", repo)[1]
    assert (status["underway"], status["interrupted"]["stage"]) == (None, "embedding 9 chunks")
    told("index", repo)
    assert told("status", repo)[1]["interrupted"] is None


def test_rollback_answers_from_the_index_before(repo, told, capsys):
    told("index", repo)
    first = told("status", repo)[1]["index"]["commit"]
    commit(repo, {"new.py": "x = 1\n"})
    told("index", repo)
    assert told("rollback", repo)[1]["commit"] == first
    status = told("status", repo)[1]
    assert (status["index"]["commit"], [g["current"] for g in status["generations"]]) == (first, [False, True])
    assert main(["rollback", str(repo)]) == 3
    assert "no earlier generation is kept" in capsys.readouterr().err
    newest = status["generations"][0]["name"]
    assert told("rollback", repo, "--to", newest)[1]["generation"] == newest


def test_again_keeps_paths_and_tree(repo, told, capsys):
    told("index", repo, "--paths", "*.py", "--working-tree")
    (repo / "new.py").write_text("x = 1\n")
    made = told("index", repo, "--again")[1]
    assert (made["paths"], made["working_tree"], list(made["uncommitted"])) == (["*.py"], True, ["new.py"])
    assert main(["index", str(repo), "--again", "--paths", "*.ts"]) == 2
    assert "Mend: leave out --paths and --working-tree" in capsys.readouterr().err


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)),) * 2)
from codeintel_rev.cli import main
sys.exit(main())
"""


@pytest.mark.parametrize("largest", [10, 1500, 30_000, 200_000])
def test_a_full_disk_is_said_and_the_old_index_answers(repo, told, largest):
    """A real limit on the size of files, met at different moments: one line, exit 1, and nothing half-written."""
    told("index", repo)
    before = told("status", repo)[1]["generations"]
    commit(repo, {"many.py": "\n".join(f"def f{n}(): return '{n * 7919}'" for n in range(3000))})
    command = [sys.executable, "-c", LIMITED, str(largest), "index", str(repo)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "unexpected" not in done.stderr
    assert told("status", repo)[1]["generations"] == before
    assert list(repo.glob(".codeintel-rev/generations/.building-*")) == []


@contextmanager
def watching(repo, *options):
    """Yields a function that gives the next JSON line; the process is ended by Ctrl-C, and its exit checked."""
    command = [sys.executable, "-c", START, "index", str(repo), "--watch", "--json", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as child:

        def line():
            ready, _, _ = select.select([child.stdout], [], [], 60)
            assert ready, "nothing was indexed in a minute"
            return json.loads(child.stdout.readline())

        try:
            yield line
            child.send_signal(signal.SIGINT)
            _, said = child.communicate(timeout=60)
            assert (child.returncode, said) == (0, b"codeintel-rev: watching ended\n")
        finally:
            child.kill()


@pytest.mark.slow
def test_watch_follows_commits(repo):
    """The first run at once, then one for each commit; edits alone are no reason. Ctrl-C while it waits is exit 0."""
    with watching(repo) as line:
        assert (line()["files"], (repo / "pay.py").write_text("edited = 1\n")) == (2, 11)
        head = commit(repo, {"new.py": "x = 1\n"})
        made = line()
    assert (made["commit"], made["files"]) == (head, 3)


@pytest.mark.slow
def test_watch_follows_edits_when_asked(repo):
    """A saved file is found without a commit."""
    with watching(repo, "--working-tree") as line:
        line()
        (repo / "pay.py").write_text("edited = 1\n")
        assert list(line()["uncommitted"]) == ["pay.py"]
        (repo / "pay.py").unlink()
        (repo / "new.py").write_text("x = 1\n")
        assert line()["uncommitted"].keys() == {"pay.py", "new.py"}


@pytest.mark.slow
def test_watch_survives_what_passes(repo):
    """Another builder has the lock: said on stderr, and tried again until it works."""
    folder = IndexFolder(repo / ".codeintel-rev")
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-c", START, "index", str(repo), "--watch"]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as child,
    ):
        with folder.building():
            child.stderr.readline() if select.select([child.stderr], [], [], 60)[0] else pytest.fail("it said nothing")
        assert child.stdout.readline().startswith(b"indexed ")
        child.kill()
