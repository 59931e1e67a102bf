# ruff: noqa: E501 - a line of markup is a line of the page
"""The list of runs as a page: each leads to its report."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from codeintel_obs.report.html_words import text
from codeintel_obs.report.render_html import part
from codeintel_obs.report.render_text import WORDS, because
from codeintel_obs.report.words import duration, moment
from codeintel_obs.report_model import RunReport

_BECAUSE: Final = 200


def render(reports: Iterable[RunReport]) -> str:
    """Return ``reports``, newest first, as a page without a script."""
    style = part("report.css")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    rows = "".join(map(_row, reports))
    content = f'<ul class="list">{rows}</ul>' if rows else "<p>No run is on record.</p>"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>Recorded runs</title>
<style>{style}</style>
</head>
<body>
<main class="wrap"><section aria-labelledby="runs"><h1 id="runs">Recorded runs, newest first</h1>{content}</section></main>
</body>
</html>
"""


def _row(report: RunReport) -> str:
    took = duration(report.duration_ns) if report.duration_ns is not None else "not ended"
    address = f"run/{quote(report.run_id, safe='', errors='replace')}/report?format=html"
    return (
        f'<li><span class="tag s-{report.outcome}">{text(WORDS[report.outcome].lower())}</span>'
        f'<a class="kind" href="{address}">{text(report.name or "run", 120)}</a><span class="ev">{text(report.run_id)}</span>'
        f'<span class="note push">{text(moment(report.started_at))} · {text(took)} · {report.steps_total:,} steps</span>'
        f'<span class="said">{text(because(report, _BECAUSE))}</span></li>'
    )
