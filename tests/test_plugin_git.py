"""GitPython's operations as steps: each kind on a real repository, with what it says and what it leaves alone."""

from __future__ import annotations

import inspect
import io
import threading

import git
import pytest

from codeintel_obs.plugins.git.instrumentor import GitInstrumentor
from codeintel_obs.testing import recording

AUTHOR = git.Actor("Ada", "ada@example.org")


@pytest.fixture(autouse=True)
def _own_configuration(tmp_path, monkeypatch):
    """No configuration of this machine reaches a test's git."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ada@example.org")


@pytest.fixture
def repo(tmp_path):
    """A repository with two commits on ``master``."""
    with git.Repo.init(tmp_path / "repo", initial_branch="master") as made:
        for number in (1, 2):
            (tmp_path / "repo" / "a.txt").write_text("line\n" * number)
            made.index.add(["a.txt"])
            made.index.commit(f"commit {number}", author=AUTHOR, committer=AUTHOR)
        made.git.clear_cache()
        yield made


@pytest.fixture
def remote(repo, tmp_path):
    """A bare clone of `repo`, known to it as ``origin``."""
    with git.Repo.clone_from(str(repo.working_dir), str(tmp_path / "remote.git"), bare=True) as bare:
        repo.create_remote("origin", str(tmp_path / "remote.git"))
        yield bare


def _of(told, step):
    """What a test compares of a step: kind, status, detail and its parent's kind."""
    return step.kind, str(step.status), step.detail, step.parent and step.parent.kind


def _left_open(told):
    """Steps that did not end, but for the `cat-file` sessions that live as long as the repository object."""
    return [step for step in told.open if not told.payload(step).get("session")]


def test_opening_and_making_a_repository_are_steps(tmp_path):
    """A repository found says where; the one that `init` opens hangs from it, beside git's own process."""
    with recording(GitInstrumentor) as told:
        git.Repo.init(tmp_path / "new").close()
        git.Repo(str(tmp_path / "new")).close()
    assert [step.kind for step in told.steps] == ["git.process", "git.open", "git.init", "git.open"]
    assert told.payload(told.steps[-1]) == {
        "path": str(tmp_path / "new"),
        "repository": str(tmp_path / "new"),
        "bare": False,
    }


def test_a_path_without_a_repository_fails_to_open(tmp_path):
    """The application's own exception passes through as the very object that is recorded."""
    with recording(GitInstrumentor) as told, pytest.raises(git.InvalidGitRepositoryError) as caught:
        git.Repo(str(tmp_path))
    step = told.only("git.open")
    assert (step.status, step.error.type) == ("failed", "git.exc.InvalidGitRepositoryError")
    assert step.error.id == caught.value.__dict__["_codeintel_error"][0]


def test_a_blame_says_range_path_and_counts(repo):
    """One step for the operation, and the process under it."""
    with recording(GitInstrumentor) as told:
        result = repo.blame("HEAD", "a.txt")
    step = told.only("git.blame")
    expected = {"range": "HEAD", "path": "a.txt", "items": 2, "lines": 2, "repository": str(repo.working_dir)}
    assert told.payload(step) == expected
    assert told.only("git.process").parent is step
    assert type(result) is list


def test_a_blame_of_a_missing_path_that_the_application_handles(repo):
    """Operation and process fail with one and the same exception, and nothing that git printed is kept."""
    with recording(GitInstrumentor) as told:
        try:
            repo.blame("HEAD", "missing.py")
        except git.GitCommandError as exc:
            caught = exc
    process, blame = told.only("git.process"), told.only("git.blame")
    assert caught.status == 128
    assert {process.error.id, blame.error.id} == {caught.__dict__["_codeintel_error"][0]}
    assert (told.payload(process)["exit_code"], told.payload(blame)["exit_code"]) == (128, 128)
    assert process.error.message == blame.error.message == "git blame: exit code 128"


def test_an_incremental_blame_is_one_step(repo):
    """The generator behind `blame(incremental=True)` is not told a second time."""
    with recording(GitInstrumentor) as told:
        entries = list(repo.blame("HEAD", "a.txt", incremental=True))
        direct = list(repo.blame_incremental("HEAD", "a.txt"))
    assert [told.payload(step)["items"] for step in told.of("git.blame")] == [len(entries), len(direct)]


def test_a_history_that_is_read_to_its_end(repo):
    """Its step ends with its last item; its process is a child and ended before."""
    with recording(GitInstrumentor) as told:
        commits = list(repo.iter_commits("HEAD", paths="a.txt", max_count=5))
    assert [_of(told, step) for step in told.steps] == [
        ("git.process", "completed", None, "git.history"),
        ("git.history", "completed", None, None),
    ]
    payload = told.payload(told.only("git.history"))
    assert (payload["items"], payload["range"], payload["path"]) == (len(commits), "HEAD", "a.txt")
    assert payload["options"] == ["paths", "max_count"]


def test_a_history_closed_early_says_how_many_were_taken(repo):
    """Nothing is read ahead, and the process that was stopped says by whom."""
    with recording(GitInstrumentor) as told:
        history = repo.iter_commits()
        next(history)
        history.close()
    step, process = told.only("git.history"), told.only("git.process")
    assert (step.status, step.detail, told.payload(step)["items"]) == ("completed", "closed by consumer", 1)
    assert process.status == "completed"
    assert _left_open(told) == []


@pytest.mark.parametrize("drop", ["close", "collect"])
def test_a_history_that_nobody_reads_ends_when_it_is_dropped(repo, drop):
    """No line of an unstarted generator ever runs, and yet its step and its process end."""
    with recording(GitInstrumentor) as told:
        history = repo.iter_commits()
        assert inspect.isgenerator(history)
        assert told.of("git.history") == []
        if drop == "close":
            history.close()
        del history
    step = told.only("git.history")
    assert (step.status, step.detail, told.payload(step)["items"]) == ("completed", "closed by consumer", 0)
    assert _left_open(told) == []


def test_what_is_called_between_two_items_is_not_the_history_s(repo):
    """The step is current while the library works, never while the application does."""
    with recording(GitInstrumentor) as told:
        for _ in repo.iter_commits():
            repo.git.rev_parse("HEAD")
    assert [step.parent for step in told.of("git.process") if told.payload(step)["subcommand"] == "rev-parse"] == [
        None,
        None,
    ]


def test_a_commit_reads_its_own_history_as_one_step(repo):
    """`iter_commits` is made of `Commit.iter_items`; called by itself, that is the step."""
    with recording(GitInstrumentor) as told:
        list(repo.iter_commits())
        list(git.Commit.iter_items(repo, "HEAD"))
        parents = list(repo.head.commit.iter_parents())
    assert [told.payload(step)["items"] for step in told.of("git.history")] == [2, 2, len(parents)]


def test_diffs_are_one_step_each(repo):
    """`diff` waits for its process twice; an index's diff with a commit is that commit's with the index."""
    commit = repo.head.commit
    with recording(GitInstrumentor) as told:
        results = [commit.diff(commit.parents[0]), commit.diff(create_patch=True), repo.index.diff("HEAD")]
        results.append(repo.index.diff(None))
    assert [told.payload(step)["items"] for step in told.of("git.diff")] == [len(result) for result in results]
    assert len(told.of("git.process")) == 4
    assert told.payload(told.of("git.diff")[0])["range"] == [commit.hexsha, commit.parents[0].hexsha]


def test_the_index_s_operations(repo):
    """Add, remove, move and commit; what they are made of is not told again."""
    for name in ("b.txt", "c.txt"):
        with open(f"{repo.working_dir}/{name}", "w") as file:
            file.write(name)
    with recording(GitInstrumentor) as told:
        repo.index.add(["b.txt", "c.txt"])
        repo.index.move(["c.txt", "d.txt"])
        commit = repo.index.commit("more", author=AUTHOR, committer=AUTHOR)
        repo.index.remove(["b.txt"])
    operations = [step for step in told.steps if step.parent is None and not told.payload(step).get("session")]
    assert [step.kind for step in operations] == ["git.add", "git.move", "git.commit", "git.remove"]
    assert told.payload(operations[0])["items"] == 2
    assert told.payload(operations[2])["commit"] == commit.hexsha


def test_what_others_are_made_of_is_a_step_when_the_application_calls_it(repo):
    """Index, tree, reference and revision operations by themselves."""
    with recording(GitInstrumentor) as told:
        repo.rev_parse("HEAD")
        repo.index.write()
        tree = repo.index.write_tree()
        commit = git.Commit.create_from_tree(repo, tree, "by hand", author=AUTHOR, committer=AUTHOR)
        repo.heads.master.set_commit(commit)
        repo.tree() / "a.txt"
    kinds = [step.kind for step in told.steps if step.parent is None and not told.payload(step).get("session")]
    assert kinds == [
        "git.rev_parse",
        "git.write_index",
        "git.write_tree",
        "git.create_commit",
        "git.set_ref",
        "git.join",
    ]


def test_references(repo):
    """Heads and tags are made, checked out, renamed and deleted."""
    with recording(GitInstrumentor) as told:
        head = repo.create_head("topic")
        head.checkout()
        repo.heads.master.checkout()
        head.rename("other")
        repo.delete_head("other")
        repo.delete_tag(repo.create_tag("v1"))
        repo.head.reset("HEAD", index=True)
    kinds = [step.kind for step in told.steps if step.parent is None and not told.payload(step).get("session")]
    assert kinds == [
        "git.create_ref",
        "git.checkout",
        "git.checkout",
        "git.rename_ref",
        "git.delete_ref",
        "git.create_ref",
        "git.delete_ref",
        "git.reset",
    ]
    assert told.payload(told.of("git.checkout")[0])["ref"] == "refs/heads/topic"


def test_questions_about_a_repository(repo):
    """Status, ancestry, merge base, ignored files: the answers are facts."""
    first, last = repo.head.commit.parents[0], repo.head.commit
    with recording(GitInstrumentor) as told:
        answers = [repo.is_dirty(), repo.is_ancestor(first, last), repo.is_ancestor(last, first)]
        bases = repo.merge_base(first, last)
        repo.ignored("a.txt")
        count = last.count()
    assert [told.payload(step)["answer"] for step in told.of("git.status")] == answers[:1]
    assert [told.payload(step)["answer"] for step in told.of("git.is_ancestor")] == answers[1:] == [True, False]
    assert told.payload(told.only("git.merge_base"))["items"] == len(bases)
    assert told.only("git.check_ignore").status == "completed"
    assert told.payload(told.only("git.count"))["items"] == count


def test_trees_and_objects(repo):
    """A traversal counts what it yields; an object's content is copied without being kept."""
    with recording(GitInstrumentor) as told:
        found = list(repo.head.commit.tree.traverse())
        commits = list(repo.head.commit.traverse())
        found[0].stream_data(io.BytesIO())
        repo.archive(io.BytesIO(), "HEAD", path="a.txt")
    assert [told.payload(step)["items"] for step in told.of("git.traverse")] == [len(found), len(commits)]
    assert told.payload(told.only("git.read_object"))["object"] == found[0].hexsha
    assert told.payload(told.only("git.archive"))["path"] == "a.txt"


def test_clone_fetch_pull_and_push(repo, remote, tmp_path):
    """Transfers say with which remote, and how many references came or went."""
    with recording(GitInstrumentor) as told:
        repo.remotes.origin.push("master:new")
        fetched = repo.remotes.origin.fetch()
        pulled = repo.remotes.origin.pull("master")
        repo.clone(str(tmp_path / "copy")).close()
    assert told.payload(told.only("git.push"))["items"] == 1
    assert told.payload(told.only("git.fetch"))["items"] == len(fetched)
    assert told.payload(told.only("git.pull"))["items"] == len(pulled)
    assert told.payload(told.only("git.clone"))["path"] == str(tmp_path / "copy")
    assert {str(step.status) for step in told.steps} == {"completed"}


def test_a_refused_push_is_a_failure_that_no_exception_told(repo, remote):
    """The result carries the error: the step failed, and says how many references were refused."""
    repo.remotes.origin.push("master")
    repo.git.reset("--hard", "HEAD~1")
    with recording(GitInstrumentor) as told:
        result = repo.remotes.origin.push("master")
    step = told.only("git.push")
    assert result.error is not None
    assert (step.status, step.detail) == ("failed", "its result carries GitCommandError")
    assert (told.payload(step)["items"], told.payload(step)["refused"]) == (1, 1)
    assert told.only("git.process").status == "failed"


def test_remotes_are_made_changed_and_removed(repo):
    """A remote's URL is told without what it hides."""
    with recording(GitInstrumentor) as told:
        made = repo.create_remote("up", "https://ada:hunter2@example.org/x.git?access_token=abc")
        made.set_url("https://example.org/y.git")
        made.rename("down")
        repo.delete_remote(repo.remotes.down)
    kinds = [step.kind for step in told.steps if step.parent is None]
    assert kinds == ["git.create_remote", "git.set_url", "git.rename_remote", "git.remove_remote"]
    assert told.payload(told.only("git.create_remote"))["url"] == "https://example.org/x.git"


def test_a_configuration_is_a_step_when_it_changed(repo):
    """Neither section nor key nor value is told; one that was only read is never written."""
    with recording(GitInstrumentor) as told:
        with repo.config_reader() as reader:
            reader.get_value("core", "bare")
        read = len(told.steps)
        with repo.config_writer() as writer:
            writer.set_value("user", "email", "ada@example.org")
    written = [(step.kind, told.payload(step)) for step in told.steps]
    assert read == 0
    # how often GitPython writes for one change differs between its versions
    assert len(written) > 0
    assert written == [("git.write_config", {"path": f"{repo.git_dir}/config"})] * len(written)


def test_submodules_are_added_updated_and_removed(repo, tmp_path, monkeypatch):
    """A submodule's work hangs from its own step."""
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "file")
    git.Repo.init(tmp_path / "outer").close()
    with git.Repo(tmp_path / "outer") as outer, recording(GitInstrumentor) as told:
        added = outer.create_submodule("part", "part", url=str(repo.working_dir), branch="master")
        outer.index.commit("with a part", author=AUTHOR, committer=AUTHOR)
        added.update()
        added.remove(force=True)
    assert told.payload(told.only("git.submodule_add"))["submodule"] == "part"
    assert [told.of(f"git.submodule_{verb}")[0].status for verb in ("update", "remove")] == ["completed"] * 2
    assert told.only("git.clone").parent is None or told.only("git.clone").parent.kind == "git.submodule_add"


def test_threads_do_not_mix_their_steps(repo):
    """Each process hangs from the operation of its own thread."""

    def work():
        with git.Repo(repo.working_dir) as own:
            for _ in range(5):
                own.blame("HEAD", "a.txt")

    with recording(GitInstrumentor) as told:
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    blames = told.of("git.blame")
    children = [step.parent for step in told.of("git.process") if told.payload(step)["subcommand"] == "blame"]
    assert len(blames) == 20
    assert {id(step) for step in children} == {id(step) for step in blames}
    assert all(child.thread == child.parent.thread for child in told.of("git.process") if child.parent)
