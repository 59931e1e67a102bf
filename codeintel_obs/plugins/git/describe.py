"""Describes GitPython's own operations: paths, ranges, names and counts; never a person, a message or a content.

A describe function reads plain attributes only: a lazy one of GitPython's would read the repository.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Final

from codeintel_obs.plugins.git.argv import keywords, public_url
from codeintel_obs.plugins.git.errors import timed_out
from codeintel_obs.steps import Call, Outcome, Status

Payload = Mapping[str, Any]
_PATHS_CAP: Final = 16
_BINARY_ID: Final = 20


def _text(value: Any) -> str | None:
    """Return a revision, reference or path as text: what it is called, or for a loaded object its id."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, os.PathLike):
        path = os.fspath(value)
        return path if isinstance(path, str) else None
    # GitPython's objects and references write themselves as id or path; of any other only the type is told
    if type(value).__module__.startswith("git."):
        return str(value)
    return None if value is None else f"<{type(value).__qualname__}>"


def _paths(value: Any) -> dict[str, Any]:
    """Return one path, or the first of several and how many there are. An iterator is never looked into."""
    if isinstance(value, (list, tuple)):
        named = [os.fspath(item) for item in value[:_PATHS_CAP] if isinstance(item, (str, os.PathLike))]
        return {"path": named or None, "paths": len(value)}
    return {"path": os.fspath(value) if isinstance(value, (str, os.PathLike)) and value else None}


def _repository(call: Call) -> Any:
    owner = call.instance
    repo = owner if hasattr(type(owner), "working_tree_dir") else getattr(owner, "repo", None)
    return getattr(repo, "working_dir", None)


def _of_first(call: Call) -> Any:
    """Return the repository of a class method, which takes it as its first argument."""
    return getattr(call.arg(0, "repo"), "working_dir", None)


def _base(call: Call) -> dict[str, Any]:
    return {"repository": _repository(call), "options": keywords(call.kwargs)}


# -- general -----------------------------------------------------------------------------------------------------------


def plain(call: Call) -> Payload:
    """Say where."""
    return _base(call)


def on_paths(position: int, name: str) -> Callable[[Call], Payload]:
    """Return a describe function for a method that works on the paths in one argument."""

    def describe(call: Call) -> Payload:
        return {**_base(call), **_paths(call.arg(position, name))}

    return describe


def on_all_paths(call: Call) -> Payload:
    """Say which paths were given one by one."""
    return {**_base(call), **_paths(call.args)}


def on_range(position: int, name: str) -> Callable[[Call], Payload]:
    """Return a describe function for a method that works on one revision or range."""

    def describe(call: Call) -> Payload:
        return {**_base(call), "range": _text(call.arg(position, name))}

    return describe


def on_revisions(call: Call) -> Payload:
    """Say between which revisions."""
    revisions = [*call.args, *(call.kwargs[name] for name in ("ancestor_rev", "rev") if name in call.kwargs)]
    return {**_base(call), "range": [_text(revision) for revision in revisions[:_PATHS_CAP]]}


def counted(_call: Call, result: Any) -> Payload | None:
    """Say how many items a list or tuple holds that came back."""
    return {"items": len(result)} if isinstance(result, (list, tuple)) else None


def number(_call: Call, result: Any) -> Payload | None:
    """Say the count that came back."""
    return {"items": result} if type(result) is int else None


def answered(_call: Call, result: Any) -> Payload | None:
    """Say the yes or no that came back."""
    return {"answer": result} if type(result) is bool else None


def committed(_call: Call, result: Any) -> Payload:
    """Say the id of the commit that came back."""
    return {"commit": getattr(result, "hexsha", None)}


# -- repositories ------------------------------------------------------------------------------------------------------


def opening(call: Call) -> Payload:
    """Say what is to be opened or made."""
    return {"path": _text(call.arg(0, "path")), "options": keywords(call.kwargs)}


def opened(call: Call, _result: Any) -> Payload:
    """Say what was found."""
    return {"repository": getattr(call.instance, "working_dir", None), "bare": getattr(call.instance, "_bare", None)}


def cloning(call: Call) -> Payload:
    """Say what is cloned from this repository."""
    return {**_base(call), "path": _text(call.arg(0, "path"))}


def cloning_from(call: Call) -> Payload:
    """Say what is cloned from where."""
    return {
        "url": public_url(call.arg(0, "url")),
        "path": _text(call.arg(1, "to_path")),
        "options": keywords(call.kwargs),
    }


def blaming(call: Call) -> Payload:
    """Say which file at which revision."""
    return {**_base(call), "range": _text(call.arg(0, "rev")), "path": _text(call.arg(1, "file"))}


def blamed(_call: Call, result: Any) -> Payload | None:
    """Say how many groups of lines, and how many lines."""
    if not isinstance(result, list):
        return None
    return {"items": len(result), "lines": sum(len(entry[1]) for entry in result)}


def reading_history(call: Call) -> Payload:
    """Say which range, and of which paths."""
    return {**_base(call), "range": _text(call.arg(0, "rev")), **_paths(call.arg(1, "paths"))}


def reading_items(call: Call) -> Payload:
    """Say the same for `Commit.iter_items`, whose first argument is the repository."""
    where = {"repository": _of_first(call), "options": keywords(call.kwargs)}
    return {**where, "range": _text(call.arg(1, "rev")), **_paths(call.arg(2, "paths"))}


def counting(call: Call) -> Payload:
    """Say what is counted: the commits behind this one, of which paths."""
    return {**on_object(call), **_paths(call.arg(0, "paths"))}


def creating(call: Call) -> Payload:
    """Say where a commit is made; never its message, author or e-mail address."""
    return {"repository": _of_first(call), "options": keywords(call.kwargs)}


def reading_trees(call: Call) -> Payload:
    """Say which trees are read into an index; the first argument is the repository."""
    named = [name for name in map(_tree, call.args[1:_PATHS_CAP]) if name]
    return {"repository": _of_first(call), "range": named or None, "options": keywords(call.kwargs)}


def _tree(value: Any) -> str | None:
    return value.hex() if isinstance(value, bytes) and len(value) == _BINARY_ID else _text(value)


def archiving(call: Call) -> Payload:
    """Say what is archived."""
    return {**_base(call), "range": _text(call.arg(1, "treeish")), **_paths(call.kwargs.get("path"))}


def diffing(call: Call) -> Payload:
    """Say what is compared: this object, and with what (nothing when the argument was left out)."""
    own = getattr(call.instance, "binsha", None) if hasattr(type(call.instance), "binsha") else None
    other = _text(call.arg(0, "other"))
    sides = [own.hex() if isinstance(own, bytes) else None, other]
    return {**_base(call), "range": [side for side in sides if side] or None, **_paths(call.arg(1, "paths"))}


# -- remotes -----------------------------------------------------------------------------------------------------------


def _remote(named: Any) -> str | None:
    """Return a remote's name; that of an anonymous one is its URL."""
    name = named if isinstance(named, str) else getattr(named, "name", None)
    return public_url(name) if isinstance(name, str) else None


def transferring(call: Call) -> Payload:
    """Say with which remote."""
    refspec = call.arg(0, "refspec")
    refspecs = refspec[:_PATHS_CAP] if isinstance(refspec, list) else [refspec] if isinstance(refspec, str) else None
    return {**_base(call), "remote": _remote(call.instance), "refspec": refspecs}


def pushed(_call: Call, result: Any) -> Outcome | None:
    """Say how many references went, how many were refused, and what the result itself says of a failure."""
    if not isinstance(result, list):
        return None
    refused = sum(bool(item.flags & type(item).ERROR) for item in result)
    payload = {"items": len(result), "refused": refused}
    error = getattr(result, "error", None)
    if error is None:
        return Outcome(payload)
    late = timed_out(error)
    return Outcome(payload, Status.TIMED_OUT if late else Status.FAILED, f"its result carries {type(error).__name__}")


def naming_remote(call: Call) -> Payload:
    """Say which remote of which repository; class methods take both as arguments."""
    return {
        "repository": _of_first(call),
        "remote": _remote(call.arg(1, "name")),
        "url": public_url(call.arg(2, "url")),
        "options": keywords(call.kwargs),
    }


def changing_url(call: Call) -> Payload:
    """Say which remote gets or loses which URL."""
    url = call.arg(0, "new_url", call.kwargs.get("url"))
    return {**_base(call), "remote": _remote(call.instance), "url": public_url(url)}


def of_remote(call: Call) -> Payload:
    """Say which remote."""
    return {**_base(call), "remote": _remote(call.instance)}


# -- references, submodules, configuration -----------------------------------------------------------------------------


def on_reference(call: Call) -> Payload:
    """Say which reference."""
    return {**_base(call), "ref": getattr(call.instance, "path", None)}


def making_reference(call: Call) -> Payload:
    """Say which reference is made where; the first argument is the repository."""
    return {"repository": _of_first(call), "ref": _text(call.arg(1, "path")), "options": keywords(call.kwargs)}


def deleting_references(call: Call) -> Payload:
    """Say which references are deleted where."""
    named = [name for name in map(_text, call.args[1 : _PATHS_CAP + 1]) if name]
    return {"repository": _of_first(call), "ref": named or None, "items": max(0, len(call.args) - 1)}


def adding_submodule(call: Call) -> Payload:
    """Say which submodule comes from where."""
    return {
        "repository": _of_first(call),
        "submodule": _text(call.arg(1, "name")),
        "path": _text(call.arg(2, "path")),
        "url": public_url(call.arg(3, "url")),
        "options": keywords(call.kwargs),
    }


def on_submodule(call: Call) -> Payload:
    """Say which submodule."""
    return {**_base(call), "submodule": getattr(call.instance, "_name", None)}


def unchanged(call: Call) -> str | None:
    """Return why nothing is written: GitPython calls `write` at each release, and it writes only what was changed."""
    return "nothing changed" if getattr(call.instance, "_dirty", None) is False else None


def writing_config(call: Call) -> Payload:
    """Say which file is written; never a section, a key or a value."""
    path = getattr(call.instance, "_file_or_files", None)
    return {"path": os.fspath(path) if isinstance(path, (str, os.PathLike)) else None}


def on_object(call: Call) -> Payload:
    """Say which object."""
    own = getattr(call.instance, "binsha", None) if hasattr(type(call.instance), "binsha") else None
    return {**_base(call), "object": own.hex() if isinstance(own, bytes) else None}
