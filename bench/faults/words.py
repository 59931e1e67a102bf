"""A report as lines that a person can write down: every field, with what differs from run to run named and checked.

A field in its rest state (no warnings, complete, no hints …) has no line. What does not hold against the ledger's own
records, read by `ledgers`, is a line that begins with FALSE: no expectation has one.
"""

from __future__ import annotations

from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import Any

from . import watching
from .ledgers import Attempt, manifest
from .naming import Names

_EMPTY_INTEGRITY = {"gaps": [], "bad_crc": [], "torn_tail": [], "duplicates": [], "dropped": 0}


class Telling:
    """Turns one report into lines; each method takes the fields that it speaks of out of the report."""

    def __init__(self, report: dict[str, Any], attempt: Attempt, number: tuple[int, int], folder: Path) -> None:
        self.report = dict(report)
        self.attempt = attempt
        self.number = number
        self.data = folder / ".codeintel"
        self.names = Names(report, attempt, folder)
        self.lines: list[str] = []

    def tell(self) -> list[str]:
        for part in (self.head, self.ending, self.stop, self.steps, self.absences, self.failures, self.aside,
                     self.integrity, self.processes, self.plugins, self.told):  # fmt: skip
            part()
        self.lines += [f"FALSE: nobody expects the field {name}" for name in self.report]
        return self.lines

    def say(self, line: str) -> None:
        self.lines.append(line)

    def hold(self, truth: object, what: str) -> None:
        if not truth:
            self.say(f"FALSE: {what}")

    def take(self, *fields: str) -> list[Any]:
        return [self.report.pop(each) for each in fields]

    def only_if(self, value: object, line: str) -> None:
        if value:
            self.say(line)

    def head(self) -> None:
        schema, run_id, token, number, total = self.take("schema", "run_id", "token", "attempt", "attempts")
        name, outcome, raw, parent, session = self.take("name", "outcome", "raw_run_id", "parent_run_id", "session_id")
        of = f" (attempt {number} of {total})" if total > 1 else ""
        self.say(f"run {self.names.text(str(name))}: {outcome}{of}")
        self.hold(schema == "codeintel.run_report/2.1", f"schema {schema}")
        self.hold((run_id, token) == (self.attempt.run_id, self.attempt.token), f"it is {run_id} {token}")
        self.hold((number, total) == self.number, f"attempt {number} of {total} is {self.number}")
        self.only_if(raw, f"asked for as {raw}")
        self.only_if(parent, f"of run {self.names.run(parent)}")
        self.only_if(session, f"session {session}")

    def ending(self) -> None:
        evidence, ended_by, began, ended, lasted = self.take(
            "outcome_evidence", "exit", "started_at", "ended_at", "duration_ns"
        )
        self.say(f"  proof: {self.proof(evidence)}")
        if ended_by:
            of = "code" if ended_by["signal"] is None else "signal"
            pids = {(record.get("payload") or {}).get("pid") for record in self.attempt.records()}
            self.say(f"  exit: {of} {ended_by[of]} [{self.proof(ended_by['evidence'])}]")
            self.hold(set(ended_by) == {"pid", "code", "signal", "evidence"}, f"unknown in {ended_by}")
            self.hold(ended_by["pid"] in pids, f"process {ended_by['pid']} is on no record")
        self._times(began, ended, lasted)
        traces, path = self.take("trace_ids", "ledger_path")
        self.hold(set(traces) == self.names.traces, f"traces {traces}")
        self.only_if(len(traces) != 1, f"  traces: {len(traces)}")
        self.hold(path and Path(path).is_file() and Path(path).is_relative_to(self.data), f"ledger {path}")

    def _times(self, began: Any, ended: Any, lasted: Any) -> None:
        if ended is None:
            self.say("  no end" if lasted is None else f"FALSE: lasted {lasted} without an end")
        else:
            self.hold(lasted == self._lasted(), f"lasted {lasted}")
        stamps = [record["ts"] for record in self.attempt.records()]
        for each in (began, ended):
            self.hold(each is None or each in stamps, f"{each} is the time of no record")
        self.only_if(began is None, "  no begin")

    def _lasted(self) -> int | None:
        by_event = {record["event"]: record["mono_ns"] for record in self.attempt.records()}
        ended, began = by_event.get("process.exit", by_event.get("run.end")), by_event.get("run.begin")
        return ended - began if ended is not None and began is not None else None

    def stop(self) -> None:
        (stop,) = self.take("stopped_because")
        if stop is None:
            return
        stop = dict(stop)
        kind, status, error, message, step = (
            stop.pop(key) for key in ("kind", "status", "error_type", "message", "step")
        )
        at = f"{self.names.step(step)} {kind}" if step else str(kind or "no step")
        self.say(f"stopped by {at} {status}: {self.names.error_text(error, message)}")
        self.say(f"  proof: {self.proof(stop.pop('evidence'))}")
        for part in ("trail", "while_handling"):
            for raised in stop.pop(part):
                where = self.names.step(raised["step"]) if raised["step"] else "no step"
                name = self.names.error(raised["error_id"])
                proof = self.proof(raised["evidence"])
                said = self._message_of(raised)
                self.hold(raised["message"] == said, f"{name} said {said}")
                self.say(f"  {part} {raised['via']}: {name} {raised['error_type']} in {where} [{proof}]")
        for each in stop.pop("elsewhere", []):
            said = self.names.error_text(each["error_type"], each["message"])
            where = f"{self.names.step(each['step'])} {each['kind']} {each['status']}"
            self.say(f"  elsewhere: {where}: {said} [{self.proof(each['evidence'])}]")
        self.hold(not stop, f"unknown in stopped_because: {stop}")

    def _message_of(self, raised: dict[str, Any]) -> str | None:
        """Return what is on record of an exception: of a step that raised it, else of the one that ended the run."""
        ends = (
            {"step.end", "step"} if raised["step"] else {"run.end", "writer.end"} if raised["via"] == "end" else set()
        )
        errors = (record.get("error") or {} for record in self.attempt.records() if record["event"] in ends)
        return next((error.get("message") for error in errors if error.get("id") == raised["error_id"]), None)

    def steps(self) -> None:
        steps, total, omitted, sample, ran, in_flight = self.take(
            "steps", "steps_total", "steps_omitted", "steps_sample", "ran", "in_flight"
        )
        self.lines += [line for step in steps for line in self.names.step_lines(step)]
        self.hold((total, omitted, sample) == (len(steps), 0, None), f"{total} steps, {omitted} omitted ({sample})")
        counts = Counter((step["kind"], step["status"]) for step in steps)
        told = {(kind, status): count for kind, by in ran.items() for status, count in by.items()}
        self.hold(told == counts, f"ran {ran}")
        open_steps = [step["id"] for step in steps if step["status"] == "in_flight"]
        self.hold(sorted(in_flight) == sorted(open_steps), f"in flight {in_flight}")

    def absences(self) -> None:
        for each in self.take("did_not_run")[0]:
            times = f" x{each['count']}" if each["count"] != 1 else ""
            detail = f" ({self.names.text(each['detail'])})" if each["detail"] else ""
            self.say(f"did not run: {each['kind']} {each['why']}{times}{detail} [{self.proof(each['evidence'])}]")
            self.hold(set(each) == {"kind", "why", "count", "detail", "evidence"}, f"unknown in {each}")

    def failures(self) -> None:
        handled, recovered = self.take("handled_failures", "recovered")
        self.only_if(handled, f"handled: {', '.join(map(self.names.step, handled))}")
        for each in recovered:
            failed, completed = self.names.step(each["failed"]), self.names.step(each["completed"])
            self.say(f"recovered: {each['kind']} {failed} by {completed} [{self.proof(each['evidence'])}]")
            self.hold(set(each) == {"kind", "failed", "completed", "evidence"}, f"unknown in {each}")

    def aside(self) -> None:
        spans, spans_total, logs, logs_total, disagreements = self.take(
            "spans", "spans_total", "logs", "logs_total", "disagreements"
        )
        self.hold((spans_total, logs_total) == (len(spans), len(logs)), f"{spans_total} spans, {logs_total} logs")
        for span in spans:
            said = self.names.payload(span["payload"])
            self.say(f"span {span['status']} {said} [{self.proof(span['evidence'])}]")
        self.lines += [self.names.log_line(log) for log in logs]
        self.lines += [f"disagreement: {each}" for each in disagreements]

    def integrity(self) -> None:
        facts = dict(self.take("integrity")[0])
        files, records = facts.pop("files"), facts.pop("records")
        self.hold(files == len(self.attempt.files), f"{files} files are {len(self.attempt.files)}")
        self.hold(records == len(self.attempt.records()), f"{records} records are {len(self.attempt.records())}")
        complete, read = facts.pop("complete"), facts.pop("read", None)
        self.hold(read is None or sorted(read) == self._ranges(), f"read {read}")
        self.only_if(complete is not True, f"complete: {complete}")
        said = {key: value for key, value in facts.items() if value != _EMPTY_INTEGRITY.get(key)}
        self.only_if(said, f"integrity: {self.names.text(str(said))}")
        self.hold(set(facts) == set(_EMPTY_INTEGRITY), f"unknown in integrity: {facts}")

    def _ranges(self) -> list[str]:
        return sorted(f"{name}:{held[0]['n']}-{held[-1]['n']}" for name, held in self.attempt.files.items())

    def processes(self) -> None:
        for each in self.names.by_begin(self.take("processes")[0]):
            life = {True: "alive", False: "gone", None: "unknown"}[each["alive"]]
            came, left = (
                {True: "began", False: "joined"}[each["began"]],
                {True: "closed", False: "did not close"}[each["closed"]],
            )
            self.say(
                f"{self.names.process(each['process'])}: {self.names.text(each['service'])} {came}, {left}, {life}"
            )
            self.hold(set(each) == _PROCESS, f"unknown in {each}")
            own = self._manifest(each["process"])
            self.hold((own.get("pid"), own.get("host")) == (each["pid"], each["host"]), f"process {each}")
            (first,) = self.attempt.cited(each["evidence"][0]) or [{}]
            payload = first.get("payload", {})
            self.hold(len(each["evidence"]) == 1 and payload.get("writer") == each["writer"], f"evidence of {each}")

    def _manifest(self, process: str) -> dict[str, Any]:
        return manifest(self.data, process) or {}

    def plugins(self) -> None:
        by_process: dict[str, list[str]] = {}
        names: dict[str, set[str]] = {}
        others: set[str] = set()
        for each in self.take("plugins")[0]:
            process = self.names.process(each["process"])
            said = by_process.setdefault(process, [])
            names.setdefault(process, set()).add(each["name"])
            if str(each["disabled"]).startswith("disabled by plugins ("):
                others.add(process)
            elif each["disabled"]:
                said.append(f"{each['name']} {self.names.text(each['disabled'])}")
            elif each["facts"].get("wrapped"):
                said.append(each["name"])
            self._plugin(each)
        for process, said in sorted(by_process.items()):
            self.say(
                f"watched in {process}: {', '.join([*said, *(['no others chosen'] if process in others else [])])}"
            )
            self.hold(names[process] == PLUGINS, f"plugins {names[process] ^ PLUGINS}")

    def _plugin(self, each: dict[str, Any]) -> None:
        manifest = self._manifest(each["process"])
        self.lines += [f"FALSE: {wrong}" for wrong in watching.refuted(each, manifest, self.attempt)]

    def told(self) -> None:
        warnings, hints, sections = self.take("warnings", "hints", "sections")
        for hint in hints:  # what they say is held against the table of rules, by `running`
            proof = self.proof(hint["evidence"])
            self.hold(
                set(hint) == {"message", "evidence"} and "none" not in proof and "FALSE" not in proof, f"hint {hint}"
            )
        for each in warnings:
            self.say(f"warning: {self.names.text(each['message'])} [{self.proof(each['evidence'])}]")
        self.lines += [f"section: {each}" for each in sections]

    def proof(self, evidence: list[str]) -> str:
        return self.names.proof(evidence)


PLUGINS = {
    entry.name.removeprefix("codeintel_")
    for entry in metadata.entry_points(group="opentelemetry_instrumentor")
    if entry.name.startswith("codeintel_") and entry.dist is not None and entry.dist.name == "codeintel-obs"
}


_PROCESS = {"process", "writer", "host", "pid", "service", "began", "closed", "alive", "evidence"}


def tell(report: dict[str, Any], attempt: Attempt, number: tuple[int, int], folder: Path) -> list[str]:
    """Return ``report``, which is of ``attempt``, as lines."""
    return Telling(report, attempt, number, folder).tell()
