"""What the service, the index and the commands say of a call: what was asked, and the size of the answer. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from codeintel_obs.plugins.codeintel_rev.describe import Payload, length
from codeintel_obs.steps import Call, Outcome, Status, StepEvent

Describe = Callable[[Call], Payload]


# -- the service -------------------------------------------------------------------------------------------------------


def asked_search(call: Call) -> Payload:
    """Say what is searched for in words."""
    asked = call.arg(0, "query")
    return {"query": asked.query, "query_len": length(asked.query), "k": asked.k}


def answered_search(_call: Call, result: Any) -> Payload:
    """Say how many hits there are and how much is missing, of an answer as it goes out."""
    return {
        "hits": len(result.hits),
        "query_kind": result.query_kind or None,
        "degraded": len(result.degraded),
        "commit": result.index.commit,
    }


def asked_text(call: Call) -> Payload:
    """Say what is searched for by text."""
    asked = call.arg(0, "query")
    return {"pattern": asked.pattern, "query_len": length(asked.pattern)}


def answered_text(_call: Call, result: Any) -> Payload:
    """Say how many lines match in how many files."""
    found = result.body
    skipped = sum(found.skipped.values())
    return {"matches": len(found.matches), "files": found.files, "files_skipped": skipped, **_missing(result)}


def asked_symbol(call: Call) -> Payload:
    """Say which name is looked for."""
    asked = call.arg(0, "query")
    return {"name": asked.name, "query_len": length(asked.name)}


def answered_symbol(_call: Call, result: Any) -> Payload:
    """Say how many definitions there are."""
    return {"hits": len(result.body[0]), "more": result.body[1], **_missing(result)}


def asked_of_file(*names: str) -> Describe:
    """Return what says which file is asked for, and with which other arguments."""

    def before(call: Call) -> Payload:
        numbers = {name: call.arg(place, name) for place, name in enumerate(names, 1)}
        return {"path": call.arg(0, "path"), **numbers}

    return before


def answered_lines(_call: Call, result: Any) -> Payload:
    """Say which lines were read, and of how many."""
    found = result.body
    return {"start": found.start_line, "end": found.end_line, "total": found.total_lines, **_missing(result)}


def asked_paths(call: Call) -> Payload:
    """Say how many paths are wanted."""
    return {"globs": length(call.arg(0, "globs")), "limit": call.arg(1, "limit"), "offset": call.arg(2, "offset")}


def answered_paths(_call: Call, result: Any) -> Payload:
    """Say how many paths there are."""
    return {"items": len(result.body.paths), "total": result.body.total, **_missing(result)}


def answered_list(_call: Call, result: Any) -> Payload:
    """Say how many pieces an answer has."""
    return {"items": len(result.body), **_missing(result)}


def answered_status(_call: Call, result: Any) -> Payload:
    """Say how the index stands."""
    status = result[0] if type(result) is tuple else result
    made = status.manifest
    indexing = {"indexed": made is not None, "indexing": status.underway is not None}
    return {**indexing, "commit": made.commit if made else None, "degraded": len(status.degraded)}


def answered_commit(_call: Call, result: Any) -> Payload:
    """Say which commit is indexed."""
    return {"commit": result}


def answered_reindex(_call: Call, result: Any) -> Payload:
    """Say which process indexes."""
    return {"pid": result.pid}


def _missing(reply: Any) -> Payload:
    index = reply.index
    return {"degraded": len(reply.degraded), "commit": index.commit if index is not None else None}


# -- the index ---------------------------------------------------------------------------------------------------------


def told_freshness(_call: Call, result: Any) -> Payload:
    """Say how far the index is behind the repository; what could not be learned is absent."""
    state, changed, unknown = result
    return {
        "commit": state.commit,
        "head": state.head,
        "commits_behind": state.commits_behind,
        "dirty": length(state.dirty),
        "changed": length(changed),
        "degraded": len(unknown),
    }


def before_build(call: Call) -> Payload:
    """Say what is to be indexed."""
    request = call.arg(0, "request")
    return {"patterns": len(request.paths), "vectors_wanted": request.vectors, "working_tree": request.working_tree}


def after_build(_call: Call, result: Any) -> Payload:
    """Say what the published index holds, and what had to be made for it."""
    made = result.manifest
    counts = {name: getattr(made, name) for name in ("files", "chunks", "vectors", "embedded", "reused", "unparsed")}
    return {
        **counts,
        "commit": made.commit,
        "files_skipped": sum(made.skipped.values()),
        "degraded": len(made.degraded),
    }


def after_read(_call: Call, result: Any) -> Payload:
    """Say how much was read, and how many files were not."""
    skipped = sum(result.skipped.values())
    return {"files": result.files, "chunks": len(result.chunks), "unparsed": result.unparsed, "files_skipped": skipped}


def before_embed(call: Call) -> Payload:
    """Say how many chunks have no vector yet."""
    vectors = call.instance
    return {"missing": len(vectors.missing), "reused": vectors.reused}


def after_embed(call: Call, _result: Any) -> Outcome:
    """Say how many chunks have a vector now; where none could be made, the reason that the index will give."""
    vectors = call.instance
    told = vectors.degraded()
    status, reason = Status.COMPLETED, told[0].reason if told else None
    if told and not (vectors.model and vectors.model.embedder):
        status = Status.SKIPPED
    elif told:
        status = Status.FAILED
    return Outcome({"vectors": vectors.count}, status, reason)


def before_write(call: Call) -> Payload:
    """Say how many chunks are written."""
    return {"chunks": length(call.arg(1, "chunks"))}


def after_write(_call: Call, result: Any) -> Payload:
    """Say how many of them have a vector, and how much the index lacks."""
    return {"vectors": result.vectors, "dim": result.dim, "degraded": len(result.degraded)}


def after_publish(_call: Call, result: Any) -> Payload:
    """Say which generation answers from now on; it is named by its time."""
    return {"generation": result.name}


def after_rollback(_call: Call, result: Any) -> Payload:
    """Say which generation answers again."""
    return {"generation": result.path.name}


# -- commands, and errors as they are mapped ---------------------------------------------------------------------------


def ended_command(_call: Call, result: Any) -> Payload:
    """Say with which code a command ends."""
    return {"exit_code": result if type(result) is int else None}


def mapped(code: str) -> Callable[[Call, Any], Outcome]:
    """Return what tells of an error that was turned into an answer; ``code`` is where its class has that answer's code."""

    def after(call: Call, _result: Any) -> Outcome:
        error = call.arg(0, "error")
        said = {code: getattr(type(error), code, None)}
        return Outcome(events=(StepEvent("error", payload=said, error=error),))

    return after
