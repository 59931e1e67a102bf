# ruff: noqa: E501 - a line of markup is a line of the page
"""The page's body: the verdict, the way through it, every section, and the empty places that the script fills."""

from __future__ import annotations

from itertools import islice
from typing import Final

from codeintel_obs.report import html_facts as facts
from codeintel_obs.report.html_words import element, icon, shortened, text
from codeintel_obs.report.render_text import WORDS, because
from codeintel_obs.report.tree import line, rows
from codeintel_obs.report.words import duration, moment, plural
from codeintel_obs.report_model import RunReport

_HEADLINE: Final = 400
_PLAIN_ROWS: Final = 300
_PLAIN_WIDTH: Final = 120

# Drawn by hand on a grid of 24, so that no font and no image is needed.
_ICONS: Final = {
    "completed": '<path d="M4 12.5l5 5L20 6.5"/>',
    "failed": '<path d="M5 5l14 14M19 5L5 19"/>',
    "timed_out": '<circle cx="12" cy="13" r="8"/><path d="M12 8.5V13l3 2M9 2h6"/>',
    "in_flight": '<path d="M12 3a9 9 0 1 0 9 9" stroke-dasharray="3.4 3"/><path d="M12 7v5l3 2"/>',
    "skipped": '<path d="M4 5l8 7-8 7zM17 5v14"/>',
    "interrupted": '<path d="M13 2L5 13.5h6L10 22l9-12h-6.5z"/>',
    "in_progress": '<circle cx="12" cy="12" r="9"/><path d="M10 8l6 4-6 4z"/>',
    "ended": '<circle cx="12" cy="12" r="9"/><path d="M8 12h8"/>',
    "unknown": '<circle cx="12" cy="12" r="9"/><path d="M9.5 9.2a2.6 2.6 0 1 1 3.6 2.6c-.8.4-1.1.9-1.1 1.8M12 17h.01"/>',
    "caret": '<path d="M8 4l9 8-9 8"/>',
    "close": '<path d="M5 5l14 14M19 5L5 19"/>',
    "up": '<path d="M5 15l7-7 7 7"/>',
    "down": '<path d="M5 9l7 7 7-7"/>',
    "theme": '<circle cx="12" cy="12" r="9"/><path d="M12 3a9 9 0 0 1 0 18z" fill="currentColor"/>',
}


def body(report: RunReport) -> str:
    """Return the page's body up to its scripts."""
    sections = [section for section in (build(report) for build in _SECTIONS) if section]
    own = "/".join((report.ledger_path or "?").split("/")[-2:])
    markup = "\n".join([
        "<body>",
        '<a class="skip" href="#main">Skip to the report</a>',
        _icons(),
        _header(report),
        _nav(report),
        '<main id="main" class="wrap" tabindex="-1">',
        *sections,
        "</main>",
        _footer(report),
        _drawer(),
    ])  # fmt: skip
    return shortened(markup, own)


def _icons() -> str:
    symbols = "".join(f'<symbol id="i-{name}" viewBox="0 0 24 24">{drawn}</symbol>' for name, drawn in _ICONS.items())
    return f'<svg class="icons" aria-hidden="true">{symbols}</svg>'


def _header(report: RunReport) -> str:
    word = f"{icon(report.outcome)}{text(WORDS[report.outcome].lower())}"
    headline = because(report, _HEADLINE)
    stop = report.stopped_because
    place = ""
    if stop is not None and stop.kind and headline.endswith(f"  in {stop.kind}"):
        headline, place = headline.removesuffix(f"  in {stop.kind}"), f'<p class="where">in {text(stop.kind)}</p>'
    return (
        f'<header class="verdict o-{report.outcome}"><div class="wrap"><div class="top"><div>'
        f'<p class="outcome s-{report.outcome}">{word}</p><h1>{text(headline)}</h1>{place}</div>'
        f'<button class="btn icon-only" id="theme" type="button" aria-label="Switch between light and dark" hidden data-js>'
        f"{icon('theme')}</button></div>{_facts(report)}</div></header>"
    )


def _facts(report: RunReport) -> str:
    complete = {True: "complete", False: "NOT complete", None: "completeness unknown"}[report.integrity.complete]
    told = [
        ("Run", f"<code>{text(report.run_id)}</code>", "wide"),
        ("Name", text(report.name or "-"), "wide"),
        ("Began", text(moment(report.started_at)), None),
        ("Took", text(duration(report.duration_ns)) if report.duration_ns is not None else "not ended", None),
        ("Steps", f"{report.steps_total:,}", None),
        ("Ledger", complete, None),
    ]
    if report.attempts > 1:
        told.append(("Attempt", f"{report.attempt} of {report.attempts}", None))
    if report.raw_run_id:
        told.append(("Run id as given", text(report.raw_run_id, 200), "wide"))
    pairs = "".join(element("div", f"<dt>{name}</dt><dd>{said}</dd>", cls=cls) for name, said, cls in told)
    return f'<dl class="facts">{pairs}</dl>'


def _nav(report: RunReport) -> str:
    failures = facts.failure_count(report)
    places = [
        ("stop", "Why it stopped", None, report.stopped_because is not None),
        ("in-flight", "In flight", len(report.in_flight), bool(report.in_flight)),
        ("failures", "Failures", failures, failures > 0),
        ("absent", "Did not run", len(report.did_not_run), bool(report.did_not_run)),
        ("hints", "Hints", len(report.hints), bool(report.hints)),
        ("steps", "Steps", report.steps_total, True),
        ("logs", "Logs", report.logs_total, report.logs_total > 0),
        ("ground", "Integrity", None, True),
    ]
    links = "".join(
        f'<li><a href="#{where}">{name}{"" if count is None else f"<span class=n> {count:,}</span>"}</a></li>'
        for where, name, count, there in places
        if there
    )
    return f'<nav aria-label="Sections"><div class="wrap"><ul>{links}</ul></div></nav>'


def _explorer(report: RunReport) -> str:
    omitted = ""
    if report.steps_omitted:
        omitted = f"<p class=note>{report.steps_omitted:,} omitted; shown are {text(report.steps_sample)}.</p>"
    return f"""<section id="steps" aria-labelledby="steps-h">
<h2 id="steps-h">Steps <span class="n">{report.steps_total:,}</span></h2>{omitted}
<noscript><p class="note">Without its script the page shows the steps as text.</p>
<pre class="tree" tabindex="0">{_plain_tree(report)}</pre></noscript>
<div hidden data-js>
<div class="bar" role="search" aria-label="Filter the steps">
<input id="search" type="search" placeholder="Search kinds, payloads, errors, ids" aria-label="Search the steps" autocomplete="off" spellcheck="false">
<select id="kind" aria-label="Kind of step"><option value="">All kinds</option></select>
<div class="chips" id="chips" role="group" aria-label="Status"></div>
<span class="count" id="count" role="status"></span>
</div>
<div class="overview" id="overview"><canvas id="canvas" role="img" height="40"></canvas></div>
<div class="bar tools">
<button class="btn" id="closer" type="button" disabled>Zoom to step</button>
<button class="btn" id="whole" type="button" disabled>Whole run</button>
<button class="btn" id="expand" type="button">Expand all</button>
<button class="btn" id="collapse" type="button">Collapse all</button>
</div>
<p class="legend"><span><i class="swatch b-completed"></i>completed</span><span><i class="swatch b-failed"></i>failed</span>
<span><i class="swatch b-timed_out"></i>timed out</span><span class="always"><i class="swatch b-in_flight"></i>in flight: began, no end on record</span>
<span><i class="swatch b-skipped"></i>skipped</span></p>
<div class="explorer"><div class="axis" aria-hidden="true"><span>Step</span><span class="ticks" id="ticks"></span><span class="took">Took</span></div>
<div class="viewport" id="tree" role="tree" tabindex="0" aria-label="Steps. Arrow keys move, Enter opens a step."></div>
<p class="nothing" id="nothing" hidden>No step matches.</p></div>
</div></section>"""


def _plain_tree(report: RunReport) -> str:
    shown = [text(line(row, _PLAIN_WIDTH)) for row in islice(rows(report.steps), _PLAIN_ROWS)]
    return "\n".join(shown) + ("\n… and more in the JSON" if len(shown) == _PLAIN_ROWS else "")


def _logs(report: RunReport) -> str:
    if not report.logs_total:
        return ""
    fewer = f"; {plural(len(report.logs), 'record')} kept here" if len(report.logs) < report.logs_total else ""
    return f"""<section id="logs" aria-labelledby="logs-h"><h2 id="logs-h">Logs <span class="n">{report.logs_total:,}{fewer}</span></h2>
<noscript><ul class="list">{facts.plain_logs(report)}</ul></noscript>
<div hidden data-js><div class="bar" role="search" aria-label="Filter the logs">
<input id="log-search" type="search" placeholder="Search logs" aria-label="Search the logs" autocomplete="off" spellcheck="false">
<select id="log-level" aria-label="Level"><option value="">All levels</option></select>
<span class="count" id="log-count" role="status"></span></div>
<div class="explorer"><div class="viewport" id="log-list" role="listbox" tabindex="0" aria-label="Log records. Arrow keys move, Enter opens one."></div></div></div></section>"""


def _drawer() -> str:
    def button(name: str, drawn: str, label: str) -> str:
        return f'<button class="btn icon-only" id="drawer-{name}" type="button" aria-label="{label}">{icon(drawn)}</button>'

    return (
        '<dialog class="drawer" id="drawer" aria-labelledby="drawer-title"><header><h2 id="drawer-title" tabindex="-1"></h2>'
        f"{button('previous', 'up', 'Previous step')}{button('next', 'down', 'Next step')}{button('close', 'close', 'Close')}"
        '</header><div class="body" id="drawer-body"></div></dialog>'
    )


def _footer(report: RunReport) -> str:
    path = f" <code>#n</code> is record n of <code>{text(report.ledger_path)}</code>." if report.ledger_path else ""
    return (
        f'<footer class="wrap"><p>Every statement cites the record that proves it, as <code>day/file:n</code>.{path} '
        f"Schema <code>{text(report.schema)}</code>; the report's JSON is in this page, in the element <code>#report</code>.</p></footer>"
    )


_SECTIONS: Final = (
    facts.stop, facts.in_flight, facts.failures, facts.absent, facts.hints, _explorer, _logs, facts.ran, facts.ground,
    facts.disagreements, facts.warnings, facts.spans, facts.processes, facts.plugins, facts.sections,
)  # fmt: skip
