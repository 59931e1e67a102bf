"""From what the service found to what goes over the wire: the envelope first, small unless more is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codeintel_rev.mcp_server import schemas

if TYPE_CHECKING:
    from collections.abc import Iterable

    from codeintel_rev.indexing.status import IndexStatus
    from codeintel_rev.io.git_history import Blamed, Change
    from codeintel_rev.io.index_process import LastRun
    from codeintel_rev.io.repository_files import Lines
    from codeintel_rev.io.symbols import Symbol
    from codeintel_rev.io.text_search import TextFound
    from codeintel_rev.retrieval.answer import Answer, ChannelOutcome, Degraded, Freshness, Hit, StageOutcome
    from codeintel_rev.service import Paths, Reply

_NAMED_FILES = 5


def index_info(state: Freshness | None) -> schemas.IndexInfo | None:
    if state is None:
        return None
    stale = state.head is not None and state.head != state.commit
    return schemas.IndexInfo(
        commit=state.commit,
        branch=state.branch,
        age_seconds=state.age_seconds,
        stale=stale,
        head=state.head if stale else None,
        commits_behind=state.commits_behind if stale else None,
        dirty=None if state.dirty is None else len(state.dirty),
        dirty_files=list((state.dirty or ())[:_NAMED_FILES]),
        paths=list(state.paths),
        working_tree=state.working_tree or None,
    )


def search_answer(answer: Answer, *, explain: bool = False) -> schemas.SearchAnswer:
    found = schemas.SearchAnswer(
        index=index_info(answer.index),
        stages={o.channel: o.status for o in answer.channels} | {o.stage: o.status for o in answer.stages},
        degraded=_missing(answer.degraded),
        hits=[_hit(hit, explain=explain) for hit in answer.hits],
    )
    if explain:
        found.explained = [_stage(o.channel, o, {"found": len(o.found)}) for o in answer.channels]
        found.explained += [_stage(o.stage, o, dict(o.detail)) for o in answer.stages]
        found.query_kind, found.weights = answer.query_kind, dict(answer.weights)
        found.milliseconds = round(answer.seconds * 1000, 1)
    return found


def text_answer(reply: Reply[TextFound]) -> schemas.TextAnswer:
    found = reply.body
    matches = [
        schemas.TextHit(
            path=match.path,
            line=match.line,
            column=match.column,
            text=match.text,
            before=list(match.before) or None,
            after=list(match.after) or None,
        )
        for match in found.matches
    ]
    return schemas.TextAnswer(
        **_envelope(reply),
        matches=matches,
        files_searched=found.files,
        truncated=found.stopped or None,
        skipped=dict(sorted(found.skipped.items())) or None,
    )


def symbol_answer(reply: Reply[tuple[list[Symbol], bool]]) -> schemas.SymbolAnswer:
    found, more = reply.body
    symbols = [schemas.SymbolHit.model_validate(symbol) for symbol in found]
    return schemas.SymbolAnswer(**_envelope(reply), symbols=symbols, truncated=more)


def file_answer(reply: Reply[Lines]) -> schemas.FileAnswer:
    lines = reply.body
    return schemas.FileAnswer(
        **_envelope(reply),
        path=lines.path,
        start_line=lines.start_line,
        end_line=lines.end_line,
        total_lines=lines.total_lines,
        text=lines.text,
        shortened=lines.cut or None,
        not_utf8=lines.replaced or None,
        next_line=lines.end_line + 1 if lines.end_line < lines.total_lines else None,
    )


def paths_answer(reply: Reply[Paths], offset: int) -> schemas.PathsAnswer:
    found = reply.body
    end = offset + len(found.paths)
    more = end if found.paths and end < found.total else None
    return schemas.PathsAnswer(**_envelope(reply), paths=found.paths, total=found.total, next_offset=more)


def blame_answer(reply: Reply[list[Blamed]], path: str) -> schemas.BlameAnswer:
    hunks = [
        schemas.BlameHunk(
            start_line=hunk.start_line,
            end_line=hunk.end_line,
            commit=hunk.commit,
            author=hunk.author or None,
            date=hunk.date or None,
            summary=hunk.summary or None,
        )
        for hunk in reply.body
    ]
    return schemas.BlameAnswer(**_envelope(reply), path=path, hunks=hunks)


def history_answer(reply: Reply[list[Change]], path: str) -> schemas.HistoryAnswer:
    commits = [schemas.CommitInfo.model_validate(change) for change in reply.body]
    return schemas.HistoryAnswer(**_envelope(reply), path=path, commits=commits)


def status_answer(status: IndexStatus, last: LastRun | None) -> schemas.StatusAnswer:
    made = status.manifest
    return schemas.StatusAnswer(
        index=index_info(status.index),
        degraded=_missing(status.degraded),
        indexed=made is not None,
        kind=status.kind,
        vectors=made.model if made else None,
        indexed_at=made.indexed_at if made else None,
        files=made.files if made else None,
        chunks=made.chunks if made else None,
        indexing=schemas.Running.model_validate(status.underway) if status.underway else None,
        interrupted=status.interrupted.text() if status.interrupted else None,
        last_reindex=schemas.LastReindex(exit_code=last.exit_code, said=last.said or None) if last else None,
    )


def _envelope(reply: Reply[Any]) -> dict[str, Any]:
    return {
        "index": index_info(reply.index),
        "stages": {o.stage: o.status for o in reply.stages},
        "degraded": _missing(reply.degraded),
    }


def _stage(name: str, outcome: ChannelOutcome | StageOutcome, detail: dict[str, Any]) -> schemas.Stage:
    return schemas.Stage(
        stage=name,
        status=outcome.status,
        reason=outcome.reason or None,
        milliseconds=round(outcome.seconds * 1000, 1),
        detail=detail or None,
    )


def _missing(degraded: Iterable[Degraded]) -> list[schemas.Missing]:
    return [
        schemas.Missing(channel=d.channel, reason=d.reason, mend=d.mend.removeprefix("Mend: ") or None)
        for d in degraded
    ]


def _hit(hit: Hit, *, explain: bool) -> schemas.SearchHit:
    channels = {name: schemas.Rank(rank=r.rank, score=round(r.score, 4)) for name, r in hit.channels.items()}
    return schemas.SearchHit(
        path=hit.path,
        start_line=hit.start_line,
        end_line=hit.end_line,
        kind=hit.kind,
        name=hit.name,
        score=round(hit.score, 4),
        snippet=hit.snippet,
        snippet_line=hit.snippet_line,
        changed=hit.changed or None,
        channels=channels if explain else None,
        boost=hit.boost if explain else None,
        rerank=hit.rerank if explain else None,
    )
