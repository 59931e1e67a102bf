"""GitPython's points: every operation of its public API that does work, one row each."""

from __future__ import annotations

from typing import Any, Final

from codeintel_obs.plugins.git import describe, process
from codeintel_obs.plugins.git.errors import exit_code_of, message, timed_out
from codeintel_obs.steps import Call, Point

_COMMIT = "git.objects.commit"
_INDEX = "git.index.base"
_REPO = "git.repo.base"
_SUBMODULE = "git.objects.submodule.base"
_SYMBOLIC = "git.refs.symbolic"


def _failed(_call: Call, exc: BaseException) -> dict[str, Any]:
    return {"exit_code": exit_code_of(exc)}


def _inner(module: str, name: str, kind: str, **declared: Any) -> Point:
    """Return a row for an operation that others are made of: told only where the application calls it itself."""
    return _row(module, name, kind, outermost=True, **declared)


def _row(module: str, name: str, kind: str, **declared: Any) -> Point:
    """Return a row for an operation: all fail, time out and are told alike."""
    values: dict[str, Any] = {"failed": _failed, "timed_out": timed_out, "message": message, **declared}
    return Point(module=module, name=name, kind=kind, **values)


_PROCESSES: Final = (
    _row(
        "git.cmd",
        "Git.execute",
        process.KIND,
        before=process.before_execute,
        after=process.after_execute,
        failed=process.failed_execute,
        key=process.streaming,
        ends_at=("Git.AutoInterrupt.wait", "Git.AutoInterrupt.__del__"),
        span_kind="client",
    ),
    # what `execute` keeps to itself; `Popen` is its name for it in 3.1.40
    Point(module="git.cmd", name="safer_popen", kind=None, optional=True, after=process.spawned),
    Point(module="git.cmd", name="Popen", kind=None, after=process.spawned),
    Point(
        module="git.cmd",
        name="Git.AutoInterrupt.wait",
        kind=None,
        key=process.behind,
        after=process.waited,
        failed=process.wait_failed,
        timed_out=timed_out,
        message=message,
    ),
    # not its end: fetch, pull and push kill a process that hangs, and then wait for what to raise
    Point(module="git.cmd", name="Git.AutoInterrupt._terminate", kind=None, before=process.letting_go),
    Point(module="git.cmd", name="Git.AutoInterrupt.__del__", kind=None, key=process.behind, after=process.dropped),
    # commit hooks bypass `execute`; in 3.1.40 they bypass this too
    _row(
        "git.index.fun",
        "safer_popen",
        "git.hook",
        before=process.before_hook,
        key=process.hook_process,
        ends_at=("finalize_process",),
    ),
    Point(
        module="git.index.fun",
        name="finalize_process",
        kind=None,
        key=process.hook_process,
        after=process.hook_ended,
        message=message,
    ),
)

_REPOSITORY: Final = (
    _row(_REPO, "Repo.__init__", "git.open", before=describe.opening, after=describe.opened),
    _row(_REPO, "Repo.init", "git.init", before=describe.opening),
    _row(_REPO, "Repo.clone", "git.clone", before=describe.cloning),
    _row(_REPO, "Repo.clone_from", "git.clone", before=describe.cloning_from),
    _row(_REPO, "Repo.blame", "git.blame", before=describe.blaming, after=describe.blamed),
    _row(_REPO, "Repo.blame_incremental", "git.blame", before=describe.blaming),
    _row(_REPO, "Repo.iter_commits", "git.history", before=describe.reading_history),
    _inner(_REPO, "Repo.rev_parse", "git.rev_parse", before=describe.on_range(0, "rev")),
    _row(_REPO, "Repo.merge_base", "git.merge_base", before=describe.on_revisions, after=describe.counted),
    _row(_REPO, "Repo.is_ancestor", "git.is_ancestor", before=describe.on_revisions, after=describe.answered),
    _row(_REPO, "Repo.is_dirty", "git.status", before=describe.on_paths(5, "path"), after=describe.answered),
    _row(_REPO, "Repo.ignored", "git.check_ignore", before=describe.on_all_paths, after=describe.counted),
    _row(_REPO, "Repo.archive", "git.archive", before=describe.archiving),
)

_OBJECTS: Final = (
    _inner(_COMMIT, "Commit.iter_items", "git.history", before=describe.reading_items),
    _row(_COMMIT, "Commit.count", "git.count", before=describe.counting, after=describe.number),
    _inner(_COMMIT, "Commit.create_from_tree", "git.create_commit", before=describe.creating, after=describe.committed),
    # an index's diff with a tree is that tree's with the index
    _inner("git.diff", "Diffable.diff", "git.diff", before=describe.diffing, after=describe.counted),
    _row("git.objects.tree", "Tree.traverse", "git.traverse", before=describe.on_object),
    _inner("git.objects.tree", "Tree.join", "git.join", before=describe.on_paths(0, "file")),
    _row("git.objects.util", "TraversableIterableObj.traverse", "git.traverse", before=describe.on_object),
    _row("git.objects.base", "Object.stream_data", "git.read_object", before=describe.on_object),
)

_OF_INDEX: Final = (
    _row(_INDEX, "IndexFile.add", "git.add", before=describe.on_paths(0, "items"), after=describe.counted),
    _row(_INDEX, "IndexFile.remove", "git.remove", before=describe.on_paths(0, "items"), after=describe.counted),
    _row(_INDEX, "IndexFile.move", "git.move", before=describe.on_paths(0, "items"), after=describe.counted),
    _row(_INDEX, "IndexFile.commit", "git.commit", before=describe.plain, after=describe.committed),
    _row(_INDEX, "IndexFile.checkout", "git.checkout", before=describe.on_paths(0, "paths"), after=describe.counted),
    _row(_INDEX, "IndexFile.reset", "git.reset", before=describe.on_range(0, "commit")),
    _row(_INDEX, "IndexFile.diff", "git.diff", before=describe.diffing, after=describe.counted),
    _inner(_INDEX, "IndexFile.write", "git.write_index", before=describe.plain),
    _inner(_INDEX, "IndexFile.write_tree", "git.write_tree", before=describe.plain),
    _row(_INDEX, "IndexFile.merge_tree", "git.merge_tree", before=describe.on_revisions),
    _row(_INDEX, "IndexFile.from_tree", "git.read_tree", before=describe.reading_trees),
    _row(_INDEX, "IndexFile.new", "git.read_tree", before=describe.reading_trees),
    _row(_INDEX, "IndexFile.resolve_blobs", "git.resolve", before=describe.plain),
)

_REMOTES: Final = (
    _row("git.remote", "Remote.fetch", "git.fetch", before=describe.transferring, after=describe.counted),
    _row("git.remote", "Remote.pull", "git.pull", before=describe.transferring, after=describe.counted),
    _row("git.remote", "Remote.push", "git.push", before=describe.transferring, after=describe.pushed),
    _row("git.remote", "Remote.update", "git.update_remote", before=describe.of_remote),
    _row("git.remote", "Remote.create", "git.create_remote", before=describe.naming_remote),
    _row("git.remote", "Remote.remove", "git.remove_remote", before=describe.naming_remote),
    _row("git.remote", "Remote.rename", "git.rename_remote", before=describe.of_remote),
    _row("git.remote", "Remote.set_url", "git.set_url", before=describe.changing_url),
    _row("git.remote", "Remote.add_url", "git.set_url", before=describe.changing_url),
    _row("git.remote", "Remote.delete_url", "git.set_url", before=describe.changing_url),
)

_REFERENCES: Final = (
    _row("git.refs.head", "Head.checkout", "git.checkout", before=describe.on_reference),
    _row("git.refs.head", "Head.rename", "git.rename_ref", before=describe.on_reference),
    _row("git.refs.head", "Head.delete", "git.delete_ref", before=describe.deleting_references),
    _row("git.refs.head", "HEAD.reset", "git.reset", before=describe.on_range(0, "commit")),
    _row("git.refs.remote", "RemoteReference.delete", "git.delete_ref", before=describe.deleting_references),
    _row("git.refs.tag", "TagReference.create", "git.create_ref", before=describe.making_reference),
    _row("git.refs.tag", "TagReference.delete", "git.delete_ref", before=describe.deleting_references),
    _inner("git.refs.reference", "Reference.set_object", "git.set_ref", before=describe.on_reference),
    _inner(_SYMBOLIC, "SymbolicReference.set_object", "git.set_ref", before=describe.on_reference),
    _inner(_SYMBOLIC, "SymbolicReference.set_commit", "git.set_ref", before=describe.on_reference),
    _inner(_SYMBOLIC, "SymbolicReference.set_reference", "git.set_ref", before=describe.on_reference),
    _inner(_SYMBOLIC, "SymbolicReference.create", "git.create_ref", before=describe.making_reference),
    _row(_SYMBOLIC, "SymbolicReference.rename", "git.rename_ref", before=describe.on_reference),
    _row(_SYMBOLIC, "SymbolicReference.delete", "git.delete_ref", before=describe.deleting_references),
)

_SUBMODULES: Final = (
    _row(_SUBMODULE, "Submodule.add", "git.submodule_add", before=describe.adding_submodule),
    _row(_SUBMODULE, "Submodule.update", "git.submodule_update", before=describe.on_submodule),
    _row(_SUBMODULE, "Submodule.move", "git.submodule_move", before=describe.on_submodule),
    _row(_SUBMODULE, "Submodule.remove", "git.submodule_remove", before=describe.on_submodule),
    _row(_SUBMODULE, "Submodule.deinit", "git.submodule_deinit", before=describe.on_submodule, optional=True),
    _row(_SUBMODULE, "Submodule.rename", "git.submodule_rename", before=describe.on_submodule),
    _row("git.objects.submodule.root", "RootModule.update", "git.submodule_update", before=describe.on_submodule),
    _inner(
        "git.config",
        "GitConfigParser.write",
        "git.write_config",
        before=describe.writing_config,
        skip_when=describe.unchanged,
    ),
)

POINTS: Final = (*_PROCESSES, *_REPOSITORY, *_OBJECTS, *_OF_INDEX, *_REMOTES, *_REFERENCES, *_SUBMODULES)
