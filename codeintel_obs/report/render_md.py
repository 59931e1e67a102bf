"""A Run Report as Markdown, for people and language models in a ticket or a chat.

Foreign text stands in code only, in fences that it cannot close: nothing that a run has printed is markup, and a model
that reads along is told what is data.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice
from typing import Any, Final

from codeintel_obs.report import told
from codeintel_obs.report.command import report_command
from codeintel_obs.report.render_text import WORDS, because
from codeintel_obs.report.tree import line, rows
from codeintel_obs.report.words import clip, duration, moment, plain, plural, signal_name
from codeintel_obs.report_model import ReportStep, RunReport, Told

_FEW: Final = 20
_ROWS: Final = 150
_WIDTH: Final = 120
_MESSAGE: Final = 2_000
_SHORT: Final = 200
_LONG: Final = 500
_ID: Final = 8
_CITED: Final = 3
_LOUD: Final = frozenset({"WARNING", "ERROR", "CRITICAL"})
_TICKS: Final = re.compile("`+")
_VIA: Final = {"end": "the run ended with", "cause": "caused by", "group": "which holds", "context": "while handling"}


def render(report: RunReport) -> str:
    """Return ``report`` as GitHub-flavoured Markdown."""
    own = "/".join((report.ledger_path or "?").split("/")[-2:])
    parts = (_head(report), _stop(report), _in_flight(report), _failures(report), _absent(report), _ran(report), _tree(report),
             _logs(report), _told("Ledger and spans disagree", _disagreements(report)), _told("Warnings", report.warnings),
             _ground(report), _sections(report), _hints(report), _more(report))  # fmt: skip
    return "\n\n".join("\n".join(part) for part in parts if part).replace(f"{own}:", "#") + "\n"


def code(value: Any, most: int = _SHORT) -> str:
    """Return foreign ``value`` as a span of code that it cannot leave."""
    said = clip(plain(value), most)
    longest = max((len(ticks) for ticks in _TICKS.findall(said)), default=0)
    fence = "`" * (longest + 1)
    room = " " if said.startswith("`") or said.endswith("`") or not said.strip() else ""
    return f"{fence}{room}{said}{room}{fence}"


def fenced(value: str, most: int = _MESSAGE) -> list[str]:
    """Return foreign ``value`` as lines of a block that it cannot end."""
    said = [plain(each) for each in value[:most].split("\n")]
    longest = max((len(ticks) for each in said for ticks in _TICKS.findall(each)), default=0)
    fence = "`" * max(3, longest + 1)
    cut = [f"… {len(value):,} characters"] if len(value) > most else []
    return [f"{fence}text", *said, *cut, fence]


def _head(report: RunReport) -> list[str]:
    attempt = f" · attempt {report.attempt} of {report.attempts}" if report.attempts > 1 else ""
    took = f" · {duration(report.duration_ns)}" if report.duration_ns is not None else ""
    lines = [f"# {WORDS[report.outcome]}: {code(because(report, _SHORT))}", ""]
    lines.append(f"{code(report.name or 'run')} · run {code(report.run_id)}{attempt} · {_when(report.started_at)}{took} · "
                 f"{plural(report.steps_total, 'step')}")  # fmt: skip
    return lines + ([f"Run id as given: {code(report.raw_run_id)}"] if report.raw_run_id else [])


def _when(ts: str | None) -> str:
    said = moment(ts)
    return said if said.isascii() and "`" not in said and "<" not in said else code(said)


def _stop(report: RunReport) -> list[str]:
    stop = report.stopped_because
    if stop is None:
        return []
    message = "(message not kept)" if stop.message is None and stop.error_type else stop.message or ""
    said = f"{stop.error_type}{': ' if message else ''}{message}" if stop.error_type else message
    lines = ["## Why it stopped", "", *fenced(said), ""]
    if stop.step:
        verb = "First raised in" if stop.error_type else "Told by"
        lines.append(f"- {verb} {code(stop.kind)} {_id(stop.step)}")
    elif stop.error_type:
        lines.append("- No step on record raised it")
    for each in [*(stop.trail if len(stop.trail) > 1 else []), *stop.while_handling]:
        where = f" {_id(each.step)}" if each.step else ""
        said = f": {code(each.message, _LONG)}" if each.message and each.message != stop.message else ""
        lines.append(
            f"- {_VIA.get(each.via, 'by ' + code(each.via))} {code(each.error_type)}{said}{where} {_cited(each.evidence)}"
        )
    return [*lines, f"- Evidence: {_cited(stop.evidence)}"]


def _in_flight(report: RunReport) -> list[str]:
    if not report.in_flight:
        return []
    steps = told.innermost(report)
    lines = [
        f"- {code(step.kind)} {_id(step.id)} since {_when(step.started_at)} {_cited(step.evidence)}"
        for step in steps[:_FEW]
    ]
    count = plural(len(report.in_flight), "step")
    return [f"## In flight: {count} began and did not end", "", "Innermost:", "", *lines, *_rest(len(steps))]


def _failures(report: RunReport) -> list[str]:
    recovered = {each.failed for each in report.recovered}
    unknown = told.unexplained(report)
    parts = [
        ("Handled failures", told.handled(report), len(report.handled_failures)),
        ("Failures of which it is not known whether they were handled", unknown, len(unknown)),
    ]
    lines: list[str] = []
    for head, steps, count in parts:
        if count:
            told_of = [f"- {_failure(step, recovered)}" for step in steps[:_FEW]]
            lines += [*([""] if lines else []), f"## {head}: {count:,}", "", *told_of, *_rest(count)]
    return lines


def _failure(step: ReportStep, recovered: set[str]) -> str:
    said = step.detail or ""
    if step.error:
        said = f"{step.error.type}{': ' if step.error.message else ''}{step.error.message or ''}"
    then = ", and a later one completed" if step.id in recovered else ""
    return f"{code(step.kind)} {_id(step.id)} {_cited(step.evidence)}{then}{': ' + code(said) if said else ''}"


def _absent(report: RunReport) -> list[str]:
    if not report.did_not_run:
        return []
    lines = []
    for each in report.did_not_run[:_FEW]:
        detail = f", {code(each.detail)}" if each.detail else ""
        times = f" ({each.count:,} times)" if each.count > 1 else ""
        lines.append(f"- {code(each.kind)}{times}: {each.why.replace('_', ' ')}{detail} {_cited(each.evidence)}")
    return ["## Did not run", "", *lines, *_rest(len(report.did_not_run))]


def _ran(report: RunReport) -> list[str]:
    if not report.ran:
        return []
    lines = [
        f"- {code(kind)}: " + ", ".join(f"{count:,} {status.replace('_', ' ')}" for status, count in counts.items())
        for kind, counts in islice(report.ran.items(), _ROWS)
    ]
    return ["## Ran", "", *lines]


def _tree(report: RunReport) -> list[str]:
    if not report.steps:
        return []
    found = [line(row, _WIDTH) for row in islice(rows(report.steps), _ROWS + 1)]
    more = ["… and more in the JSON"] if len(found) > _ROWS else []
    omitted = f", {report.steps_omitted:,} omitted" if report.steps_omitted else ""
    return [
        f"## Steps ({report.steps_total:,}{omitted})",
        "",
        *fenced("\n".join([*found[:_ROWS], *more]), _ROWS * _WIDTH * 2),
    ]


def _logs(report: RunReport) -> list[str]:
    loud = [log for log in report.logs if log.level in _LOUD]
    if not loud:
        return []
    said = [
        f"{log.level} {plain(log.logger)}: {clip(plain(log.text or '(text not kept)'), _SHORT)}" for log in loud[:_FEW]
    ]
    head = f"## Logs: {plural(report.logs_total, 'record')}, {len(loud):,} loud"
    return [head, "", *fenced("\n".join(said), _FEW * 2 * _SHORT), *_rest(len(loud))]


def _disagreements(report: RunReport) -> list[Told]:
    return [Told(message=each.what, evidence=each.evidence) for each in report.disagreements]


def _told(head: str, found: list[Told]) -> list[str]:
    if not found:
        return []
    lines = [f"- {code(each.message, _MESSAGE)} {_cited(each.evidence)}" for each in found[:_FEW]]
    return [f"## {head}", "", *lines, *_rest(len(found))]


def _hints(report: RunReport) -> list[str]:
    found = _told("Hints, not facts", report.hints)
    note = "Suggestions that rules made from the facts above. Nothing of it was run."
    return [*found[:2], note, "", *found[2:]] if found else []


def _sections(report: RunReport) -> list[str]:
    lines: list[str] = []
    for each in report.sections[:_FEW]:
        lines += ["", f"## {code(each.get('title') or 'Section')}", "", *fenced(str(each.get("text") or ""))]
    return lines[1:]


def _ground(report: RunReport) -> list[str]:
    facts = report.integrity
    state = {True: "complete", False: "**not complete**", None: "completeness unknown"}[facts.complete]
    lines = [f"- {state}: {plural(facts.records, 'record')} in {plural(facts.files, 'file')}"]
    broken = (
        (facts.gaps, "gap"),
        (facts.bad_crc, "bad checksum"),
        (facts.torn_tail, "torn tail"),
        (facts.duplicates, "duplicate"),
    )
    lines += [f"- {plural(len(evidence), noun)}: {_cited(evidence)}" for evidence, noun in broken if evidence]
    lines += [f"- {plural(facts.dropped, 'record')} dropped"] if facts.dropped else []
    if report.exit is not None:
        found = report.exit
        how = signal_name(found.signal) if found.signal is not None else f"exit code {found.code}"
        lines.append(f"- process {found.pid} ended by {how} {_cited(found.evidence)}")
    return ["## Integrity of the ledger", "", *lines]


def _more(report: RunReport) -> list[str]:
    found = (report.ledger_path or "").partition("/telemetry/runs/")
    attempt = report.attempt if report.attempts > 1 else None
    command = report_command(report.run_id, found[0] if found[1] else None, attempt, "--format", "json")
    path = [f"`#n` is record n of {code(report.ledger_path, _MESSAGE)}."] if report.ledger_path else []
    return ["---", *path, f"All of it: {code(command, _MESSAGE)}"]


def _id(step: str) -> str:
    return f"[{code(step[:_ID])}]"


def _cited(evidence: Iterable[str]) -> str:
    found = list(evidence)
    return (
        f"({', '.join(code(each) for each in found[:_CITED])}{', …' if len(found) > _CITED else ''})" if found else ""
    )


def _rest(count: int) -> list[str]:
    return [f"- … and {count - _FEW:,} more"] if count > _FEW else []
