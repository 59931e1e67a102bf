"""Reports from sampled spans: alone they tell what they can, beside a ledger they are compared, and nothing is guessed."""

from __future__ import annotations

import json
import sys

import pytest
from processes import OBS, report, run

PROGRAM = """
import json, os, sys
from google.protobuf.json_format import MessageToDict
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

class ToFile(SpanExporter):
    # what the collector's file exporter writes: a request per line; ids are in hex there, unlike in protobuf's JSON
    def export(self, spans):
        told = MessageToDict(encode_spans(spans))
        for group in told["resourceSpans"]:
            for scope in group["scopeSpans"]:
                for span in scope["spans"]:
                    for key in ("traceId", "spanId", "parentSpanId"):
                        if key in span and sys.argv[1] == "hex":
                            import base64
                            span[key] = base64.b64decode(span[key]).hex()
        with open("spans.jsonl", "a") as file:
            file.write(json.dumps(told) + chr(10))
        return SpanExportResult.SUCCESS

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(ToFile()))
trace.set_tracer_provider(provider)
from codeintel_obs import StepEvent, emit_step, step
with step("a.outer", {"k": 3}):
    try:
        with step("a.inner"):
            raise ValueError("x")
    except ValueError:
        pass
    emit_step(StepEvent("splade.search", "skipped", "off"))
    if sys.argv[1] == "killed":
        os.kill(os.getpid(), 9)
"""


def recorded(folder, sort="hex"):
    (folder / "program.py").write_text(PROGRAM)
    run(folder, OBS, "run", "--quiet", "--run-id", "r", "--", sys.executable, "program.py", sort)
    return folder


def told(folder, *words):
    ended = run(folder, OBS, "report", *words, "--spans", "spans.jsonl", "--json")
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def spans(folder):
    """Yield each span of the file, and write back what was done to it."""
    path = folder / "spans.jsonl"
    requests = [json.loads(line) for line in path.read_text().splitlines()]
    for request in requests:
        for group in request["resourceSpans"]:
            for scope in group["scopeSpans"]:
                yield from scope["spans"]
    path.write_text("".join(f"{json.dumps(request)}\n" for request in requests))


@pytest.mark.parametrize("sort", ["hex", "base64"])
def test_spans_alone_tell_what_they_can_and_no_more(sort, tmp_path):
    """Steps, parents, payloads and skips, each citing its span; outcome, causes and fates stay unknown, and it says so."""
    recorded(tmp_path, sort)
    made = told(tmp_path, "r", "--data-dir", "elsewhere")
    inner, outer, _ = sorted(made["steps"], key=lambda step: step["kind"])
    assert (made["outcome"], made["stopped_because"], made["handled_failures"]) == ("unknown", None, [])
    assert (outer["payload"], inner["parent"], inner["status"]) == ({"k": 3}, outer["id"], "failed")
    assert (inner["error"]["type"], inner["error"]["message"], inner["error"]["id"]) == ("ValueError", "x", None)
    assert inner["evidence"] == [f"span:{made['trace_ids'][0]}/{inner['id']}"]
    assert [(each["kind"], each["why"], each["detail"]) for each in made["did_not_run"]] == [
        ("splade.search", "skipped", "off")
    ]
    assert "sampled spans alone" in made["warnings"][0]["message"]
    assert (made["integrity"]["complete"], made["integrity"]["files"]) == (None, 0)


def test_spans_and_ledger_agree_where_both_are_whole(tmp_path):
    """Beside the ledger the report is the ledger's, and of an untouched run nothing disagrees."""
    recorded(tmp_path)
    made = told(tmp_path)
    assert made == {**report(tmp_path, "r"), "disagreements": []}


def test_what_a_span_says_otherwise_is_told_with_both_places(tmp_path):
    """Status, error, parent and payload, each with the records and the span."""
    recorded(tmp_path)
    ids = {}
    for span in spans(tmp_path):
        ids[span["name"]] = span["spanId"]
        if span["name"] == "a.inner":
            span["status"] = {}
            span["attributes"] = [each for each in span["attributes"] if each["key"] != "codeintel.step.parent"]
            del span["parentSpanId"]
        else:
            text = next(each for each in span["events"][-1]["attributes"] if each["key"] == "codeintel.step.payload")
            text["value"]["stringValue"] = '{"k":4}'
    found = told(tmp_path)["disagreements"]
    said = {(each["step"], each["what"]) for each in found}
    assert said == {
        (ids["a.inner"], "failed: the ledger says true, the span false"),
        (ids["a.inner"], f'parent: the ledger says "{ids["a.outer"]}", the span null'),
        (ids["a.outer"], 'payload: the ledger says {"k": 3}, the span {"k": 4}'),
    }
    assert all(len(each["evidence"]) == 3 and each["evidence"][-1].startswith("span:") for each in found)
    text = run(tmp_path, OBS, "report", "r", "--spans", "spans.jsonl").stdout
    assert "Disagreements of ledger and spans (3)" in text


def test_a_span_that_never_arrived_and_one_of_nowhere_are_told(tmp_path):
    """A step that was sampled has its span in the file; a span of the run has its step in the ledger."""
    recorded(tmp_path)
    inner, _ = list(spans(tmp_path))
    for span in spans(tmp_path):
        if span["name"] == "a.inner":
            span["spanId"] = "00000000000000aa"
            next(each for each in span["attributes"] if each["key"] == "codeintel.step.id")["value"] = {
                "stringValue": "00000000000000aa"
            }
    assert {(each["step"], each["what"]) for each in told(tmp_path, "r")["disagreements"]} == {
        (inner["spanId"], "the ledger has it as sampled, and no span of it is here"),
        ("00000000000000aa", "the ledger has no such step"),
    }


def test_of_a_killed_run_the_ledger_says_what_no_span_could(tmp_path):
    """A step in flight has no span yet: that is no disagreement."""
    recorded(tmp_path, "killed")
    made = told(tmp_path, "r")
    assert (made["outcome"], len(made["in_flight"])) == ("interrupted", 1)
    assert [each["what"] for each in made["disagreements"]] == []


@pytest.mark.parametrize(
    "text", ["{", '{"resourceSpans": 7}', '{"resourceSpans":[{"scopeSpans":[{"spans":[{}]}]}]}', "[1]"]
)
def test_what_is_no_otlp_is_named_with_its_line(text, tmp_path):
    """Exit code 2: which line, and what was expected."""
    (tmp_path / "spans.jsonl").write_text(f"{{}}\n{text}\n")
    ended = run(tmp_path, OBS, "report", "r", "--spans", "spans.jsonl")
    assert ended.returncode == 2
    assert "spans.jsonl:2: no spans" in ended.stderr


def test_a_file_without_spans_of_the_run_is_not_found(tmp_path):
    """Exit code 3 for a run of which neither a ledger nor a span is there; a file of several runs asks for one."""
    recorded(tmp_path)
    words = ("--spans", "spans.jsonl", "--data-dir", "elsewhere")
    assert run(tmp_path, OBS, "report", "other", *words).returncode == 3
    run(tmp_path, OBS, "run", "--quiet", "--run-id", "q", "--", sys.executable, "program.py", "hex")
    several = run(tmp_path, OBS, "report", *words)
    assert (several.returncode, "q, r" in several.stderr) == (2, True)
