"""codeintel_rev, what it takes from git: the commit and nothing but the commit, from real repositories."""

import os
import subprocess

import git
import pytest

from codeintel_rev.errors import NotFoundError, RevError, UsageError
from codeintel_rev.indexing.corpus import read_corpus
from codeintel_rev.indexing.progress import Silent
from codeintel_rev.io.git_client import GitClient


def commit(root, files):
    """Write and commit; returns the hash."""
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with git.Repo.init(root) as repo:
        repo.git.add("-A")
        repo.git(c=["user.name=t", "user.email=t@example.invalid"]).commit("-qm", "change", "--allow-empty")
        return repo.head.commit.hexsha


def corpus_of(root, *patterns):
    with GitClient.open(root) as client:
        return read_corpus(client, patterns, Silent())


def test_every_sort_of_file_is_read_or_counted(tmp_path):
    """Binary, huge, not UTF-8, symbolic links, submodules, undecodable names: counted, never a crash."""
    (tmp_path / "link.py").symlink_to("/etc/passwd")
    (tmp_path / "empty.py").write_text("")
    (tmp_path / os.fsdecode(b"na\xffme.py")).write_text("x = 1")
    commit(tmp_path / "inner", {"x.py": "x = 1"})
    files = {"a.py": "def f(): ...", "b.bin": b"a\0b", "c.txt": b"caf\xe9", "d.txt": b"x" * ((1 << 20) + 1)}
    commit(tmp_path, files | {"bom.py": b"\xef\xbb\xbfx = 1\r\n", "deep/é.md": "# hé"})
    corpus = corpus_of(tmp_path)
    assert [(c.path, c.text) for c in corpus.chunks] == [
        ("a.py", "def f(): ..."),
        ("bom.py", "x = 1"),
        ("deep/é.md", "# hé"),
    ]
    counted = {"binary": 1, "huge": 1, "name not utf-8": 1, "not utf-8": 1, "submodule": 1, "symlink": 1}
    assert (corpus.files, dict(corpus.skipped)) == (4, counted)


def test_a_dirty_file_is_indexed_as_committed(tmp_path):
    """Edited, staged and deleted files are named; their committed lines are what the index holds."""
    head = commit(tmp_path, {"a.py": "x = 1", "b.py": "y = 1", "c.py": "z = 1", "d.py": "clean = 1"})
    (tmp_path / "a.py").write_text("x = 2")
    (tmp_path / "b.py").unlink()
    (tmp_path / "c.py").write_text("z = 2")
    (tmp_path / "new.py").write_text("n = 1")
    with git.Repo(tmp_path) as repo:
        repo.git.add("c.py")
    corpus = corpus_of(tmp_path)
    assert [c.text for c in corpus.chunks] == ["x = 1", "y = 1", "z = 1", "clean = 1"]
    assert (corpus.dirty, corpus.untracked, corpus.head.commit) == (("a.py", "b.py", "c.py"), 1, head)


def test_a_folder_that_became_a_link_is_not_followed(tmp_path):
    """Nothing outside the repository is read, and git's own copy is."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.py").write_text("secret = 1")
    root = tmp_path / "repo"
    commit(root, {"sub/a.py": "public = 1"})
    (root / "sub" / "a.py").unlink()
    (root / "sub").rmdir()
    (root / "sub").symlink_to(outside)
    assert [c.text for c in corpus_of(root).chunks] == ["public = 1"]


def test_an_edit_that_git_was_told_to_ignore_is_not_indexed(tmp_path):
    """`assume-unchanged` hides it from git status; the bytes are compared with the blob's hash all the same."""
    commit(tmp_path, {"a.py": "x = 1"})
    with git.Repo(tmp_path) as repo:
        repo.git.update_index("--assume-unchanged", "a.py")
    (tmp_path / "a.py").write_text("x = 2")
    assert [c.text for c in corpus_of(tmp_path).chunks] == ["x = 1"]


def test_reading_leaves_the_repository_alone(tmp_path):
    """No lock is taken, no index rewritten, and a program named in the repository's configuration is not run."""
    commit(tmp_path, {"a.py": "x = 1"})
    program = tmp_path / ".git" / "monitor"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path / 'ran'}\n")
    program.chmod(0o755)
    subprocess.run(["git", "-C", tmp_path, "config", "core.fsmonitor", program], check=True)
    os.utime(tmp_path / "a.py", (1, 1))
    before = (tmp_path / ".git" / "index").read_bytes()
    corpus_of(tmp_path)
    assert (tmp_path / ".git" / "index").read_bytes() == before
    assert not (tmp_path / "ran").exists()


def test_what_is_no_repository_is_not_found(tmp_path):
    """Each with the mend: no folder, no repository, no commit, nothing selected."""
    for path, reason in ((tmp_path / "no", "does not exist"), (tmp_path, "is in no git repository")):
        with pytest.raises(NotFoundError, match=reason):
            corpus_of(path)
    git.Repo.init(tmp_path).close()
    with pytest.raises(NotFoundError, match="has no commit yet"):
        corpus_of(tmp_path)
    commit(tmp_path, {"a.bin": b"\0"})
    with pytest.raises(NotFoundError, match=r"no tracked file matches \*\.py"):
        corpus_of(tmp_path, "*.py")
    with pytest.raises(RevError, match=r"none of the 1 selected files holds text to index \(1 binary\)"):
        corpus_of(tmp_path)


def test_a_bare_repository_and_a_broken_one_are_refused(tmp_path):
    git.Repo.init(tmp_path / "bare", bare=True).close()
    with pytest.raises(UsageError, match="bare repository"):
        corpus_of(tmp_path / "bare")
    commit(tmp_path / "broken", {"a.py": "x = 1"})
    (tmp_path / "broken" / ".git" / "index").write_bytes(b"not an index")
    with pytest.raises(RevError, match=r"git failed in .*index"):
        corpus_of(tmp_path / "broken")
    (tmp_path / "broken" / ".git" / "refs" / "heads" / "master").write_text("nonsense\n")
    with pytest.raises(RevError, match=r"HEAD of .* cannot be read"):
        corpus_of(tmp_path / "broken")


def test_history_is_asked_with_a_hash_only(tmp_path):
    """A commit comes from a file, which may be forged: what is no hash never reaches git as an argument."""
    first = commit(tmp_path, {"a.py": "x = 1"})
    commit(tmp_path, {"b.py": "y = 1"})
    (tmp_path / "a.py").write_text("x = 2")
    with GitClient.open(tmp_path / ".git" / "..") as client:
        assert client.commits_since(first) == 1
        assert client.changed_since(first) == {"a.py", "b.py"}
        for forged in ("--output=x", "HEAD", "f" * 40):
            assert (client.commits_since(forged), client.changed_since(forged)) == (None, frozenset())


def test_another_worktree_has_its_own_head(tmp_path):
    """`git worktree`: the tree of the folder that was named, on its own branch."""
    commit(tmp_path / "one", {"a.py": "x = 1"})
    subprocess.run(["git", "-C", tmp_path / "one", "worktree", "add", "-qb", "side", tmp_path / "two"], check=True)
    commit_two = {"b.py": "y = 1"}
    for name, text in commit_two.items():
        (tmp_path / "two" / name).write_text(text)
    with git.Repo(tmp_path / "two") as repo:
        repo.git.add("-A")
        repo.git(c=["user.name=t", "user.email=t@example.invalid"]).commit("-qm", "side")
    assert [c.path for c in corpus_of(tmp_path / "two").chunks] == ["a.py", "b.py"]
    assert corpus_of(tmp_path / "two").head.branch == "side"
    assert [c.path for c in corpus_of(tmp_path / "one").chunks] == ["a.py"]


HOSTILE = (
    b"line\nbreak.py",
    b"-rf.py",
    b"--output=x.py",
    b"tab\there.py",
    b":(glob)*.py",
    b"a\\b.py",
    b"\"q'.py",
    b" .py",
)


def test_hostile_names_are_names(tmp_path):
    """Newlines, leading dashes, pathspec magic, quotes: read as any other, committed or not, and dated."""
    names = [os.fsdecode(name) for name in HOSTILE]
    head = commit(tmp_path, dict.fromkeys(names, "x = 1\n"))
    commit(tmp_path, {})
    assert [c.path for c in corpus_of(tmp_path).chunks] == sorted(names)
    with GitClient.open(tmp_path) as client:
        assert sorted(client.commit_dates(head)) == sorted(names)
        for name in names:
            (tmp_path / name).write_text("x = 2\n")
        assert client.working_tree().dirty == client.changed_since(head) == set(names)
        edited = read_corpus(client, (), Silent(), working_tree=True)
    assert [(c.path, c.text) for c in edited.chunks] == [(name, "x = 2") for name in sorted(names)]


def test_undecodable_names_are_counted(tmp_path):
    """In the commit, as an edit and untracked; nothing of them can be shown, and nothing crashes."""
    for name in (b"caf\xe9.py", b"\xff\xfe/x.py", b"\xf0\x9f.py"):
        path = tmp_path / os.fsdecode(name)
        path.parent.mkdir(exist_ok=True)
        path.write_text("x = 1\n")
    commit(tmp_path, {"good.py": "x = 1\n"})
    (tmp_path / os.fsdecode(b"caf\xe9.py")).write_text("x = 2\n")
    (tmp_path / os.fsdecode(b"new\xe9.py")).write_text("x = 3\n")
    assert dict(corpus_of(tmp_path).skipped) == {"name not utf-8": 3}
    with GitClient.open(tmp_path) as client:
        edited = read_corpus(client, (), Silent(), working_tree=True)
    assert (dict(edited.skipped), [c.path for c in edited.chunks]) == ({"name not utf-8": 4}, ["good.py"])
    assert sorted(edited.uncommitted) == ["caf\\udce9.py", "new\\udce9.py"]


def test_another_repository_inside_is_not_entered(tmp_path):
    """Tracked (a submodule), untracked, or a worktree of our own: counted, and its files are its own index's."""
    commit(tmp_path, {"a.py": "x = 1\n"})
    commit(tmp_path / "nested", {"b.py": "x = 2\n"})
    subprocess.run(["git", "-C", tmp_path, "worktree", "add", "-q", tmp_path / "tree"], check=True)
    with GitClient.open(tmp_path) as client:
        edited = read_corpus(client, (), Silent(), working_tree=True)
        assert client.worktrees() == [tmp_path / "tree"]
    assert ([c.path for c in edited.chunks], dict(edited.skipped)) == (["a.py"], {"submodule": 2})


def test_a_git_hook_of_another_repository_is_refused(tmp_path, monkeypatch):
    """Git believes GIT_DIR rather than the folder that was named: an index of the wrong code would be the result."""
    commit(tmp_path / "one", {"a.py": "x = 1\n"})
    commit(tmp_path / "two", {"a.py": "x = 1\n"})
    monkeypatch.setenv("GIT_DIR", ".git")
    assert corpus_of(tmp_path / "one").files == 1
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "two" / ".git"))
    with pytest.raises(UsageError, match="GIT_DIR in the environment"):
        corpus_of(tmp_path / "one")


def test_a_file_is_dated_by_the_last_commit_that_changed_it(tmp_path, monkeypatch):
    """In seconds of the epoch; digits for a name are a name."""
    for seconds, files in ((100, {"a.py": "1", "200": "x"}), (300, {"a.py": "2"}), (400, {"b.py": "3"})):
        monkeypatch.setenv("GIT_COMMITTER_DATE", f"{seconds + 10**9} +0000")
        head = commit(tmp_path, files)
    with GitClient.open(tmp_path) as client:
        assert client.commit_dates(head) == {"a.py": 10**9 + 300, "200": 10**9 + 100, "b.py": 10**9 + 400}
