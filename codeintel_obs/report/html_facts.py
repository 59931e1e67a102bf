# ruff: noqa: E501 - a line of markup is a line of the page
"""The page's sections of facts, as plain markup: they can be read where no script runs. Hints stand apart."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from codeintel_obs.report import told
from codeintel_obs.report.html_words import MOST, cited, element, icon, lines, step_id, step_link, text
from codeintel_obs.report.words import duration, moment, plural, signal_name
from codeintel_obs.report_model import Evidence, Raised, ReportStep, RunReport, StopReason, Told

_FEW: Final = 50
_MANY: Final = 200
_VIA: Final = {"end": "The run ended with", "cause": "caused by", "group": "which holds", "context": "while handling"}
_WORDS: Final = {
    "completed": "completed", "failed": "failed", "timed_out": "timed out", "in_flight": "in flight", "skipped": "skipped",
}  # fmt: skip


def section(where: str, head: str, content: str, count: int | None = None, cls: str | None = None) -> str:
    """Return a section that its heading names."""
    number = f' <span class="n">{count:,}</span>' if count is not None else ""
    return element("section", f'<h2 id="{where}-h">{head}{number}</h2>{content}', id=where, cls=cls,
                   aria_labelledby=f"{where}-h")  # fmt: skip


def table(head: Iterable[str], body: Iterable[str]) -> str:
    """Return a table of rows that are markup already, and that scrolls on a narrow screen."""
    columns = "".join(f'<th scope="col">{name}</th>' for name in head)
    return f'<div class="scroll"><table><thead><tr>{columns}</tr></thead><tbody>{"".join(body)}</tbody></table></div>'


def listed(items: list[str], total: int, most: int = _FEW) -> str:
    """Return items, the rest of many folded away, and how many there are beyond what is kept."""
    shown = "".join(f"<li>{item}</li>" for item in items[:most])
    made = f'<ul class="list">{shown}</ul>'
    if len(items) > most:
        rest = "".join(f"<li>{item}</li>" for item in items[most:_MANY])
        made += f'<details><summary>more of them</summary><ul class="list">{rest}</ul></details>'
    left = total - min(len(items), _MANY)
    return made + (f'<p class="note">… and {left:,} more in the JSON</p>' if left > 0 else "")


# -- why it stopped ----------------------------------------------------------------------------------------------------


def stop(report: RunReport) -> str:
    """Return what stopped the run, down to the step that first raised it."""
    reason = report.stopped_because
    if reason is None:
        return _ended_otherwise(report)
    name = text(reason.error_type or "")
    message = "(message not kept)" if reason.message is None and reason.error_type else lines(reason.message or "")
    said = f"{name}{': ' if name and message else ''}{message}"
    where = '<p class="note">No step on record raised it.</p>' if reason.error_type else ""
    if reason.step:
        verb = "First raised in" if reason.error_type else "Told by"
        where = f"<p>{verb} {step_link(reason.step, text(reason.kind), 'kind')} {step_id(reason.step)}</p>"
    trail = [*(reason.trail if len(reason.trail) > 1 else []), *reason.while_handling]
    steps = "".join(
        f'<li><span class="via">{text(_VIA.get(each.via, each.via))}</span> <span class="kind">{text(each.error_type)}</span>'
        f"{_said(each, reason)} {step_id(each.step) if each.step else ''} {cited(each.evidence, each.step)}</li>"
        for each in trail
    )
    chain = f'<ul class="trail">{steps}</ul>' if steps else ""
    return section("stop", "Why it stopped",
                   f'<p class="message">{said}</p>{where}{chain}{_elsewhere(report)}{_exit(report)}'
                   f"<p>{_evidence(reason.evidence, reason.step)}</p>")  # fmt: skip


def _said(raised: Raised, reason: StopReason) -> str:
    """Return an exception's message, but for the one that stands above it already."""
    again = not raised.message or raised.message == reason.message
    return "" if again else f" <span>{text(raised.message, 300)}</span>"


def _elsewhere(report: RunReport) -> str:
    found = getattr(report.stopped_because, "elsewhere", None) or []
    items = "".join(
        f'<li><span class="via">in another process</span> {step_link(each.step, text(each.kind), "kind")} '
        f"{text(each.error_type or each.status)}{': ' if each.message else ''}{text(each.message or '', 300)} {cited(each.evidence, each.step)}</li>"
        for each in found
    )
    return f'<ul class="trail">{items}</ul>' if items else ""


def _ended_otherwise(report: RunReport) -> str:
    if report.outcome != "interrupted":
        return ""
    ended = _exit(report) or "<p>No end of the run is on record, and its process is gone.</p>"
    return section("stop", "Why it stopped", f"{ended}<p>{_evidence(report.outcome_evidence)}</p>")


def _exit(report: RunReport) -> str:
    found = report.exit
    if found is None:
        return ""
    how = signal_name(found.signal) if found.signal is not None else f"exit code {found.code}"
    return f"<p>The supervisor saw process {found.pid} end: <strong>{text(how)}</strong> {cited(found.evidence)}</p>"


def _evidence(evidence: Evidence, step: str | None = None) -> str:
    return f'<span class="note">Evidence</span> {cited(evidence, step)}' if evidence else ""


# -- what ran and what did not -----------------------------------------------------------------------------------------


def _head_of(step: ReportStep) -> str:
    return f"{_status(step.status)} {step_link(step.id, text(step.kind), 'kind')} {step_id(step.id)}"


def _status(status: str) -> str:
    return f'<span class="s-{status}">{icon(status)}<span class="sr"> {_WORDS[status]}</span></span>'


def in_flight(report: RunReport) -> str:
    """Return where the run was: the innermost steps that began and did not end."""
    if not report.in_flight:
        return ""
    items = [
        f"{_head_of(step)} <span>since {text(moment(step.started_at))}</span> {cited(step.evidence, step.id)}"
        for step in told.innermost(report)
    ]
    note = '<p class="note">They began, and no end is on record; told are the innermost.</p>'
    return section("in-flight", "In flight", note + listed(items, len(items)), len(report.in_flight))


def failure_count(report: RunReport) -> int:
    """Return how many failures the section of that name tells of."""
    return len(report.handled_failures) + len(told.unexplained(report))


def failures(report: RunReport) -> str:
    """Return the failures that did not stop the run: those that went nowhere, and those of which that is not known."""
    recovered = {each.failed for each in report.recovered}
    unknown = told.unexplained(report)
    parts = [
        ("Handled: their exception went nowhere", told.handled(report), len(report.handled_failures)),
        ("Not known whether they were handled", unknown, len(unknown)),
    ]
    content = "".join(
        f"<h3>{head} ({count:,})</h3>{listed([_failure(step, recovered) for step in steps], count)}"
        for head, steps, count in parts
        if count
    )
    return section("failures", "Failures that did not stop the run", content, failure_count(report)) if content else ""


def _failure(step: ReportStep, recovered: set[str]) -> str:
    tag = '<span class="tag s-completed">a later one completed</span>' if step.id in recovered else ""
    said = text(step.detail or "")
    if step.error:
        said = f"{text(step.error.type)}{': ' if step.error.message else ''}{text(step.error.message or '', 600)}"
    return f'{_head_of(step)} {tag} {cited(step.evidence, step.id)}<span class="said">{said}</span>'


def absent(report: RunReport) -> str:
    """Return what did not run, and why that is known."""
    if not report.did_not_run:
        return ""
    body = (
        f'<tr><th scope="row" class="kind">{text(each.kind)}</th><td>{text(each.why.replace("_", " "))}</td>'
        f"<td>{text(each.detail or '', 600)}</td><td class=num>{each.count:,}</td><td>{cited(each.evidence)}</td></tr>"
        for each in report.did_not_run[:_MANY]
    )
    content = table(("Kind", "Why", "Detail", "Times", "Evidence"), body)
    return section("absent", "Did not run", content, len(report.did_not_run))


def ran(report: RunReport) -> str:
    """Return how often each kind ran, and how that ended."""
    if not report.ran:
        return ""
    order = [status for status in _WORDS if any(counts.get(status) for counts in report.ran.values())]
    body = (
        f'<tr><th scope="row"><button class="link kind" type="button" data-kind="{text(kind)}">{text(kind)}</button></th>'
        + "".join(f'<td class="num">{_count(counts.get(status, 0), status)}</td>' for status in order)
        + "</tr>"
        for kind, counts in report.ran.items()
    )
    return section("ran", "Ran", table(("Kind", *(_WORDS[status] for status in order)), body), cls="half")


def _count(count: int, status: str) -> str:
    return f'<span class="s-{status}">{count:,}</span>' if count else '<span class="note">-</span>'


# -- the ground that it stands on --------------------------------------------------------------------------------------


def ground(report: RunReport) -> str:
    """Return whether the ledger holds what was written."""
    found = report.integrity
    state = {True: ("ok", "complete"), False: ("bad", "NOT complete"), None: ("", "completeness unknown")}
    cls, word = state[found.complete]
    rows = [("Records", f"{found.records:,} in {plural(found.files, 'file')}")]
    broken = (("Gaps", found.gaps), ("Bad checksums", found.bad_crc), ("Torn tails", found.torn_tail), ("Duplicates", found.duplicates))  # fmt: skip
    rows += [
        (name, f'<span class="bad">{len(evidence):,}</span> {cited(evidence)}') for name, evidence in broken if evidence
    ]
    rows += [("Dropped", f'<span class="bad">{found.dropped:,}</span>')] if found.dropped else []
    rows += [("Damage", "none found")] if len(rows) == 1 else []
    body = (f'<tr><th scope="row">{name}</th><td>{said}</td></tr>' for name, said in rows)
    content = f'<p class="{cls}"><strong>{word}</strong></p><div class="scroll"><table><tbody>{"".join(body)}</tbody></table></div>'
    return section("ground", "Integrity of the ledger", content, cls="half")


def _told(where: str, head: str, found: list[Told]) -> str:
    if not found:
        return ""
    items = [f"{text(each.message)} {cited(each.evidence)}" for each in found]
    return section(where, head, listed(items, len(items)), len(found))


def warnings(report: RunReport) -> str:
    """Return what a reader should know of the report's own ground."""
    return _told("warnings", "Warnings", report.warnings)


def disagreements(report: RunReport) -> str:
    """Return where ledger and spans say different things."""
    items = [
        f"{step_id(each.step)} {text(each.what)} {cited(each.evidence, each.step)}" for each in report.disagreements
    ]
    head = "Ledger and spans disagree"
    return section("disagreements", head, listed(items, len(items)), len(items)) if items else ""


def hints(report: RunReport) -> str:
    """Return what might help: under its own heading, in its own dress, and never as a fact."""
    if not report.hints:
        return ""
    items = [f"{text(each.message)} {cited(each.evidence)}" for each in report.hints]
    note = '<p class="note">Suggestions that rules made from the facts above. Nothing of it was run, and none of it is a finding.</p>'
    return section("hints", "Hints, not facts", note + listed(items, len(items)), len(items), cls="hints")


def spans(report: RunReport) -> str:
    """Return the spans that others made in this run."""
    if not report.spans_total:
        return ""
    body = (
        f'<tr><th scope="row">{text(each.payload.get("name") or each.id, 200)}</th><td>{text(each.status or "")}</td>'
        f"<td class=num>{text(duration(each.duration_ns)) if each.duration_ns is not None else 'not ended'}</td><td>{cited(each.evidence)}</td></tr>"
        for each in report.spans[:_MANY]
    )
    more = f"<summary>{plural(report.spans_total, 'span')}; up to {_MANY} are listed</summary>"
    content = f"<details>{more}{table(('Span', 'Status', 'Took', 'Evidence'), body)}</details>"
    return section("spans", "Spans of others", content, report.spans_total)


def processes(report: RunReport) -> str:
    """Return who wrote into this attempt."""
    lives = {True: "alive", False: "gone", None: "not known from here"}
    body = (
        f'<tr><th scope="row">{text(each.service or each.process or "process")}</th><td class=num>{text(each.pid)}</td>'
        f"<td>{text(each.host)}</td><td>{'yes' if each.closed else 'no'}</td><td>{lives[each.alive]}</td>"
        f"<td>{cited(each.evidence)}</td></tr>"
        for each in report.processes[:_MANY]
    )
    head = ("Process", "Pid", "Host", "Closed its file", "When read", "Evidence")
    return section("processes", "Processes", table(head, body), len(report.processes)) if report.processes else ""


def plugins(report: RunReport) -> str:
    """Return what was watched, and what was not and why."""
    body = (
        f'<tr><th scope="row">{text(each.name)}</th><td>{text(" ".join(filter(None, (each.library, each.version))))}</td>'
        f"<td>{text(each.disabled or ', '.join(f'{count} {fact}' for fact, count in each.facts.items()), 300)}</td>"
        f"<td>{cited(each.evidence)}</td></tr>"
        for each in report.plugins[:_MANY]
    )
    content = f"<details><summary>{plural(len(report.plugins), 'plugin')}</summary>{table(('Plugin', 'Library', 'Points', 'Evidence'), body)}</details>"
    return section("plugins", "What was watched", content, len(report.plugins)) if report.plugins else ""


def sections(report: RunReport) -> str:
    """Return what a team's own plugins add."""
    return "".join(
        section(
            f"own-{number}",
            text(each.get("title") or "Section", 200),
            f'<p class="message">{lines(each.get("text") or "", MOST)}</p>',
        )
        for number, each in enumerate(report.sections)
    )


def plain_logs(report: RunReport) -> str:
    """Return the first log records as items, for where no script runs."""
    return "".join(
        f'<li><span class="lv-{text(log.level or "")}">{text(log.level or "?")}</span> <span class="kind">{text(log.logger or "", 100)}</span> '
        f"{text(log.text or '(text not kept)', 600)} {cited(log.evidence)}</li>"
        for log in report.logs[:_MANY]
    )
