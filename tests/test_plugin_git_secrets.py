"""What git's steps never hold: credentials, e-mail addresses, messages, contents; and what each content level keeps."""

from __future__ import annotations

import json

import git
import pytest

from codeintel_obs.plugins.git.argv import keywords, parse, public_url, shown
from codeintel_obs.plugins.git.instrumentor import GitInstrumentor
from codeintel_obs.testing import recording

CANARIES = ("hunter2", "s3cr3t", "ada@example.org", "Ada Lovelace", "the message", "X-Private")


@pytest.fixture(autouse=True)
def _own_configuration(tmp_path, monkeypatch):
    """No configuration of this machine reaches a test's git, and nothing asks for a password."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "0")


def _work(path):
    """Put every canary where an application would: author, message, URL, header, file, an error's command line."""
    who = git.Actor("Ada Lovelace", "ada@example.org")
    with git.Repo.init(path) as repo:
        (path / "a.txt").write_text("s3cr3t")
        repo.index.add(["a.txt"])
        repo.index.commit("the message", author=who, committer=who)
        repo.git.log(author="ada@example.org", grep="hunter2")
        repo.git.log("-Shunter2", "--author=Ada Lovelace <ada@example.org>")
        made = repo.create_remote("up", "http://ada:hunter2@127.0.0.1:9/x.git?access_token=s3cr3t#s3cr3t")
        for attempt in (made.fetch, lambda: git.Remote(repo, "http://hunter2@127.0.0.1:9/y").fetch("master")):
            with pytest.raises(git.GitCommandError):
                attempt(c="http.extraHeader=X-Private: hunter2") if attempt == made.fetch else attempt()
        with pytest.raises(git.GitCommandError):
            git.Repo.clone_from("http://ada:hunter2@127.0.0.1:9/z?access_token=s3cr3t", path / "z")
        list(repo.iter_commits(author="ada@example.org"))
        repo.blame("HEAD", "a.txt")
        with pytest.raises(git.GitCommandError):
            repo.git(c="http.extraHeader=X-Private: hunter2").ls_remote("http://127.0.0.1:9/hunter2?key=s3cr3t")


def _said(told):
    return [
        json.dumps([step.kind, step.detail, told.payload(step), step.error and step.error.message])
        for step in told.steps
    ]


@pytest.mark.parametrize("level", ["none", "messages"])
def test_no_canary_below_the_level_of_texts(tmp_path, level):
    """Neither payload nor detail nor error message holds any of them."""
    with recording(GitInstrumentor, content=level) as told:
        _work(tmp_path / "repo")
    said = _said(told)
    # a path of a URL is a name: it is kept at `messages` only, and nothing of ours can know that it is a secret
    found = [(canary, line) for canary in CANARIES for line in said if canary in line]
    assert found == []
    assert len(said) > 20


def test_texts_hold_the_command_line_without_its_secrets(tmp_path):
    """At level `all` argv is there, and still no credential of a URL, no header, no e-mail address."""
    with recording(GitInstrumentor, content="all") as told:
        _work(tmp_path / "repo")
    argv = [told.payload(step)["argv"] for step in told.of("git.process")]
    text = json.dumps(argv)
    assert [canary for canary in ("s3cr3t", "ada@example.org", "X-Private", "ada:hunter2") if canary in text] == []
    assert ["git", "log", "--author=[e-mail]", "--grep=hunter2"] in argv


def test_level_none_keeps_counts_codes_and_ids_only(tmp_path):
    """No path, no name, no URL and no range."""
    with recording(GitInstrumentor, content="none") as told:
        _work(tmp_path / "repo")
    kept = {key for step in told.steps for key in told.payload(step)}
    assert kept == {
        "arguments", "bare", "commit", "exit_code", "items", "lines", "options", "paths", "pid", "session",
        "stdout_len", "streamed", "subcommand",
    }  # fmt: skip
    assert str(tmp_path) not in "".join(_said(told))


@pytest.mark.parametrize(
    ("command", "subcommand", "options"),
    [
        (
            ["git", "-c", "a.b=c", "--git-dir", "/x", "blame", "-p", "HEAD", "--", "-f"],
            "blame",
            ("-c", "--git-dir", "-p"),
        ),
        (["git", "commit", "-m", "--secret", "--author=x", "-am", "x"], "commit", ("-m", "--author", "-a")),
        (["git", "log", "-Ssecret", "--grep=secret", "-n1", "--Bad Name"], "log", ("-S", "--grep", "-n")),
        (["git", "Not A Subcommand", "--x"], None, ("--x",)),
        (["git", "--version"], None, ("--version",)),
        (["ls", "-l"], None, ()),
        ("git log", None, ()),
        ([], None, ()),
        (None, None, ()),
    ],
)
def test_a_command_line_is_known_by_subcommand_and_options_names(command, subcommand, options):
    """Values are never names, whatever they look like."""
    line = parse(command)
    assert (line.subcommand, line.options) == (subcommand, options)


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("https://ada:pw@host:8443/a/b.git?access_token=x#y", "https://host:8443/a/b.git"),
        ("https://token@host/a", "https://host/a"),
        ("git@host:a/b.git", "host:a/b.git"),
        ("host:a/b.git", "host:a/b.git"),
        ("/srv/a@b:c", "/srv/a@b:c"),
        ("origin", "origin"),
        ("ext::sh -c 'echo pw'", "ext::"),
        ("https://host:bad/a?pw", "https://"),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_a_url_without_what_it_hides(url, public):
    """User, password, query, fragment and helper commands are gone; where it points at stays."""
    assert public_url(url) == public


def test_a_command_line_as_texts():
    """Settings keep their name, URLs their place, and what is no text is not asked for one."""

    class Loud:
        def __str__(self):
            raise AssertionError("an argument of the application was asked what it is")

    command = ["git", "-c", "x.y=pw", "clone", "--config=a.b=pw", "https://u:p@h/x?t=1", "HEAD@{1}", Loud(), 3]
    assert shown(command) == [
        "git", "-c", "x.y=[value]", "clone", "--config=a.b=[value]", "https://h/x", "HEAD@{1}", "[object]", "3",
    ]  # fmt: skip
    assert shown(["git", *"x" * 100])[-1] == "<37 more>"
    assert keywords({"max_count": 1, "a b": 2}) == ["max_count"]


def test_arguments_are_not_consumed(tmp_path):
    """A generator of paths is not looked into: the library gets all of it."""
    with git.Repo.init(tmp_path / "repo") as repo, recording(GitInstrumentor) as told:
        (tmp_path / "repo" / "a.txt").write_text("x")
        repo.index.add(path for path in ["a.txt"])
        list(repo.iter_commits()) if repo.head.is_valid() else None
        assert [path for path, _stage in repo.index.entries] == ["a.txt"]
    assert "path" not in told.payload(told.only("git.add"))
