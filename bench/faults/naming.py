"""Names for what differs from run to run: ids, processes, places, times; each is checked before it gets its name."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

from .ledgers import Attempt, Record

_CHANGES = (
    (re.compile(r"\b[0-9a-f]{40}\b"), "<sha>"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:<port>"),
    (re.compile(r"\bport \d+"), "port <port>"),
    (re.compile(r"\bPID \d+"), "PID <pid>"),
    (re.compile(r"0x[0-9a-f]{6,}"), "<address>"),
    (re.compile(r"\b([0-9a-f]{8})[0-9a-f]{56}\b"), r"\1…"),
    (re.compile(r"x{100,}"), "x…"),
    (re.compile(r"\b\d{6}-\d{8}T\d{6}Z\b"), "<generation>"),
    (re.compile(r"(Cancelled via cancel scope) .*", re.DOTALL), r"\1 <scope>"),
    (re.compile(re.escape(os.path.realpath(sys.executable))), "$PYTHON"),
    (re.compile(r"/project/faiss/[\w/.]+:\d+"), "<source>"),
    (re.compile(r"/tmp/[\w./-]*?/telemetry"), "$DATA/telemetry"),
)
_STEP = {"id", "parent", "kind", "status", "detail", "payload", "started_at", "duration_ns", "process", "error",
         "evidence", "links", "late"}  # fmt: skip
_ERROR = {"type", "message", "id", "chain"}
_DIFFERS = frozenset({"response_ns", "startup_ns", "seconds", "pid", "milliseconds", "port"})


class Names:
    """``s1`` is the first step of the report, ``e1`` the first exception that it names, ``p1`` its first process."""

    def __init__(self, report: dict[str, Any], attempt: Attempt, folder: Path) -> None:
        self._attempt = attempt
        self._folder = folder
        self._steps = {step["id"]: f"s{n}" for n, step in enumerate(report["steps"], 1)}
        self._parents = {step["id"]: step["parent"] for step in report["steps"]}
        self._processes = {each["process"]: f"p{n}" for n, each in enumerate(self.by_begin(report["processes"]), 1)}
        self._first = next(iter(self._processes), None)
        self._errors: dict[str, str] = {}
        self._begins: dict[str, Record] = {}
        self._ends: dict[str, Record] = {}
        for record in attempt.records():
            if record["event"] == "step.begin":
                self._begins[record["span_id"]] = record
            elif record["event"] in {"step.end", "step"}:
                self._ends[record["span_id"]] = record

    def by_begin(self, processes: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the processes of a report in the order of their first records."""
        begins = {record["payload"].get("writer"): record["mono_ns"] for record in self._attempt.records()
                  if record["event"] in {"run.begin", "writer.begin"}}  # fmt: skip
        return sorted(processes, key=lambda each: begins.get(each["writer"], 0))

    @property
    def traces(self) -> set[str]:
        return {record["trace_id"] for record in self._attempt.records() if record.get("trace_id")}

    def step(self, span_id: str | None) -> str:
        return self._steps.get(span_id or "", "a step elsewhere")

    def error(self, error_id: str | None) -> str:
        return self._errors.setdefault(error_id, f"e{len(self._errors) + 1}") if error_id else "no id"

    def process(self, name: str | None) -> str:
        return self._processes.get(name or "", f"unknown process {name}")

    def run(self, run_id: str) -> str:
        return "<process run>" if run_id != self._attempt.run_id else "itself"

    def text(self, text: str) -> str:
        """Return ``text`` without what differs from run to run."""
        text = text.replace(str(self._folder), "$CASE").replace(self._attempt.run_id, "$RUN")
        for pattern, name in _CHANGES:
            text = pattern.sub(name, text)
        return text.replace("\n", "\\n")

    def error_text(self, error_type: str | None, message: str | None) -> str:
        said = self.text(message) if message else ("no message" if message is None else "''")
        return f"{error_type}: {said}" if error_type else said

    def proof(self, evidence: list[str]) -> str:
        return ", ".join(map(self._place, evidence)) if evidence else "none"

    def _place(self, evidence: str) -> str:
        name, _, point = evidence.partition("#")
        if name.endswith(".json") and name.removesuffix(".json") in self._processes:
            return f"manifest of {self.process(name.removesuffix('.json'))}{f' #{point}' if point else ''}"
        records = self._attempt.cited(evidence)
        if records is None:
            return f"FALSE: {evidence} is no place"
        if "-" in evidence.rpartition(":")[2]:
            whole = len(records) == len(self._attempt.files[evidence.rpartition(":")[0]])
            return f"all of {self._writer(evidence)}" if whole else f"FALSE: {evidence} is a part"
        return self._event(records[0])

    def _writer(self, evidence: str) -> str:
        first = self._attempt.files[evidence.rpartition(":")[0]][0]
        path = str((first.get("payload") or {}).get("manifest", ""))
        return self.process(Path(path).stem)

    def _event(self, record: Record) -> str:
        event = record["event"]
        of = f" {self.step(record.get('span_id'))}" if event in {"step.begin", "step.end", "step"} else ""
        return f"{event}{of}"

    def step_lines(self, step: dict[str, Any]) -> list[str]:
        """Return a step's line, after what the records do not bear out of it."""
        depth, up = 0, step["parent"]
        while up in self._parents:
            depth, up = depth + 1, self._parents[up]
        words = [
            f"{'  ' * depth}{self.step(step['id'])} {step['kind']} {step['status']}",
            self.payload(step["payload"]),
        ]
        words += [f"({self.text(step['detail'])})"] if step["detail"] else []
        words += [f"in {self.process(step['process'])}"] if step["process"] != self._first else []
        words += [f"under {step['parent']}"] if up else []
        words += ["late"] if step["late"] else []
        words += [f"links {', '.join(self._link(link) for link in step['links'])}"] if step["links"] else []
        words += [self._raised(step["error"])] if step["error"] else []
        return [" ".join(filter(None, words)), *(f"FALSE: {each}" for each in self._refuted(step))]

    def _link(self, link: dict[str, Any]) -> str:
        return self.step(link["span_id"]) if link["span_id"] else "a run"

    def _raised(self, error: dict[str, Any]) -> str:
        of = f"raised {self.error(error['id'])} {self.error_text(error['type'], error['message'])}"
        chain = [f"{link['via']} {self.error(link['id'])} {link['type']}" for link in error["chain"]]
        return f"{of} <- {', '.join(chain)}" if chain else of

    def _refuted(self, step: dict[str, Any]) -> list[str]:
        """Return what the step says that its own two records do not."""
        begin, end = self._begins.get(step["id"], {}), self._ends.get(step["id"], {})
        first = begin or end
        said = {
            "kind": first.get("kind"),
            "status": end.get("status", "in_flight"),
            "detail": end.get("detail"),
            "parent": first.get("parent_span_id"),
            "duration_ns": end.get("duration_ns"),
            "started_at": first.get("ts"),
            "payload": {**begin.get("payload", {}), **end.get("payload", {})},
        }
        said["payload"].pop("late", None)
        wrong = [f"{key} of {step['kind']} is {value}" for key, value in said.items() if step[key] != value]
        cited = [self._attempt.cited(each) for each in step["evidence"]]
        if cited != [[record] for record in (begin, end) if record]:
            wrong.append(f"evidence of {step['kind']} is {step['evidence']}")
        if set(step) != _STEP or set(step["error"] or _ERROR) != _ERROR:
            wrong.append(f"unknown in {step['kind']}")
        told, error = step["error"] or {}, end.get("error", {})
        if any(told.get(key) != error.get(key) for key in ("type", "message", "id")):
            wrong.append(f"error of {step['kind']} is {error}")
        return wrong

    def payload(self, payload: dict[str, Any]) -> str:
        said = {key: self._value(key, value) for key, value in payload.items()}
        if payload.get("subcommand") == "version" and "stdout_len" in said:
            said["stdout_len"] = "<stdout_len>"  # as long as the installed git's number
        if payload.get("disconnected"):
            said.pop("chunks", None)
            said["response_bytes"] = "<response_bytes>"  # what was sent before the client's leaving was seen
        return "{" + ", ".join(f"{key}: {value}" for key, value in said.items()) + "}"

    def _value(self, key: str, value: Any) -> str:
        if key == "version":
            return "<version>"
        if key in _DIFFERS and isinstance(value, int | float):
            return f"<{key}>" if value >= 0 else f"FALSE: {value}"
        return self.text(str(value))

    def log_line(self, log: dict[str, Any]) -> str:
        where = f" in {self.step(log['step'])}" if log["step"] else ""
        error = f" {self._raised(log['error'])}" if log["error"] else ""
        said = f"{log['level']} {log['logger']}: {self.text(str(log['text']))}"
        return f"log {said}{where}{error} [{self.proof(log['evidence'])}]"
