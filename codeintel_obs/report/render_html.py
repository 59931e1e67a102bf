"""A Run Report as one HTML file that needs no network: the verdict in plain markup, the steps drawn by a script within.

The page's policy allows the one script and the one style sheet by their hashes, and nothing from anywhere. All foreign
text is escaped, and what could steer a reader's eye is spelled out. The report's JSON lies in the page, whole.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Final

import msgspec

from codeintel_obs.report.html_sections import body
from codeintel_obs.report.html_words import text
from codeintel_obs.report.render_text import verdict
from codeintel_obs.report_model import RunReport

SCRIPTS: Final = (
    "base.js", "model.js", "list.js", "timeline.js", "rows.js", "drawer.js", "app.js",
)  # fmt: skip
_TITLE: Final = 120
# What ends a script element, and what is not seen where it stands: all of it can be written as an escape in JSON.
_UNSAFE: Final = re.compile("[<>&\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff9-\ufffb]")


def render(report: RunReport, records: Mapping[str, str] | None = None) -> str:
    """Return ``report`` as a page; ``records`` are lines of the ledger by their evidence, to be looked at in it."""
    style, script = part("report.css"), _script()
    head = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy()}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        '<meta name="color-scheme" content="light dark">',
        '<meta name="robots" content="noindex">',
        '<link rel="icon" href="data:,">',
        f"<title>{text(verdict(report, _TITLE))} · {text(report.run_id)}</title>",
        f"<style>{style}</style>",
        "</head>",
    ]
    data = [
        f'<script type="application/json" id="records">{embedded(dict(sorted((records or {}).items())))}</script>',
        f'<script type="application/json" id="report">{embedded(report)}</script>',
        f"<script>{script}</script>",
    ]
    return "\n".join([*head, body(report), *data, "</body>", "</html>"]) + "\n"


def policy() -> str:
    """Return the page's Content Security Policy: our own script and style by hash, nothing else."""
    return (
        f"default-src 'none'; script-src '{_hash(_script())}'; style-src '{_hash(part('report.css'))}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def embedded(value: Any) -> str:
    """Return ``value`` as JSON that can stand in a script element and holds no letter that is not seen."""
    try:
        encoded = msgspec.json.encode(value).decode()
    except UnicodeEncodeError:  # half of a surrogate pair, which only an escape can hold
        encoded = json.dumps(msgspec.to_builtins(value), separators=(",", ":"))
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", encoded)


@cache
def part(name: str) -> str:
    """Return a file of the page, as it ships with the package."""
    return (resources.files("codeintel_obs.report") / "html" / name).read_text(encoding="utf-8")


@cache
def _script() -> str:
    return "\n".join(['(() => {\n"use strict";', *map(part, SCRIPTS), "})();"])


@cache
def _hash(content: str) -> str:
    digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
    return f"sha256-{digest}"
