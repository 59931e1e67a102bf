"""The report is a pure fold: outcomes, stop reasons, handled failures, recoveries, plans and the cap, from records."""

from __future__ import annotations

from itertools import count

import pytest

from codeintel_obs.report.build import Surroundings, build
from codeintel_obs.report.entries import batched
from codeintel_obs.report_model import IntegrityFacts
from codeintel_obs.steps import ChainLink, ErrorInfo, Record

PLACE = "2026-11-22/r.jsonl"
HOST = "host-1-1"


class Script:
    """Writes the records of one attempt, one line after the other, as a process would."""

    def __init__(self, parent_run_id=None, begin=True):
        self.entries = []
        self._n = {}
        self._clock = count(1_000)
        self.kinds = {}
        if begin:
            self.add("run.begin", payload={"manifest": f"d/{HOST}.json", "host": "h", "parent_run_id": parent_run_id})

    def add(self, event, place=PLACE, **fields):
        n = self._n[place] = self._n.get(place, 0) + 1
        mono = next(self._clock)
        values = {"ts": f"2026-11-22T10:00:00.{mono:06d}Z", "run_id": "r", "attempt": "a" * 16, "source": "t", **fields}
        self.entries.append((place, Record(v=1, n=n, event=event, mono_ns=mono, **values)))
        return f"{place}:{n}"

    def begin(self, step, kind="duckdb.query", parent=None, **fields):
        self.kinds[step] = kind
        return self.add("step.begin", span_id=step, parent_span_id=parent, kind=kind, **fields)

    def end(self, step, status="completed", error=None, **fields):
        return self.add(
            "step.end", span_id=step, kind=self.kinds[step], status=status, error=error, duration_ns=5, **fields
        )

    def failed(self, step, error, parent=None, kind="duckdb.query", status="failed"):
        self.begin(step, kind, parent)
        return self.end(step, status, error)

    def skip(self, kind, parent=None, detail="off"):
        return self.add(
            "step", span_id=f"skip-{kind}", parent_span_id=parent, kind=kind, status="skipped", detail=detail
        )

    def run_end(self, error=None, **payload):
        return self.add("run.end", error=error, payload={"open": [], **payload})

    def exit(self, **payload):
        return self.add("process.exit", place="2026-11-22/r~s.jsonl", payload={"pid": 7, **payload})

    def report(self, alive=False, keep=2_000, manifests=None, gaps=()):
        whole = IntegrityFacts(
            complete=not gaps,
            files=1,
            records=len(self.entries),
            gaps=list(gaps),
            bad_crc=[],
            torn_tail=[],
            duplicates=[],
            dropped=0,
        )
        around = Surroundings("r", "a" * 16, lambda: whole, alive={HOST: alive}, manifests=manifests or {})
        return build(lambda: batched(self.entries), around, keep)


def error(name, *chain, cls="ValueError"):
    links = tuple(ChainLink(id=link, type=cls, via=via, of=of) for link, via, of in chain)
    return ErrorInfo(type=cls, message=f"message of {name}", id=name, chain=links)


# -- outcomes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exit_", "run_end", "outcome"),
    [
        ({"signal": 9}, False, "interrupted"),
        ({"signal": 15}, True, "interrupted"),
        ({"code": 3}, True, "failed"),
        ({"code": 3}, False, "failed"),
        ({"code": 0}, True, "completed"),
        ({"code": 0}, False, "interrupted"),
    ],
)
def test_a_witnessed_exit_decides_the_outcome_of_a_process_run(exit_, run_end, outcome):
    """The supervisor's record holds over everything else; code 0 completes only a run that ended itself."""
    script = Script()
    if run_end:
        script.run_end()
    cited = script.exit(**exit_)
    report = script.report()
    assert report.outcome == outcome
    assert cited in report.outcome_evidence


def test_a_run_lasts_until_its_process_was_seen_to_exit():
    """A shell's children come and go: the first of them that ends its part does not end the run."""
    script = Script()
    script.run_end()
    early = script.report()
    script.begin("s1")
    script.end("s1")
    script.exit(code=0)
    report = script.report()
    assert report.duration_ns > early.duration_ns
    assert report.ended_at > early.ended_at


@pytest.mark.parametrize(("alive", "outcome"), [(True, "in_progress"), (False, "interrupted"), (None, "unknown")])
def test_without_an_end_the_liveness_of_the_process_decides(alive, outcome):
    """Gone means interrupted, alive means in progress, and another host's process is unknown."""
    script = Script()
    script.begin("s1")
    report = script.report(alive=alive)
    assert report.outcome == outcome
    assert report.in_flight == ["s1"]
    assert report.stopped_because is None


def test_a_run_end_that_nobody_witnessed_is_ended_or_failed():
    """An exit code that nobody saw is not told: `ended`; an uncaught exception is `failed`."""
    quiet, loud = Script(), Script()
    quiet.run_end()
    loud.run_end(error("e1"))
    assert quiet.report().outcome == "ended"
    assert loud.report().outcome == "failed"


@pytest.mark.parametrize("status", ["completed", "failed", "timed_out"])
def test_a_request_run_has_the_status_of_its_root_step(status):
    """The root is the step that hangs from no step of this run, a remote parent included."""
    script = Script(parent_run_id="p")
    script.begin("root", "http.request", parent="remote")
    script.failed("inner", error("e1"), "root")
    cited = script.end("root", status)
    script.run_end()
    report = script.report()
    assert (report.outcome, report.outcome_evidence) == (status, [cited])


def test_a_failed_tool_call_in_a_completed_request_fails_the_run():
    """MCP answers failures inside a successful response: the tool call's status is the run's."""
    script = Script(parent_run_id="p")
    script.begin("root", "http.request")
    script.begin("call", "tool.call", "root")
    cited = script.end("call", "failed", detail="isError")
    script.end("root")
    script.run_end()
    report = script.report()
    assert (report.outcome, report.stopped_because.step, report.stopped_because.error_type) == ("failed", "call", None)
    assert report.stopped_because.message == "isError"
    assert cited in report.stopped_because.evidence
    assert report.handled_failures == []


def test_a_request_that_its_process_left_open_says_what_its_end_says():
    """The end of a run whose root never ended is told as its writer told it."""
    script = Script(parent_run_id="p")
    script.begin("root", "http.request")
    script.run_end(outcome="unknown", open=["root"])
    report = script.report()
    assert (report.outcome, report.in_flight, report.stopped_because) == ("unknown", ["root"], None)


# -- stopped_because ----------------------------------------------------------------------------------------------


def test_a_reraise_through_parents_leads_to_the_innermost_step():
    """The same exception object on one parent chain is one raise: the step that first raised it is named."""
    script = Script()
    script.begin("outer", "retrieval.hydrate")
    cited = script.failed("inner", error("e1"), "outer")
    script.end("outer", "failed", error("e1"))
    ended = script.run_end(error("e1"))
    stop = script.report().stopped_because
    assert (stop.kind, stop.status, stop.step) == ("duckdb.query", "failed", "inner")
    assert (stop.error_type, stop.message) == ("ValueError", "message of e1")
    assert stop.evidence == [ended, cited]


def test_raise_from_follows_the_cause_to_its_step():
    """`raise Y from X` outside of any step still leads to the step that raised X, and the trail names both."""
    script = Script()
    script.failed("s1", error("x"))
    script.run_end(error("y", ("x", "cause", "y"), cls="RuntimeError"))
    report = script.report()
    stop = report.stopped_because
    assert (stop.step, stop.message) == ("s1", "message of x")
    assert [(each.error_id, each.via, each.step) for each in stop.trail] == [("y", "end", None), ("x", "cause", "s1")]
    assert [each.message for each in stop.trail] == ["message of y", "message of x"]
    assert report.handled_failures == []


def test_a_group_leads_to_the_member_that_was_raised_first():
    """Of the members of an exception group the earliest raise is the reason; the trail has them all."""
    script = Script()
    for step in ("s1", "s2"):
        script.begin(step)
    script.end("s2", "failed", error("b"))
    script.end("s1", "failed", error("a"))
    script.run_end(error("g", ("a", "group", "g"), ("b", "group", "g"), cls="ExceptionGroup"))
    stop = script.report().stopped_because
    assert stop.step == "s2"
    assert [each.step for each in stop.trail] == [None, "s1", "s2"]


def test_context_alone_is_only_told_as_while_handling():
    """What was being handled when the last exception was raised is no reason, and stays a handled failure."""
    script = Script()
    script.failed("s1", error("x"))
    script.failed("s2", error("y", ("x", "context", "y")))
    script.run_end(error("y", ("x", "context", "y")))
    report = script.report()
    stop = report.stopped_because
    assert stop.step == "s2"
    assert [(each.error_id, each.step) for each in stop.while_handling] == [("x", "s1")]
    assert report.handled_failures == ["s1"]


def test_a_handled_failure_is_never_the_stop_reason():
    """An exception that went nowhere is listed as handled, though it is the only failure on record."""
    script = Script()
    script.begin("outer", "retrieval.fuse")
    script.failed("s1", error("x"), "outer")
    script.end("outer")
    script.run_end(error("z", cls="KeyError"))
    report = script.report()
    assert report.handled_failures == ["s1"]
    assert (report.stopped_because.step, report.stopped_because.error_type) == (None, "KeyError")


def test_the_same_object_raised_twice_is_two_raises():
    """Steps that share an error id but not one parent chain are separate: the first was handled, the last stopped."""
    script = Script()
    script.begin("outer")
    script.failed("first", error("e"), "outer")
    script.failed("again", error("e"), "outer")
    script.end("outer", "failed", error("e"))
    script.run_end(error("e"))
    report = script.report()
    assert report.stopped_because.step == "again"
    assert report.handled_failures == ["first"]


def test_an_exit_code_without_an_exception_has_no_error_type():
    """`sys.exit(3)` stops a run without an exception that anyone saw; a handled failure is not blamed for it."""
    script = Script()
    script.failed("s1", error("x"))
    script.run_end()
    cited = script.exit(code=3)
    report = script.report()
    stop = report.stopped_because
    assert (stop.error_type, stop.message, stop.step, stop.kind) == (None, "exit code 3", None, None)
    assert stop.evidence == [cited]
    assert report.handled_failures == ["s1"]
    assert (report.exit.code, report.exit.signal) == (3, None)


def test_a_returned_503_names_its_step_and_detail():
    """A failure that no exception made: the failing step, its detail as the message, no error type."""
    script = Script(parent_run_id="p")
    script.begin("root", "http.request")
    script.end("root", "failed", detail="status 503")
    script.run_end()
    stop = script.report().stopped_because
    assert (stop.step, stop.kind, stop.message, stop.error_type) == ("root", "http.request", "status 503", None)


def test_a_time_out_is_the_reason_and_not_the_step_that_it_cancelled():
    """asyncio's TimeoutError has the CancelledError as its cause: a consequence, never the first raise."""
    cancelled = ErrorInfo(type="asyncio.exceptions.CancelledError", id="c")
    script = Script()
    script.begin("outer", "retrieval.gather_channels")
    script.begin("inner", "vllm.embed_batch", "outer")
    script.end("inner", "failed", cancelled, detail="cancelled")
    script.end("outer", "timed_out", error("t", ("c", "cause", "t"), cls="TimeoutError"))
    script.run_end(error("t", ("c", "cause", "t"), cls="TimeoutError"))
    stop = script.report().stopped_because
    assert (stop.step, stop.status, stop.error_type) == ("outer", "timed_out", "TimeoutError")


def test_an_exception_without_an_id_is_told_and_not_followed():
    """A lost token breaks the chain, and the report says so."""
    script = Script()
    script.failed("s1", ErrorInfo(type="ValueError", message="m"))
    script.run_end(ErrorInfo(type="ValueError", message="m"))
    report = script.report()
    assert (report.stopped_because.step, report.stopped_because.error_type) == (None, "ValueError")
    assert any("carries no id" in told.message for told in report.warnings)


def test_a_failure_under_a_step_in_flight_is_not_called_handled():
    """Where its exception went is not decided before the step around it has ended."""
    script = Script()
    script.begin("outer")
    script.failed("s1", error("x"), "outer")
    assert script.report(alive=True).handled_failures == []


def test_a_mapped_error_is_no_second_failure():
    """`error` and `tool.error` tell of a failure that another step has: neither handled nor blamed."""
    script = Script(parent_run_id="p")
    script.begin("root", "http.request")
    script.begin("call", "tool.call", "root")
    script.add("step", span_id="t", parent_span_id="call", kind="tool.error", status="failed", error=error("x"))
    script.end("call", "failed", error("x"))
    script.end("root")
    script.run_end()
    report = script.report()
    assert (report.stopped_because.step, report.handled_failures) == ("call", [])


# -- steps, recoveries, cap ---------------------------------------------------------------------------------------


def test_a_step_has_both_records_as_its_evidence_and_the_end_wins():
    """Payloads are merged, the end's value holds; every step cites where it stands."""
    script = Script()
    first = script.begin("s1", payload={"k": 5, "rows": None})
    second = script.end("s1", payload={"rows": 3})
    script.run_end()
    (step,) = script.report().steps
    assert (step.payload, step.evidence, step.process) == ({"k": 5, "rows": 3}, [first, second], HOST)
    assert (step.status, step.duration_ns, step.late) == ("completed", 5, False)


def test_a_late_end_is_told_as_late():
    """A step that ended after its run is completed, and late."""
    script = Script()
    script.begin("s1")
    script.run_end(open=["s1"])
    script.end("s1", payload={"late": True})
    report = script.report()
    assert [(step.status, step.late, step.payload) for step in report.steps] == [("completed", True, {})]
    assert report.in_flight == []


def test_a_retry_that_succeeded_is_derived_as_a_recovery():
    """Same kind and parent, failure then completion; another kind or parent recovers nothing."""
    script = Script()
    script.failed("s1", error("x"))
    script.begin("other", "faiss.search")
    script.end("other")
    script.begin("s2")
    script.end("s2")
    script.run_end()
    (recovery,) = script.report().recovered
    assert (recovery.kind, recovery.failed, recovery.completed) == ("duckdb.query", "s1", "s2")
    assert len(recovery.evidence) == 4


def test_a_long_run_keeps_failures_in_flight_and_what_is_around_them():
    """Beyond the cap nothing that matters is dropped, counts stay exact, and the sample is stated."""
    script = Script()
    for number in range(10):
        script.begin(f"ok{number}")
        script.end(f"ok{number}")
    script.begin("outer", "retrieval.fuse")
    script.failed("bad", error("x"), "outer")
    script.end("outer")
    script.begin("open")
    report = script.report(keep=2)
    assert [step.id for step in report.steps] == ["ok0", "ok1", "outer", "bad", "open"]
    assert [step.status for step in report.steps][2:] == ["completed", "failed", "in_flight"]
    assert (report.steps_total, report.steps_omitted) == (13, 8)
    assert "first 2 steps" in report.steps_sample
    assert report.ran["duckdb.query"] == {"completed": 10, "failed": 1, "in_flight": 1}


def test_an_end_without_a_begin_is_a_step_and_a_warning():
    """What damage took is unknown, and said so; what is left is told."""
    script = Script()
    script.kinds["s1"] = "git.blame"
    cited = script.end("s1")
    script.run_end()
    report = script.report()
    assert [(step.kind, step.parent, step.started_at) for step in report.steps] == [("git.blame", None, None)]
    assert [told.evidence for told in report.warnings] == [[cited]]


def test_a_cycle_of_parents_ends_nothing_but_itself():
    """Damaged parents that point at each other must not hang a report."""
    script = Script()
    script.begin("a", parent="b")
    script.failed("b", error("x"), "a")
    script.end("a", "failed", error("x"))
    script.run_end(error("x"))
    assert script.report().outcome == "failed"


# -- what did not run ---------------------------------------------------------------------------------------------


def manifest(**facts):
    """A process manifest's facts of one plugin: one point per kind."""
    kinds = {name.replace("_", ".", 1): fact for name, fact in facts.items()}
    points = {f"faiss:{kind}": fact for kind, fact in kinds.items()}
    return {HOST: {"plugins": {"faiss": {"library": "faiss", "version": "1.15.1", "points": points, "kinds": kinds}}}}


def test_skips_are_told_with_their_reason_and_never_as_run():
    """A skip is a fact of the application: kind, reason, evidence; it is not in the table of what ran."""
    script = Script()
    first = script.skip("splade.search", detail="no index")
    script.run_end()
    report = script.report()
    (absent,) = report.did_not_run
    assert (absent.kind, absent.why, absent.detail, absent.evidence) == (
        "splade.search",
        "skipped",
        "no index",
        [first],
    )
    assert report.ran == {}


@pytest.mark.parametrize(
    ("fact", "why"), [("wrapped", "not_reached"), ("library absent", "not_observed"), (None, "not_observed")]
)
def test_a_planned_kind_without_a_begin_is_not_reached_only_where_it_was_watched(fact, why):
    """Every point of the kind wrapped: it was not reached. Else nobody would have seen it."""
    script = Script()
    script.begin("call", "tool.call")
    cited = script.add(
        "plan", parent_span_id="call", payload={"match": "search", "kinds": ["faiss.search", "tool.call"]}
    )
    script.end("call")
    script.run_end()
    report = script.report(manifests=manifest(faiss_search=fact) if fact else None)
    absent = {each.kind: each for each in report.did_not_run}["faiss.search"]
    assert absent.why == why
    assert absent.evidence[:2] == [cited, f"{PLACE}:1-5"]
    assert absent.evidence[2:] == ([f"{HOST}.json#faiss.search"] if fact else [])


def test_a_plan_covers_only_the_steps_under_its_own():
    """The same kind elsewhere in the run does not fulfil it; one deep below does; a skip is told as a skip alone."""
    script = Script()
    script.begin("other", "faiss.search")
    script.end("other")
    script.begin("call", "tool.call")
    kinds = ["faiss.search", "git.blame", "splade.search"]
    script.add("plan", parent_span_id="call", payload={"match": "search", "kinds": kinds})
    script.begin("stage", "retrieval.hydrate", "call")
    script.begin("deep", "git.blame", "stage")
    script.skip("splade.search", "stage")
    for step in ("deep", "stage", "call"):
        script.end(step)
    script.run_end()
    report = script.report(manifests=manifest(faiss_search="wrapped"))
    assert [(each.kind, each.why) for each in report.did_not_run] == [
        ("splade.search", "skipped"),
        ("faiss.search", "not_reached"),
    ]


def test_nothing_is_called_absent_while_the_run_goes_on_or_where_records_are_missing():
    """An absence is told when the run is over, and proves nothing in a ledger with gaps."""
    script = Script()
    script.add("plan", payload={"match": "search", "kinds": ["faiss.search"]})
    watched = manifest(faiss_search="wrapped")
    assert script.report(alive=True, manifests=watched).did_not_run == []
    (absent,) = script.report(alive=False, manifests=watched, gaps=[f"{PLACE}:3-4"]).did_not_run
    assert (absent.why, "missing" in absent.detail) == ("not_observed", True)


def test_the_activation_facts_of_a_process_are_told_per_plugin():
    """Counts per fact and the points that are not wrapped; a later record replaces what the manifest says."""
    script = Script()
    facts = manifest(faiss_search="not imported", faiss_add="not imported")
    before = script.report(manifests=facts).plugins[0]
    kinds = {"faiss.search": "wrapped", "faiss.add": "attribute missing"}
    changed = {"plugin": "faiss", "version": "1.15.1", "points": {"wrapped": 1, "attribute missing": 1}}
    cited = script.add("activation", payload={**changed, "kinds": kinds, "not_wrapped": ["faiss:faiss.add"]})
    after = script.report(manifests=facts).plugins[0]
    assert (before.facts, before.evidence) == ({"not imported": 2}, [f"{HOST}.json"])
    assert (after.facts, after.not_wrapped) == ({"wrapped": 1, "attribute missing": 1}, ["faiss:faiss.add"])
    assert (after.version, after.evidence) == ("1.15.1", [f"{HOST}.json", cited])


def test_a_plan_is_judged_by_the_facts_that_held_last():
    """A library imported after the manifest was written is watched all the same: its activation record says so."""
    script = Script()
    cited = script.add(
        "activation", payload={"plugin": "faiss", "points": {"wrapped": 1}, "kinds": {"faiss.search": "wrapped"}}
    )
    script.add("plan", payload={"match": "search", "kinds": ["faiss.search"]})
    script.run_end()
    (absent,) = script.report(manifests=manifest(faiss_search="not imported")).did_not_run
    assert (absent.why, absent.evidence[-1]) == ("not_reached", cited)


def test_logs_faults_and_drops_are_told():
    """Logs are counted, an error of the recorder and a lost record are warnings with their evidence."""
    script = Script()
    logged = script.add("log", span_id="s1", payload={"logger": "app", "level": "ERROR", "text": "boom"})
    fault = script.add("fault", payload={"where": "describe", "type": "KeyError", "message": "k", "count": 1})
    drop = script.add("drop", payload={"count": 3, "reason": "disk full"})
    report = script.report()
    assert [(log.text, log.step, log.evidence) for log in report.logs] == [("boom", "s1", [logged])]
    assert [told.evidence for told in report.warnings] == [[fault], [drop]]
    assert "disk full" in report.warnings[1].message


def test_what_is_not_kept_is_counted_as_what_is():
    """Beyond the cap steps are only counted; every statement but the steps themselves is the same as without a cap."""
    script = Script()
    script.begin("outer", "retrieval.fuse")
    for number in range(150):
        script.begin(f"ok{number}", "faiss.search", "outer" if number % 2 else None)
        script.end(f"ok{number}")
        if number % 50 == 7:
            script.failed(f"bad{number}", error(f"e{number}"), "outer", kind="faiss.search")
    script.end("ok1")  # a duplicated line
    script.begin("nested", "git.blame", "outer")
    script.begin("inner", "git.process", "nested")
    script.end("inner")
    script.end("nested")
    script.end("outer")
    script.add("plan", payload={"match": "x", "kinds": ["git.process", "duckdb.query"]})
    script.begin("last")
    few, all_ = (script.report(keep=keep) for keep in (0, 10_000))
    for name in (
        "ran",
        "steps_total",
        "did_not_run",
        "recovered",
        "in_flight",
        "handled_failures",
        "outcome",
        "trace_ids",
    ):
        assert getattr(few, name) == getattr(all_, name), name
    assert len(few.steps) < 20
