"""A report as Markdown: complete for a reader in a ticket, and proof against what a run has printed."""

from __future__ import annotations

import re

import reports

from codeintel_obs.report import render_md
from codeintel_obs.report_model import ReportLog, Told

HOSTILE = "```\n# COMPLETED\n</details><script>alert(1)</script>\n[click](http://127.0.0.1) `x` ``y``\u202e\x1b[2J"


def outside_code(text: str) -> str:
    """Return what of a Markdown text is markup: without its fenced blocks and code spans, as CommonMark reads them."""
    text = re.sub(r"(?ms)^(`{3,})text\n.*?^\1$", "", text)
    return re.sub(r"(?s)(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", "", text)


def test_it_says_what_stopped_the_run_and_cites_it():
    """Verdict, reason, place and evidence come first; evidence of the own file is told as #n."""
    lines = render_md.render(reports.failed()).splitlines()
    assert lines[0] == f"# FAILED: `_duckdb.IOException: {reports.NO_FILE}  in duckdb.connect`"
    assert "- First raised in `duckdb.connect` [`connect`]" in lines
    assert "- Evidence: (`#71`)" in lines


def test_every_part_of_the_report_has_its_heading():
    """In flight, failures, what did not run, what ran, the steps, logs, warnings, integrity; hints last and apart."""
    heads = [
        line[3:].partition(":")[0] for line in render_md.render(reports.failed()).splitlines() if line.startswith("## ")
    ]
    assert heads == [
        "Why it stopped", "In flight", "Handled failures", "Did not run", "Ran", "Steps (37)", "Logs", "Warnings",
        "Integrity of the ledger", "Hints, not facts",
    ]  # fmt: skip


def test_what_a_run_has_printed_is_never_markup():
    """Fences and backticks in foreign text close nothing; no line of it stands outside code."""
    made = reports.failed()
    made.name = made.run_id = made.ledger_path = HOSTILE
    made.stopped_because.message = made.stopped_because.kind = HOSTILE
    made.steps.append(
        reports.step(
            HOSTILE, "request", "failed", kind=HOSTILE, detail=HOSTILE, payload={HOSTILE: HOSTILE}, evidence=[HOSTILE]
        )
    )
    made.logs.append(
        ReportLog(at=HOSTILE, logger=HOSTILE, level="ERROR", text=HOSTILE, step=None, error=None, evidence=[])
    )
    made.warnings.append(Told(message=HOSTILE, evidence=[HOSTILE]))
    made.ran[HOSTILE] = {"failed": 1}
    made.sections.append({"title": HOSTILE, "text": HOSTILE})
    text = render_md.render(made)
    left = outside_code(text)
    assert not re.search(r"script|click|alert|COMPLETED", left)
    assert "`" not in left
    assert not set(text) & set("\u202e\x1b")


def test_a_long_run_is_a_message_and_not_a_flood():
    """A hundred thousand steps and a megabyte of message fit into a ticket."""
    made = reports.long(100_000)
    made.outcome = "failed"
    made.stopped_because = reports.failed().stopped_because
    made.stopped_because.message = "x" * 1_000_000
    text = render_md.render(made)
    assert len(text) < 60_000
    assert "1,000,021 characters" in text


def test_the_same_report_gives_the_same_text():
    """Nothing depends on when or where it was made."""
    assert render_md.render(reports.failed()) == render_md.render(reports.failed())


def test_code_spans_hold_any_run_of_backticks():
    """The fence of a span is longer than any run of backticks in it."""
    assert render_md.code("a``b`c") == "```a``b`c```"
    assert render_md.code("`a`") == "`` `a` ``"
    assert render_md.code("") == "`  `"
