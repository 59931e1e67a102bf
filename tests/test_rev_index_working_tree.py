"""codeintel_rev, `--working-tree`: uncommitted work is indexed as it is, and what changes after that is said."""

import subprocess

import git
import pytest
from rev_repository import commit

from codeintel_rev.config.settings import Settings
from codeintel_rev.indexing.build import BuildRequest, as_before, build_index
from codeintel_rev.indexing.earlier import known_chunks
from codeintel_rev.io.freshness import freshness
from codeintel_rev.io.generations import IndexFolder


@pytest.fixture
def repo(tmp_path):
    root = tmp_path / "repo"
    commit(root, {"a.py": "a = 1\n", "b.py": "b = 1\n", "gone.py": "gone = 1\n", ".gitignore": "ignored/\n*.log\n"})
    (root / "a.py").write_text("a = 2\n")
    (root / "gone.py").unlink()
    (root / "new.py").write_text("new = 1\n")
    (root / "debug.log").write_text("noise = 1\n")
    (root / "ignored").mkdir()
    (root / "ignored" / "x.py").write_text("noise = 2\n")
    return root


def build(root, **more):
    return build_index(BuildRequest(root, Settings(root / ".git" / "cache"), vectors=False, **more)).manifest


def texts(root):
    known = known_chunks(IndexFolder(root / ".codeintel-rev"))
    return {chunk.path: chunk.text for chunks in known.values() for chunk in chunks}


def state(root, manifest):
    """(dirty, changed): what has no commit and differs, and all that differs from what is indexed."""
    index, changed, _ = freshness(manifest, root)
    return index.dirty, changed


def test_edits_and_new_files_are_indexed_and_ignored_ones_are_not(repo):
    """Deleted files are gone; the hash of every uncommitted one is remembered, so that it counts as fresh."""
    made = build(repo, working_tree=True)
    assert texts(repo) == {".gitignore": "ignored/\n*.log", "a.py": "a = 2", "b.py": "b = 1", "new.py": "new = 1"}
    hashes = subprocess.run(
        ["git", "hash-object", "a.py", "new.py"], cwd=repo, check=True, capture_output=True, text=True
    )
    assert made.uncommitted == dict(zip(("a.py", "new.py"), hashes.stdout.split(), strict=True)) | {"gone.py": ""}
    assert (made.working_tree, made.dirty, made.untracked) == (True, (), 0)
    assert state(repo, made) == ((), frozenset())


def test_what_is_edited_later_is_told(repo):
    """Also a new file, one that came back, and one that was edited back; a commit of the same content is no change."""
    made = build(repo, working_tree=True)
    (repo / "b.py").write_text("b = 2\n")
    (repo / "gone.py").write_text("gone = 2\n")
    (repo / "later.py").write_text("later = 1\n")
    assert state(repo, made) == (("b.py", "gone.py", "later.py"), {"b.py", "gone.py", "later.py"})
    commit(repo, {"b.py": "b = 1\n", "gone.py": None, "later.py": None})
    assert state(repo, made) == ((), frozenset())
    (repo / "new.py").write_text("new = 2\n")
    assert state(repo, made)[1] == {"new.py"}
    with git.Repo(repo) as opened:
        opened.git.checkout("-q", "HEAD~1", "--", "a.py")
    assert state(repo, made)[1] == {"new.py", "a.py"}


def test_paths_that_are_not_selected_are_no_change(repo):
    made = build(repo, working_tree=True, paths=("a.py",))
    assert (list(made.uncommitted), state(repo, made)) == (["a.py"], ((), frozenset()))


def test_every_sort_of_edit_is_read_or_counted(repo):
    """Links are not followed, other repositories not entered, pipes not waited for."""
    commit(repo / "inner", {"x.py": "inner = 1\n"})
    (repo / "link.py").symlink_to("/etc/passwd")
    (repo / "big.txt").write_bytes(b"x\n" * (1 << 20))
    (repo / "bin.dat").write_bytes(b"\0")
    (repo / "min.js").write_text("f();" * 10_000)
    (repo / "b.py").unlink()
    subprocess.run(["mkfifo", repo / "b.py"], check=True)
    made = build(repo, working_tree=True)
    expected = {"binary": 1, "huge": 1, "minified": 1, "submodule": 1, "symlink": 1, "unreadable": 1}
    assert (made.skipped, made.files) == (expected, 3)
    assert state(repo, made) == ((), frozenset())


def test_again_is_as_before(repo):
    """The same tree and the same paths; where nothing is indexed yet, all of HEAD."""
    settings = Settings(repo / ".git" / "cache")
    assert as_before(repo, settings) == BuildRequest(repo, settings)
    build(repo, working_tree=True, paths=("*.py",))
    assert as_before(repo, settings) == BuildRequest(repo, settings, ("*.py",), working_tree=True)


def test_the_commit_comes_back_without_the_flag(repo):
    """An edit that was indexed does not stay when only commits are asked for."""
    build(repo, working_tree=True)
    made = build(repo)
    assert (texts(repo)["a.py"], made.uncommitted, made.dirty) == ("a = 1", {}, ("a.py", "gone.py"))
    assert state(repo, made)[0] == ("a.py", "gone.py")
