"""What the report routes answer: status, headers and body, made from the ledger on disk. Runs on a thread of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from shlex import quote
from typing import Any, Final, NamedTuple

TYPE_CHECKING = False  # as in `codeintel_obs`: what makes reports is imported when the first is asked for
if TYPE_CHECKING:
    from codeintel_obs.report_model import RunReport

_TYPES: Final = {
    "json": b"application/json",
    "html": b"text/html; charset=utf-8",
    "md": b"text/markdown; charset=utf-8",
    "text": b"text/plain; charset=utf-8",
}
_RUNS: Final = 20
_MOST_RUNS: Final = 200
_WIDTH: Final = 120
_ALWAYS: Final = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"vary", b"accept"),
)


class Answer(NamedTuple):
    """A response, whole."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...]


def problem(status: int, message: str, retry: str | None = None) -> Answer:
    """Return an answer that says in JSON what is wrong and how to mend it."""
    more = [(b"www-authenticate", b"Bearer")] if status == 401 else []  # noqa: PLR2004 - RFC 9110, 15.5.2
    more += [(b"retry-after", retry.encode())] if retry else []
    return Answer(status, json.dumps({"error": message}).encode() + b"\n", (_type("json"), *more, *_ALWAYS))


def report_answer(data_dir: str, run: str, attempt: int | None, form: str) -> Answer:
    """Return the report of ``run``, which is hostile input, as it is now; the newest attempt unless one is named."""
    from codeintel_obs.errors import CompactedError
    from codeintel_obs.ledger.tombstones import pruned
    from codeintel_obs.report.attempts import find, report_of

    attempts = find([data_dir], run)
    if not attempts:
        if pruned(data_dir, run):
            return problem(410, "the run was recorded, and has been pruned")
        return problem(404, "no such run; /observability/runs lists what there is")
    if attempt is not None and not 1 <= attempt <= len(attempts):
        return problem(404, f"the run has attempts 1 to {len(attempts)}")
    try:
        return _good(_rendered(report_of(attempts[attempt - 1 if attempt else -1]), form), form)
    except CompactedError:
        # what reads it is DuckDB, which this process may be watched for: it is not imported here
        return problem(410, f"the run is compacted; on that host: codeintel-obs report {quote(attempts[-1].run_id)}")


def runs_answer(data_dir: str, form: str, limit: int | None) -> Answer:
    """Return the newest runs that are not compacted, at most ``limit`` of them."""
    from codeintel_obs.report.attempts import newest_first, report_of

    most = min(_RUNS if limit is None else limit, _MOST_RUNS)
    loose = (attempts for attempts in newest_first([data_dir]) if not attempts[-1].is_packed)
    found = [report_of(attempts[-1], keep=0) for attempts in islice(loose, most)]
    if form == "html":
        from codeintel_obs.report.html_runs import render

        return _good(render(found), form)
    rows = [_row(report) for report in found]
    if form == "json":
        return _good(json.dumps({"runs": rows}, ensure_ascii=False, indent=2) + "\n", form)
    return _good("".join(_lines(rows, form)), form)


def _rendered(report: RunReport, form: str) -> str:
    if form == "html":
        from codeintel_obs.report.raw import raw_records
        from codeintel_obs.report.render_html import render as as_page

        return as_page(report, raw_records(report))
    if form == "md":
        from codeintel_obs.report.render_md import render as as_markdown

        return as_markdown(report)
    if form == "json":
        from codeintel_obs.report.render_json import render as as_json

        return as_json(report)
    from codeintel_obs.report.render_text import render

    return render(report, _WIDTH)


def _row(report: RunReport) -> dict[str, Any]:
    from codeintel_obs.report.render_text import verdict

    return {
        "run_id": report.run_id,
        "name": report.name,
        "outcome": report.outcome,
        "verdict": verdict(report),
        "attempts": report.attempts,
        "session_id": report.session_id,
        "started_at": report.started_at,
        "steps": report.steps_total,
        "duration_ns": report.duration_ns,
        "complete": report.integrity.complete,
    }


def _lines(rows: list[dict[str, Any]], form: str) -> Iterator[str]:
    from codeintel_obs.report.render_md import code
    from codeintel_obs.report.words import moment, plain

    if not rows:
        yield "no run is on record\n"
    for row in rows:
        said = [row["run_id"], row["name"] or "run", row["verdict"]]
        shown = [code(each) if form == "md" else plain(each) for each in said]
        yield f"{'- ' if form == 'md' else ''}{moment(row['started_at'])}  {'  '.join(shown)}\n"


def _good(text: str, form: str) -> Answer:
    return Answer(200, text.encode("utf-8", "backslashreplace"), (_type(form), *_policy(form), *_ALWAYS))


def _policy(form: str) -> tuple[tuple[bytes, bytes], ...]:
    """Return what a page may not do by its header too: be framed by another."""
    return ((b"content-security-policy", b"frame-ancestors 'none'"),) if form == "html" else ()


def _type(form: str) -> tuple[bytes, bytes]:
    return (b"content-type", _TYPES[form])
