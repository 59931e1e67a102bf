"""A Run Report as text for a person at a terminal: the verdict first, then the steps, then the ground it stands on."""

from __future__ import annotations

import os
from typing import Final

from codeintel_obs.report import told
from codeintel_obs.report.command import report_command
from codeintel_obs.report.fold import FAILURES, NOT_COUNTED
from codeintel_obs.report.tree import line, rows
from codeintel_obs.report.words import clip, counted, duration, moment, plain, plural, signal_name, wrapped
from codeintel_obs.report_model import ReportStep, RunReport, StopReason

_LEAST: Final = 60
_TREE_LINES: Final = 300
_LIST_LINES: Final = 12
_ID: Final = 8
_ROOM: Final = 20
_MESSAGE_LINES: Final = 12
_FEW_LINES: Final = 3
_GOING_ON: Final = frozenset({"interrupted", "in_progress", "unknown"})

WORDS: Final = {
    "completed": "COMPLETED", "failed": "FAILED", "timed_out": "TIMED OUT", "interrupted": "INTERRUPTED",
    "in_progress": "IN PROGRESS", "ended": "ENDED", "unknown": "UNKNOWN",
}  # fmt: skip


def render(report: RunReport, width: int = 100) -> str:
    """Return ``report`` as lines of at most ``width`` characters; where more is to be read stands last, uncut."""
    width = max(width, _LEAST)
    going_on = report.outcome in _GOING_ON  # then where it was is the answer, else a remark
    above, below = (_in_flight(report), []) if going_on else ([], _in_flight(report))
    sections = (_head(report, width), _stop(report, width), above, _tree(report, width), below, _ran(report), _absent(report),
                _handled_failures(report, width), _other_failures(report, width), _disagreements(report), _spans(report),
                _logs(report), _own(report, width),
                _ground(report))  # fmt: skip
    names = _file_names(report)
    text = [[clip(_shortened(each, names), width) for each in section] for section in sections if section]
    cited = "\n".join(each for section in text for each in section)
    text[-1] += _where_more_is(report, {file: name for file, name in names.items() if not name or f"{name}#" in cited})
    return "\n\n".join("\n".join(section) for section in text) + "\n"


def _file_names(report: RunReport) -> dict[str, str]:
    """Return the files by which a line is cited: most are in one, told as ``#n``; others are ``f2#n``, ``f3#n``."""
    own = "/".join((report.ledger_path or "?").split("/")[-2:])
    others = [place.rpartition(":")[0] for place in report.integrity.read]
    return {own: "", **{file: f"f{number}" for number, file in enumerate((f for f in others if f != own), 2)}}


def _shortened(text: str, names: dict[str, str]) -> str:
    if ".jsonl:" not in text:
        return text
    for file, name in names.items():
        text = text.replace(f"{file}:", f"{name}#")
    return text


def verdict(report: RunReport, width: int = 1_000) -> str:
    """Return the one line that says how the run went, what stopped it, and where; a long message is cut, not the place."""
    word = WORDS[report.outcome]
    return f"{word}  {because(report, width - len(word) - 2)}"


def because(report: RunReport, width: int) -> str:
    """Return what a verdict says after its word, in at most ``width`` characters."""
    stop = report.stopped_because
    if stop is not None:
        return _reason(stop, width)
    return clip(_without_stop(report), width)


def _without_stop(report: RunReport) -> str:
    where = ", ".join(counted([plain(step.kind) for step in told.innermost(report)])[:3])
    if report.outcome == "interrupted":
        number = report.exit.signal if report.exit else None
        by = f"by {signal_name(number)}" if number else "without an end on record"
        return f"{by}, in {where}" if where else f"{by}, with no step in flight"
    if report.outcome == "in_progress":
        return f"now in {where}" if where else "no step in flight"
    steps = plural(report.steps_total, "step")
    if report.outcome == "ended":
        return f"{steps}; nobody witnessed its exit code"
    if report.outcome == "unknown":
        return f"{steps}; what is on record does not say how it ended"
    return f"{steps}{_handled(report) if report.outcome == 'completed' else ''}"


def _handled(report: RunReport) -> str:
    ran = (counts for kind, counts in report.ran.items() if kind not in NOT_COUNTED)
    failed = sum(counts.get(each, 0) for counts in ran for each in FAILURES)
    handled = len(report.handled_failures)
    if failed == handled:
        return f", {plural(failed, 'failure')} handled" if failed else ", none failed" * bool(report.steps_total)
    return f", {plural(failed, 'failure')}, {handled:,} of them known to be handled"


def _reason(stop: StopReason, width: int) -> str:
    what = plain(stop.error_type or "")
    message = plain(stop.message or "")
    said = f"{what}: {message}" if what and message else what or message or "no reason on record"
    place = f"  in {plain(stop.kind)}" if stop.kind else ""
    return clip(f"{clip(said, max(_ROOM, width - len(place)))}{place}", width)


def _head(report: RunReport, width: int) -> list[str]:
    name = plain(report.name or "run")
    attempt = f" · attempt {report.attempt} of {report.attempts}" if report.attempts > 1 else ""
    raw = [f"as given: {plain(report.raw_run_id)}"] if report.raw_run_id else []
    return [
        verdict(report, width),
        f"{name} · {plain(report.run_id)}{attempt}",
        f"{moment(report.started_at)} · {duration(report.duration_ns)} · {plural(report.steps_total, 'step')}",
        *raw,
    ]


def _stop(report: RunReport, width: int) -> list[str]:
    stop = report.stopped_because
    if stop is None:
        return []
    lines = ["Stopped because"]
    if stop.error_type:
        said = "(message not kept)" if stop.message is None else stop.message
        lines += wrapped(f"{plain(stop.error_type)}{': ' if said else ''}{plain(said)}", width, "  ", _MESSAGE_LINES)
    elif stop.message:
        lines += wrapped(plain(stop.message), width, "  ", _MESSAGE_LINES)
    if stop.step:
        lines.append(f"  first raised in {plain(stop.kind)} [{stop.step[:_ID]}]" if stop.error_type
                     else f"  told by {plain(stop.kind)} [{stop.step[:_ID]}]")  # fmt: skip
    elif stop.error_type:
        lines.append("  no step on record raised it")
    lines += [f"  {_VIA.get(each.via, each.via)} {plain(each.error_type)}{_at(each.step)}" for each in stop.trail
              if len(stop.trail) > 1]  # fmt: skip
    lines += [f"  while handling {plain(each.error_type)}{_at(each.step)}" for each in stop.while_handling]
    for each in stop.elsewhere:
        lines.append(f"  in another process under it: {plain(each.kind)} [{each.step[:_ID]}] {_cited(each.evidence)}")
        said = f"{plain(each.error_type or each.status)}{': ' + plain(each.message) if each.message else ''}"
        lines += wrapped(said, width, "    ", _FEW_LINES)
    return [*lines, f"  evidence: {', '.join(stop.evidence)}"]


_VIA: Final = {"end": "the run ended with", "cause": "caused by", "group": "which holds"}


def _at(step: str | None) -> str:
    return f" [{step[:_ID]}]" if step else ""


def _in_flight(report: RunReport) -> list[str]:
    if not report.in_flight:
        return []
    innermost = told.innermost(report)
    count = plural(len(report.in_flight), "step")
    lines = [f"In flight: {count} began and did not end; innermost" if report.outcome in _GOING_ON
             else f"Still open when the run ended: {count}; innermost"]  # fmt: skip
    lines += [f"  {plain(step.kind)} [{step.id[:_ID]}] since {moment(step.started_at)}  {', '.join(step.evidence)}"
              for step in innermost[:_LIST_LINES]]  # fmt: skip
    return lines + _rest(len(innermost))


def _tree(report: RunReport, width: int) -> list[str]:
    if not report.steps:
        return ["Steps: none on record"]
    omitted = f", {report.steps_omitted:,} omitted: shown are {report.steps_sample}" if report.steps_omitted else ""
    lines = [f"Steps ({report.steps_total:,}{omitted})"]
    found = list(rows(report.steps))
    names = {each.process: f"{plain(each.service or 'process')} · pid {each.pid}" for each in report.processes}
    several = len({step.process for step in report.steps}) > 1
    process: str | None = ""
    for row in found[:_TREE_LINES]:
        if several and row.steps[0].process != process:
            process = row.steps[0].process
            lines.append(f"  {names.get(process, 'a process without a name')}")
        lines.append(f"  {'  ' * several}{line(row, width - 2 - 2 * several)}")
    return lines + (["  … and more: --format json has them"] if len(found) > _TREE_LINES else [])


def _ran(report: RunReport) -> list[str]:
    if not report.ran:
        return []
    longest = max(len(plain(kind)) for kind in report.ran)
    return ["Ran", *(f"  {plain(kind):<{longest}}  {_counts(counts)}" for kind, counts in report.ran.items())]


def _counts(counts: dict[str, int]) -> str:
    order = ("completed", "failed", "timed_out", "in_flight")
    return ", ".join(f"{counts[status]:,} {status.replace('_', ' ')}" for status in order if counts.get(status))


def _absent(report: RunReport) -> list[str]:
    if not report.did_not_run:
        return []
    lines = ["Did not run"]
    for absent in report.did_not_run[:_LIST_LINES]:
        times = f" ({absent.count:,} times)" if absent.count > 1 else ""
        detail = f": {plain(absent.detail)}" if absent.detail else ""
        why = absent.why.replace("_", " ")
        lines.append(f"  {plain(absent.kind)}{times}  {why}{detail}  {_cited(absent.evidence)}")
    return lines + _rest(len(report.did_not_run))


def _handled_failures(report: RunReport, width: int) -> list[str]:
    recovered = {each.failed for each in report.recovered}
    return _failures("Handled failures", told.handled(report), len(report.handled_failures), recovered, width)


def _other_failures(report: RunReport, width: int) -> list[str]:
    steps = told.unexplained(report)
    return _failures("Failures of which it is not known whether they were handled", steps, len(steps), set(), width)


def _failures(head: str, steps: list[ReportStep], count: int, recovered: set[str], width: int) -> list[str]:
    lines: list[str] = []
    for step in steps[:_LIST_LINES]:
        then = "; a later one completed" if step.id in recovered else ""
        lines.append(f"  {plain(step.kind)} [{step.id[:_ID]}] {_cited(step.evidence)}{then}")
        if step.error:
            message = plain(step.error.message or "")
            lines += wrapped(f"{plain(step.error.type)}{': ' if message else ''}{message}", width, "    ", _FEW_LINES)
        elif step.detail:
            lines.append(f"    {plain(step.detail)}")
    return [f"{head} ({count:,})", *lines, *_rest(count)] if lines else []


def _logs(report: RunReport) -> list[str]:
    if not report.logs_total:
        return []
    loud = [log for log in report.logs if log.level in {"WARNING", "ERROR", "CRITICAL"}]
    lines = [
        f"  {_cited(log.evidence)}  {plain(log.level)} {plain(log.logger)}: {plain(log.text or '(text not kept)')}"
        for log in loud[:_LIST_LINES]
    ]
    return [f"Logs: {plural(report.logs_total, 'record')}", *lines, *_rest(len(loud))]


def _spans(report: RunReport) -> list[str]:
    if not report.spans_total:
        return []
    lines = []
    for span in report.spans[:_LIST_LINES]:
        end = "not ended" if span.duration_ns is None else duration(span.duration_ns)
        failed = "  FAILED" if span.status == "error" else ""
        lines.append(f"  {plain(span.payload.get('name') or span.id[:_ID])}{failed}  {end}  {_cited(span.evidence)}")
    return [f"Spans of others: {report.spans_total:,}", *lines, *_rest(report.spans_total)]


def _disagreements(report: RunReport) -> list[str]:
    lines = [f"  {_cited(each.evidence)}  [{plain(each.step)[:_ID]}] {plain(each.what)}"
             for each in report.disagreements[:_LIST_LINES]]  # fmt: skip
    rest = _rest(len(report.disagreements))
    return [f"Disagreements of ledger and spans ({len(report.disagreements):,})", *lines, *rest] if lines else []


def _own(report: RunReport, width: int) -> list[str]:
    lines: list[str] = []
    if report.warnings:
        lines += ["Warnings", *_notes([f"{_cited(each.evidence)}  {plain(each.message)}".strip()
                                       for each in report.warnings], width)]  # fmt: skip
    if report.hints:
        lines += ["Hints (not facts)", *_notes([plain(each.message) for each in report.hints], width)]
    return lines


def _notes(notes: list[str], width: int) -> list[str]:
    lines = [line for note in notes[:_LIST_LINES] for line in wrapped(note, width, "  ", _FEW_LINES)]
    return lines + _rest(len(notes))


def _ground(report: RunReport) -> list[str]:
    facts = report.integrity
    found = f"{plural(facts.records, 'record')} in {plural(facts.files, 'file')}"
    broken = [(facts.gaps, "gap"), (facts.bad_crc, "bad checksum"), (facts.torn_tail, "torn tail"),
              (facts.duplicates, "duplicate")]  # fmt: skip
    words = [plural(len(evidence), noun) for evidence, noun in broken if evidence]
    words += [f"{plural(facts.dropped, 'record')} dropped"] if facts.dropped else []
    state = {True: "complete", False: "NOT complete", None: "completeness unknown"}[facts.complete]
    lines = [f"Ledger: {state}, {found}{': ' + ', '.join(words) if words else ''}"]
    lines += [f"  {noun}: {_cited(evidence)}" for evidence, noun in broken if evidence]
    return lines + _writers(report)


def _writers(report: RunReport) -> list[str]:
    """Say which files are not closed, where that is what stands in the way of a complete ledger."""
    if report.integrity.complete:
        return []
    words = {True: "is still writing", None: "has not closed its file, and whether it lives cannot be known from here"}
    waiting = [each for each in report.processes if not each.closed and each.alive in words]
    return [f"  pid {each.pid} on {plain(each.host)} {words[each.alive]}  {_cited(each.evidence)}"
            for each in waiting[:_LIST_LINES]]  # fmt: skip


def _where_more_is(report: RunReport, names: dict[str, str]) -> list[str]:
    """Return what is meant to be copied, and so is never cut: the paths of what is cited, and a command."""
    found = (report.ledger_path or "").partition("/telemetry/runs/")
    folder = os.path.dirname(report.ledger_path or "")
    attempt = report.attempt if report.attempts > 1 else None
    command = report_command(report.run_id, found[0] if found[1] else None, attempt, "--format", "json")
    paths = [f"  {name}#n is record n of {plain(os.path.join(folder, os.path.basename(file)))}"
             for file, name in names.items() if folder]  # fmt: skip
    return [*paths, f"  all of it: {plain(command)}"]


def _cited(evidence: list[str]) -> str:
    shown = ", ".join(plain(each) for each in evidence[:3])
    return f"{shown}, …" if len(evidence) > 3 else shown  # noqa: PLR2004 - as many as were shown


def _rest(count: int) -> list[str]:
    return [f"  … and {count - _LIST_LINES:,} more"] if count > _LIST_LINES else []
