# ruff: noqa: E501 - a line of script is a line
"""The page of a report, in a real headless Chromium: what it says, how it is worked, and what it refuses to do."""

from __future__ import annotations

import json

import processes
import pytest
import reports
from chromium import browsing

from codeintel_obs.report import render_html
from codeintel_obs.report.html_words import text
from codeintel_obs.report_model import DidNotRun, Raised, ReportError, ReportLog, Told

ATTACK = '</script><script>window.pwned=1</script><img src="http://127.0.0.1:9/x" onerror="window.pwned=2">'
BIDI = "safe\u202egpj.exe\u2066\u2028\x1b[2J\ud800end"
CONTRAST = """(() => {
  const numbers = (colour) => {
    const pen = Object.assign(document.createElement('canvas'), {width: 1, height: 1}).getContext('2d');
    pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data];
  };
  const light = (c) => [0, 1, 2].map((i) => c[i] / 255).map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let here = element; here; here = here.parentElement) {
      const colour = numbers(getComputedStyle(here).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return numbers(getComputedStyle(document.body).backgroundColor);
  };
  const poor = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !element.checkVisibility() || element.closest('script,svg,.sr,noscript,option,:disabled')) continue;
    const [one, other] = [light(numbers(getComputedStyle(element).color)), light(behind(element))].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (other + 0.05);
    if (ratio < 4.5) poor.push([element.tagName, element.className, element.textContent.slice(0, 30), ratio]);
  }
  return poor;
})()"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with browsing(tmp_path_factory.mktemp("chromium")) as page:
        yield page


@pytest.fixture
def page(browser):
    """The browser as a person would have it at a desk, in the light."""
    browser.size(1440, 900)
    browser.prefers(prefers_color_scheme="light")
    browser.events.clear()
    yield browser
    browser.call("Emulation.setScriptExecutionDisabled", value=False)
    assert browser.problems() == []


def opened(page, folder, made, records=None):
    file = folder / "report.html"
    file.write_text(render_html.render(made, records), encoding="utf-8")
    page.open(file.as_uri())
    return page


def shown(page, selector):
    return page.js(f"[...document.querySelectorAll({json.dumps(selector)})].map((each) => each.innerText)")


def rows(page):
    return page.js(
        "[...document.querySelectorAll('#tree [data-at]')].map((row) => row.querySelector('.kind').innerText)"
    )


def found(page, count):
    page.until(f"document.getElementById('count').innerText.startsWith('{count} of')")


def test_the_verdict_and_what_stopped_the_run_stand_first(page, tmp_path):
    """The word, the reason and its place are the header; the reason's step and evidence are links to that step."""
    opened(page, tmp_path, reports.failed())
    assert shown(page, ".outcome, h1, .where") == [
        "FAILED",
        f"_duckdb.IOException: {reports.NO_FILE}",
        "in duckdb.connect",
    ]
    assert "in duckdb.connect" in shown(page, "header")[0]
    links = page.js("[...document.querySelectorAll('#stop a')].map((a) => [a.innerText, a.getAttribute('href')])")
    assert ["duckdb.connect", "#step=connect"] in links
    assert ["#71", "#step=connect"] in links


def test_a_link_to_evidence_opens_the_step_with_its_records_as_written(page, tmp_path):
    """The drawer has what the report says of the step and the very line of the ledger."""
    line = '{"v":1,"n":71,"event":"step.end","crc":"0a1b2c3d"}'
    opened(page, tmp_path, reports.failed(), {reports.cite(71)[0]: line})
    page.js("[...document.querySelectorAll('#stop .ev[href]')].pop().click()")
    page.until("document.getElementById('drawer').open")
    drawer = shown(page, "#drawer")[0]
    assert line in drawer
    assert "why the run stopped" in drawer
    assert reports.NO_FILE in drawer
    assert page.js("location.hash") == "#step=connect"


def test_the_page_asks_the_network_for_nothing(page, tmp_path):
    """One file is the whole page, and its policy forbids any other source."""
    opened(page, tmp_path, reports.failed())
    assert [each for each in page.requests() if not each.startswith("data:")] == [(tmp_path / "report.html").as_uri()]
    blocked = "fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')"
    assert page.js(blocked) == "refused"
    page.events.clear()  # that refusal is an error on the console, and was wanted


def test_foreign_text_is_never_markup(page, tmp_path):
    """Whatever the ledger holds is shown as text, wherever it stands; what cannot be seen is spelled out."""
    bad = f"{ATTACK} {BIDI}"
    error = ReportError(type=bad, message=bad, id=bad)
    raised = Raised(error_id=bad, error_type=bad, via=bad, step=bad, evidence=[bad])
    made = reports.failed()
    made.run_id = made.name = made.raw_run_id = made.ledger_path = bad
    made.stopped_because.message = made.stopped_because.kind = made.stopped_because.error_type = bad
    made.stopped_because.trail = made.stopped_because.while_handling = [raised, raised]
    made.steps.append(
        reports.step(bad, "request", "failed", kind=bad, detail=bad, payload={bad: bad}, error=error, evidence=[bad])
    )
    made.logs.append(ReportLog(at=bad, logger=bad, level=bad, text=bad, step=bad, error=error, evidence=[bad]))
    made.did_not_run.append(DidNotRun(kind=bad, why="skipped", detail=bad, count=1, evidence=[bad]))
    made.hints.append(Told(message=bad, evidence=[bad]))
    made.ran[bad] = {"failed": 1}
    made.sections.append({"title": bad, "text": bad})
    opened(page, tmp_path, made, {bad: bad})
    page.js(f"location.hash = '#step=' + encodeURIComponent({json.dumps(bad.replace(chr(0xD800), ''))})")
    page.js("document.querySelectorAll('#tree [data-at]').forEach((row) => row.click())")
    assert page.js("window.pwned") is None
    assert page.js("document.querySelectorAll('img, body script:not([id])').length") == 1  # our own script
    source = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not set(source) & set("\u202e\u2066\u2028\x1b")
    assert "\\u202e" in shown(page, "#stop .message")[0]
    assert page.js("!/[\\u202e\\u2066]/.test(document.body.innerText)")


def test_a_megabyte_of_payload_is_shown_when_it_is_asked_for(page, tmp_path):
    """A row holds its beginning, the drawer a page of it, and all of it only on demand."""
    made = reports.report(steps=[reports.step("big", payload={"sql": "x" * 1_000_000})])
    opened(page, tmp_path, made)
    page.js("document.querySelector('#tree [data-at]').click()")
    assert page.js("document.getElementById('drawer').innerText.length") < 60_000
    page.js(
        "[...document.querySelectorAll('#drawer .btn')].find((each) => each.innerText.startsWith('Show all')).click()"
    )
    assert page.js("document.querySelector('#drawer pre').textContent.length") > 1_000_000


def test_a_hundred_thousand_steps_are_a_few_rows_at_a_time(page, tmp_path):
    """Only what is in sight exists; the end is a key away; a search gives way to the page while it runs."""
    opened(page, tmp_path, reports.long(100_000))
    assert page.js("document.querySelectorAll('*').length") < 3_000
    assert "100,000 steps" in shown(page, "#count")[0]
    page.js("document.getElementById('tree').focus()")
    page.press("End")
    assert page.js("document.querySelector('#tree [aria-selected=true]').innerText").startswith("in flight")
    page.js("window.turns = 0; window.beat = setInterval(() => window.turns++, 0)")
    page.js(
        "(() => { const s = document.getElementById('search'); s.value = 'part-16'; s.dispatchEvent(new Event('input')); })()"
    )
    page.until("document.getElementById('count').innerText.endsWith('match')")
    assert page.js("clearInterval(window.beat) || window.turns") > 2
    assert shown(page, "#count")[0] == "5,876 of 100,000 steps match"
    assert page.js("document.querySelectorAll('*').length") < 3_000


def test_steps_are_found_by_status_kind_and_words(page, tmp_path):
    """Filters add up; the steps around a match stay as its context; clearing them brings everything back."""
    opened(page, tmp_path, reports.failed())
    page.js("document.querySelector('#chips .chip').click()")  # failed
    found(page, 3)
    assert rows(page) == ["http.request", "retrieval.gather_channels", "bm25.search", "duckdb.connect"]
    assert page.js("document.querySelectorAll('#tree .context').length") == 1
    page.js(
        "(() => { const s = document.getElementById('search'); s.value = 'BM25/index'; s.dispatchEvent(new Event('input')); })()"
    )
    found(page, 1)
    page.js("document.querySelector('#chips .chip').click()")
    page.js(
        "(() => { const s = document.getElementById('search'); s.value = ''; s.dispatchEvent(new Event('input')); })()"
    )
    page.until("document.getElementById('count').innerText === '37 steps'")
    page.js(
        "(() => { const k = document.getElementById('kind'); k.value = 'faiss.search'; k.dispatchEvent(new Event('change')); })()"
    )
    found(page, 30)


def test_a_search_without_a_match_says_so(page, tmp_path):
    """Nothing found is said in words, and announced."""
    opened(page, tmp_path, reports.failed())
    page.js(
        "(() => { const s = document.getElementById('search'); s.value = 'zebra'; s.dispatchEvent(new Event('input')); })()"
    )
    found(page, 0)
    assert shown(page, "#nothing") == ["No step matches."]
    assert page.js("document.getElementById('count').getAttribute('role')") == "status"


def test_a_row_of_equal_quiet_steps_is_one_line_until_it_is_opened(page, tmp_path):
    """Thirty searches fold into a line with their count and time; a click unfolds them."""
    opened(page, tmp_path, reports.failed())
    assert "30 \u00d7 faiss.search" in rows(page)
    page.js(
        "[...document.querySelectorAll('#tree [data-at]')].find((row) => row.innerText.includes('30 \u00d7')).click()"
    )
    assert rows(page).count("faiss.search") > 10


def test_the_keyboard_alone_is_enough(page, tmp_path):
    """Arrows move and fold, Enter opens the drawer with the focus in it, Escape gives the focus back."""
    opened(page, tmp_path, reports.failed())
    page.js("document.getElementById('tree').focus()")
    assert page.js("document.querySelector('#tree [aria-selected=true] .kind').innerText") == "http.request"
    page.press("ArrowLeft")
    assert rows(page) == ["http.request"]
    page.press("ArrowRight", "ArrowRight", "Enter")
    assert page.js("document.getElementById('drawer').open && document.activeElement.id") == "drawer-title"
    assert shown(page, "#drawer-title")[0].strip() == "retrieval.gather_channels"
    page.press("Escape")
    assert page.js("!document.getElementById('drawer').open && document.activeElement.id") == "tree"
    page.press("ArrowDown", "End")
    assert page.js("document.getElementById('tree').getAttribute('aria-activedescendant')") == page.js(
        "document.querySelector('#tree [aria-selected=true]').id"
    )


def test_focus_goes_from_the_skip_link_down_the_page(page, tmp_path):
    """The first key lands on a link over the header; the rest follows the order in which it is read."""
    opened(page, tmp_path, reports.failed())
    stops = []
    for _ in range(12):
        page.press("Tab")
        stops.append(
            page.js("[document.activeElement.innerText, document.activeElement.getBoundingClientRect().top + scrollY]")
        )
    assert stops[0][0] == "Skip to the report"
    tops = [top for _, top in stops[1:]]
    assert tops == sorted(tops)


def test_a_screen_reader_is_told_landmarks_names_and_levels(page, tmp_path):
    """Every control has a name; regions are landmarks; the tree says level, state and status in words."""
    opened(page, tmp_path, reports.failed())
    nodes = [node for node in page.call("Accessibility.getFullAXTree")["nodes"] if not node.get("ignored")]
    told = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes]
    roles = {role for role, _ in told}
    assert {"banner", "navigation", "main", "contentinfo", "search", "tree", "treeitem", "region", "status"} <= roles
    controls = {"button", "link", "textbox", "searchbox", "combobox", "tree", "listbox", "treeitem", "option", "region"}
    assert [role for role, name in told if role in controls and not name.strip()] == []
    items = [name for role, name in told if role == "treeitem"]
    assert items[0].startswith("failed: http.request")
    assert page.js("document.querySelector('#tree [data-at]').getAttribute('aria-expanded')") == "true"
    assert (
        page.js(
            "[...document.querySelectorAll('h1,h2,h3')].filter((h) => h.checkVisibility()).map((h) => h.tagName)"
        ).count("H1")
        == 1
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(page, tmp_path, scheme):
    """At least 4.5 to 1 (WCAG 2.2, 1.4.3), in the light and in the dark."""
    page.prefers(prefers_color_scheme=scheme)
    opened(page, tmp_path, reports.failed())
    assert page.js(CONTRAST) == []


def test_the_dark_can_be_asked_for(page, tmp_path):
    """The button turns the colours over, whatever the system prefers."""
    opened(page, tmp_path, reports.failed())
    before = page.js("getComputedStyle(document.body).backgroundColor")
    page.js("document.getElementById('theme').click()")
    assert page.js("getComputedStyle(document.body).backgroundColor") != before


def test_nothing_moves_for_who_wants_no_motion(page, tmp_path):
    """With reduced motion no element has a transition or an animation."""
    page.prefers(prefers_reduced_motion="reduce")
    opened(page, tmp_path, reports.failed())
    moving = "[...document.querySelectorAll('*')].filter((e) => getComputedStyle(e).transitionDuration !== '0s').length"
    assert page.js(moving) == 0


def test_a_phone_shows_it_without_sideways_scrolling(page, tmp_path):
    """At 390 pixels nothing is wider than the screen, controls are as large as a thumb, the drawer covers the page."""
    page.size(390, 844, phone=True)
    opened(page, tmp_path, reports.failed())
    assert page.js("document.documentElement.scrollWidth") == 390
    small = "[...document.querySelectorAll('.btn, .chip, select, input')].filter((e) => e.checkVisibility() && e.offsetHeight < 44).length"
    assert page.js(small) == 0
    page.js("document.querySelector('#tree [data-at]').click()")
    assert page.js("document.getElementById('drawer').matches(':modal')") is True
    assert page.js("document.documentElement.scrollWidth") == 390


def test_steps_in_flight_are_hatched(page, tmp_path):
    """What began and did not end is told apart by its pattern, and in words."""
    opened(page, tmp_path, reports.failed())
    bar = "[...document.querySelectorAll('#tree .b-in_flight')]"
    assert "repeating-linear-gradient" in page.js(f"getComputedStyle({bar}[0]).backgroundImage")
    assert page.js(f"{bar}.map((each) => each.closest('.r').querySelector('.took').innerText)") == [
        "in flight",
        "in flight",
    ]


def test_dragging_across_the_timeline_looks_closer(page, tmp_path):
    """The window's times are those of the rows' bars and of the axis, and one button goes back."""
    opened(page, tmp_path, reports.failed())
    page.js("document.getElementById('overview').scrollIntoView({block: 'center'})")
    box = page.js(
        "(() => { const b = document.getElementById('canvas').getBoundingClientRect(); return [b.left, b.top, b.width]; })()"
    )
    page.drag((box[0] + box[2] * 0.5, box[1] + 5), (box[0] + box[2] * 0.75, box[1] + 5))
    page.until("document.getElementById('ticks').innerText.startsWith('2.')")
    page.js("document.getElementById('whole').click()")
    assert page.js("document.querySelector('#ticks span').innerText") == "0"


def test_logs_are_listed_filtered_and_lead_to_their_step(page, tmp_path):
    """A record opens in the drawer; its step is one click away."""
    opened(page, tmp_path, reports.failed())
    page.js(
        "(() => { const l = document.getElementById('log-level'); l.value = 'ERROR'; l.dispatchEvent(new Event('change')); })()"
    )
    assert shown(page, "#log-count") == ["13 of 40 shown"]
    page.js("document.querySelector('#log-list [data-at]').click()")
    assert "channel 2 is out" in shown(page, "#drawer")[0]
    page.js("document.querySelector('#drawer .link').click()")
    assert shown(page, "#drawer-title")[0].strip() == "bm25.search"


def test_without_script_the_facts_are_all_there(page, tmp_path):
    """Where a viewer allows no script: verdict, reason, failures, what did not run, the steps as text, integrity."""
    file = tmp_path / "report.html"
    file.write_text(render_html.render(reports.failed()), encoding="utf-8")
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    page.call("Page.navigate", url=file.as_uri())
    page.until("document.readyState === 'complete' && document.querySelector('h1')")
    body = page.js("document.body.innerText")
    for said in (reports.NO_FILE, "bm25.search", "rerank.score", "more faiss.search", "complete", "channel 2 is out"):
        assert said in body
    assert page.js("[...document.querySelectorAll('[data-js]')].some((each) => each.checkVisibility())") is False


def test_hints_stand_apart_from_facts(page, tmp_path):
    """Hints have a section of their own that says what they are, and no other section holds one."""
    opened(page, tmp_path, reports.failed())
    assert shown(page, "#hints-h")[0].startswith("Hints, not facts")
    assert page.js(
        "[...document.querySelectorAll('section')].filter((s) => s.innerText.includes('check that the file is there')).map((s) => s.id)"
    ) == ["hints"]


def test_the_same_report_gives_the_same_bytes():
    """Nothing of the page depends on when, where or in which order it was made."""
    records = {"a:2": "two", "a:1": "one"}
    assert render_html.render(reports.failed(), records) == render_html.render(
        reports.failed(), dict(reversed(records.items()))
    )


def test_the_page_holds_the_report_for_programs():
    """The element #report is the report's JSON, whole."""
    page = render_html.render(reports.failed())
    data = page.partition('<script type="application/json" id="report">')[2].partition("</script>")[0]
    told = json.loads(data)
    assert told["run_id"] == reports.RUN
    assert len(told["steps"]) == told["steps_total"]


def test_an_empty_report_is_a_page_too(page, tmp_path):
    """A run of which nothing is known draws without an error."""
    opened(page, tmp_path, reports.report(outcome="unknown", started_at=None, ledger_path=None))
    assert shown(page, ".outcome") == ["UNKNOWN"]


def test_parents_that_point_at_each_other_do_not_hang_the_page(page, tmp_path):
    """A damaged ledger's circle of parents is shown, each step once."""
    made = reports.report(
        steps=[reports.step("a", "b"), reports.step("b", "a"), reports.step("c", "c"), reports.step("d", "gone")]
    )
    opened(page, tmp_path, made)
    assert len(rows(page)) == 4


def test_the_command_writes_a_page_with_the_ledgers_own_lines(tmp_path):
    """Of a real run: each line in the page is the very line of the ledger at the place that it is cited by."""
    ended = processes.launched(tmp_path, "import duckdb; duckdb.connect('/no/such/file.duckdb')")
    assert ended.returncode == 1
    made = processes.run(tmp_path, processes.OBS, "report", "--last", "--format", "html", "-o", "r.html")
    assert made.returncode == 0, made.stderr
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    data = page.partition('<script type="application/json" id="records">')[2].partition("</script>")[0]
    told = json.loads(data)
    assert len(told) >= 4
    for place, record in told.items():
        file, _, number = place.rpartition(":")
        lines = (tmp_path / ".codeintel/telemetry/runs" / file).read_text().splitlines()
        assert lines[int(number) - 1] == record


def test_text_is_escaped_and_cut():
    """One helper stands between foreign text and the page."""
    assert text('<a href="x">&\u202e\n') == "&lt;a href=&quot;x&quot;&gt;&amp;\\u202e\\n"
    assert len(text("x" * 10_000)) == 4_000
