"""What a report says of its own ground: segments, losses, limits, spans of others, and runs that hold only those."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path

import msgspec
import pytest
from test_report_fold import HOST, PLACE, Script, error
from test_report_render import report as made
from test_report_render import step

from codeintel_obs.ledger.checks import is_whole, sums
from codeintel_obs.report import fold, render_text, tree
from codeintel_obs.report.attempts import find, report_of
from codeintel_obs.report.build import Surroundings, build
from codeintel_obs.report.entries import batched
from codeintel_obs.report_model import IntegrityFacts, ProcessFacts, RunReport
from codeintel_obs.steps import Record

SEGMENT = "2026-11-22/r.s2.jsonl"


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A real ledger that tests write and damage."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "libraries"))
    from ledger_workload import Workload

    made = Workload(tmp_path / "data")
    yield made
    made.close()


def report_on(work, run):
    (attempt,) = find([work.data_dir], run.run_id)
    return report_of(attempt)


# -- writers and their segments ---------------------------------------------------------------------------------------


def test_a_writer_has_closed_when_its_last_segment_is():
    """A first segment that was left for a second one is no open file, and the process is told once."""
    script = Script()
    begin = {"manifest": f"d/{HOST}.json", "host": "h", "predecessor": "r.jsonl", "last_n": 1}
    script.add("writer.begin", place=SEGMENT, payload=begin)
    script.add("writer.end", place=SEGMENT, payload={"records": 2})
    assert [(each.process, each.closed) for each in script.report().processes] == [(HOST, True)]


def test_a_writer_whose_last_segment_is_open_has_not_closed():
    """The closing record of an earlier segment closes nothing that came after it."""
    script = Script()
    script.run_end()
    script.add("writer.begin", place=SEGMENT, payload={"manifest": f"d/{HOST}.json", "predecessor": "r.jsonl"})
    assert [each.closed for each in script.report().processes] == [False]


def test_an_open_ledger_says_who_still_writes():
    """Where completeness waits for a writer, the text names its process; a closed one is not named."""
    incomplete = made().integrity
    incomplete.complete = False
    processes = [
        ProcessFacts(process=f"h-{pid}", writer=None, host="h", pid=pid, service=None, began=True, closed=closed,
                     alive=True, evidence=[f"d/r.jsonl:{pid}"])
        for pid, closed in ((1, False), (2, True))
    ]  # fmt: skip
    text = render_text.render(made(integrity=incomplete, processes=processes))
    assert "pid 1 on h is still writing" in text
    assert "pid 2" not in text


# -- records that are not there ---------------------------------------------------------------------------------------


def test_a_line_of_a_later_version_is_a_warning_with_its_place(work):
    """A ledger that is not complete says why: what has no list of its own stands among the warnings."""
    run = work.run()
    work.steps(run, 1)
    work.finish(run)
    path = Path(run.ledger_path)
    path.chmod(0o640)
    lines = path.read_bytes().splitlines()
    later = lines[1].replace(b'{"v":1', b'{"v":2')[:-18]
    lines[1] = later + b',"crc":"%s"}' % sums([later + b" " * 18]).encode()
    assert is_whole(lines[1])
    path.write_bytes(b"\n".join(lines) + b"\n")
    report = report_on(work, run)
    assert report.integrity.complete is False
    assert any("unknown version" in each.message and each.evidence[0].endswith(":2") for each in report.warnings)


def test_an_unreadable_file_is_a_warning_and_hides_absences(work):
    """Of a run with a file that cannot be read nothing is called not reached: its begin may stand there."""
    run = work.run()
    plan = Record(
        v=1, n=0, event="plan", ts="2026-11-22T10:00:00.000000Z", mono_ns=1, run_id=run.run_id, attempt=run.attempt,
        payload={"kinds": ["faiss.search"]}, source="app",
    )  # fmt: skip
    work.sink.obs_record(plan)
    work.finish(run)
    os.mkdir(run.ledger_path.replace(".jsonl", f"~{run.attempt}~00000000.jsonl"))
    report = report_on(work, run)
    assert any("unreadable" in each.message for each in report.warnings)
    assert [each.why for each in report.did_not_run] == ["not_observed"]


def test_a_slow_sink_of_a_stranger_is_no_loss_of_the_ledger(work):
    """What did not reach a sink's queue is told, and the ledger that has it all is complete."""
    run = work.run()
    work.steps(run, 1)
    drop = {"event": "drop", "ts": "2026-11-22T10:00:00.000000Z", "mono_ns": 1, "run_id": run.run_id}
    for payload in ({"count": 7, "reason": "queue full", "sink": "bell"}, {"count": 5, "reason": "x", "what": "spans"}):
        work.sink.obs_record(Record(v=1, n=0, attempt=run.attempt, payload=payload, source="obs", **drop))
    work.finish(run)
    report = report_on(work, run)
    assert (report.integrity.complete, report.integrity.dropped) == (True, 0)
    assert [each.message for each in report.warnings] == [
        "7 events did not reach the sink bell: queue full; this ledger has them",
        "5 spans of others were not recorded: x",
    ]


def test_dropped_records_make_an_absence_unproved():
    """Where records could not be written, a planned kind without a begin is not observed."""
    script = Script()
    script.add("plan", payload={"kinds": ["faiss.search"]})
    script.add("drop", payload={"count": 3, "reason": "ENOSPC"})
    script.run_end()
    facts = IntegrityFacts(
        complete=False, files=1, records=4, gaps=[], bad_crc=[], torn_tail=[], duplicates=[], dropped=3
    )
    manifest = {"plugins": {"faiss": {"kinds": {"faiss.search": "wrapped"}, "points": {}}}}
    around = Surroundings("r", "a" * 16, lambda: facts, alive={HOST: False}, manifests={HOST: manifest})
    report = build(lambda: batched(script.entries), around)
    assert [each.why for each in report.did_not_run] == ["not_observed"]
    assert report.warnings[0].message == "3 records could not be written: ENOSPC"


# -- more than a report can hold --------------------------------------------------------------------------------------


def test_a_storm_of_failures_is_bounded_and_told():
    """Of very many failures the first and the last are followed; all are counted, and the report says so."""

    def entries():
        numbers = count(1)
        common = {"v": 1, "ts": "2026-11-22T10:00:00.000000Z", "run_id": "r", "attempt": "a" * 16, "source": "t"}
        for number in range(30_000):
            at, name = next(numbers), f"s{number}"
            yield PLACE, Record(n=at, event="step.begin", mono_ns=at, span_id=name, kind="git.process", **common)
            failed = {"status": "failed", "error": error(f"e{number}"), "kind": "git.process"}
            yield PLACE, Record(n=next(numbers), event="step.end", mono_ns=at, span_id=name, **failed, **common)

    whole = made().integrity
    report = build(lambda: batched(entries()), Surroundings("r", "a" * 16, lambda: whole), 10)
    assert report.ran == {"git.process": {"failed": 30_000}}
    assert {"s0", "s29999"} <= {each.id for each in report.steps}
    assert len(report.steps) == 10_000
    assert any("20,000 failures between the first and the last 5,000" in each.message for each in report.warnings)


def test_an_outer_failure_at_the_end_of_a_storm_is_followed_to_its_step():
    """The failures that are let go of are those in the middle: the one that ended the run is still found."""
    script = Script()
    script.begin("outer", "retrieval.search")
    for number in range(12_000):
        script.failed(f"s{number}", error(f"e{number}"), "outer")
    script.end("outer", "failed", error("e11999"))
    script.run_end(error("e11999"))
    report = script.report(keep=0)
    assert (report.stopped_because.step, report.stopped_because.kind) == ("s11999", "duckdb.query")


def test_reasons_of_skips_are_bounded():
    """Skips whose reasons never repeat are told a thousand times and then together; none is left uncounted."""
    script = Script()
    for number in range(1_500):
        script.add("step", span_id=f"k{number}", kind="splade.search", status="skipped", detail=f"off {number}")
    script.run_end()
    absent = script.report().did_not_run
    assert len(absent) == 1_001
    assert (absent[-1].detail, absent[-1].count) == ("other reasons", 500)


def test_the_sample_of_a_long_run_names_all_that_is_kept():
    """The sentence that says what is shown of a long run names the recoveries too."""
    script = Script()
    for number in range(5):
        script.begin(f"s{number}")
        script.end(f"s{number}")
    script.failed("bad", error("e"))
    script.begin("good")
    script.end("good")
    report = script.report(keep=2)
    assert {each.id for each in report.steps} == {"s0", "s1", "bad", "good"}
    assert report.steps_sample == (
        "failures, what recovered them, steps in flight, the steps around all these, and the first 2 steps of the ledger"
    )


# -- spans of others --------------------------------------------------------------------------------------------------


def test_a_run_of_spans_alone_is_told():
    """A run in which only spans of others were seen: they are listed, with their failures, and no step is claimed."""
    script = Script()
    place = script.add("span.begin", span_id="a1", trace_id="t", payload={"name": "GET /health", "scope": "asgi"})
    end = script.add("span.end", span_id="a1", trace_id="t", status="error", duration_ns=1_500_000, payload={})
    script.run_end()
    script.exit(code=0)
    report = script.report()
    text = render_text.render(report)
    assert (report.steps_total, report.spans_total, report.spans[0].evidence) == (0, 1, [place, end])
    assert text.startswith("COMPLETED  0 steps\n")
    assert "Spans of others: 1" in text
    assert "GET /health  FAILED  1.5 ms" in text


def test_spans_beyond_the_limit_are_counted(monkeypatch):
    """Spans that a report leaves out are counted and told."""
    monkeypatch.setattr(fold, "_KEPT_SPANS", 3)
    script = Script()
    for number in range(5):
        script.add("span.begin", span_id=f"a{number}", payload={"name": "x"})
        script.add("span.end", span_id=f"a{number}", duration_ns=1)
    script.run_end()
    report = script.report()
    assert (len(report.spans), report.spans_total) == (3, 5)
    assert [each.message for each in report.warnings] == ["2 more spans of others are on record"]


# -- words ------------------------------------------------------------------------------------------------------------


def test_a_late_end_is_said_in_the_tree():
    """A step that ended after its run says so in its line."""
    (row,) = tree.rows([step("a", late=True)])
    assert "(ended after the run)" in tree.line(row, 100)


def test_a_failure_of_which_nothing_is_known_is_not_called_handled():
    """A completed run with a failure whose fate is undecided counts it, and does not say that it was handled."""
    text = render_text.render(made(ran={"k": {"failed": 2}}, steps_total=2, handled_failures=["a"]))
    assert text.startswith("COMPLETED  2 steps, 2 failures, 1 of them known to be handled")


def test_a_mapped_error_is_not_counted_in_the_verdict():
    """`tool.error` tells of a failure that another step has: the first line counts it once."""
    ran = {"tool.call": {"failed": 1}, "tool.error": {"failed": 1}}
    text = render_text.render(made(ran=ran, steps_total=2, handled_failures=["a"]))
    assert text.startswith("COMPLETED  2 steps, 1 failure handled")


def test_a_forged_record_of_any_shape_is_told_and_breaks_nothing():
    """Checksums can be computed by anybody: a value that is none of its field is left out, and the report keeps its form."""
    script = Script(begin=False)
    odd = {
        "manifest": {},
        "host": [],
        "pid": "7",
        "service": {"a": 1},
        "raw_run_id": 7,
        "parent_run_id": [],
        "name": {},
    }
    script.add("run.begin", payload=odd, ts="yesterday")
    script.add("log", payload={"level": [], "logger": {}, "text": 5})
    script.add("plan", payload={"kinds": {"a": 1}})
    script.add("activation", payload={"plugin": 3, "library": [], "points": 7, "kinds": "all", "not_wrapped": 5})
    script.add("run.end", payload={"open": 7, "outcome": []})
    script.add("process.exit", place="2026-11-22/r~s.jsonl", payload={"pid": True, "code": "0", "signal": []})
    report = script.report(manifests={HOST: {"plugins": {"faiss": {"library": 5, "points": [], "disabled": {}}}}})
    assert msgspec.json.decode(msgspec.json.encode(report), type=RunReport, strict=True) == report
    assert (report.outcome, report.raw_run_id, report.processes[0].service) == ("unknown", None, None)
