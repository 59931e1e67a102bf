"""`codeintel-obs diff`: two real runs compared by the identity of their steps, with what is noise named."""

from __future__ import annotations

import json
import sys

import jsonschema
import pytest
from processes import OBS, run
from test_report_fold import Script, error

from codeintel_obs.report.compare import Pair, _longer, _shorter
from codeintel_obs.report.profile import Profiles
from codeintel_obs.report.render_json import SCHEMAS, schema_text, shipped_schema

PROGRAM = """
import sys, time
from codeintel_obs import StepEvent, emit_step, step
bad = sys.argv[1] == "bad"
with step("a.outer", {"k": 5 if bad else 3, "n": 1}):
    for number in range(2 if bad else 4):
        with step("a.loop", {"number": number}):
            pass
    try:
        with step("a.inner"):
            if bad:
                raise ValueError("x")
    except ValueError:
        pass
    if bad:
        with step("b.new"):
            pass
    else:
        emit_step(StepEvent("splade.search", "skipped", "off"))
    with step("a.slow"):
        time.sleep(0.05 if bad else 0.001)
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    for name in ("good", "good", "bad"):
        run(tmp_path, OBS, "run", "--quiet", "--run-id", name, "--", sys.executable, "program.py", name)
    return tmp_path


def diff(folder, *words):
    ended = run(folder, OBS, "diff", *words, "--json")
    assert ended.returncode in (0, 1), ended.stderr
    told = json.loads(ended.stdout)
    jsonschema.validate(told, json.loads(shipped_schema("run_diff")))
    return ended.returncode, told


def test_what_one_run_did_otherwise_than_another_is_told_by_identity(folder):
    """Appeared, vanished, other status, other values, slower: each with where it stands in both ledgers."""
    code, told = diff(folder, "good", "bad")
    assert (code, told["same"]) == (0, False)
    assert [(each["path"], each["a"], each["b"]) for each in told["appeared"]] == [("a.outer > b.new", 0, 1)]
    assert [(each["path"], each["a"], each["b"]) for each in told["vanished"]] == [
        ("a.outer > a.loop", 4, 2),
        ("a.outer > splade.search", 1, 0),
    ]
    assert [(each["path"], each["a"], each["b"]) for each in told["changed_status"]] == [
        ("a.outer > a.inner", {"completed": 1}, {"failed ValueError": 1})
    ]
    assert [(each["path"], each["key"], each["a"], each["b"]) for each in told["changed_payload"]] == [
        ("a.outer", "k", ["3"], ["5"])
    ]
    assert told["noise"][0] == "a.outer > a.loop: number has other values from step to step within each run"
    assert "a.outer > a.slow" in [each["path"] for each in told["slower"]]
    assert all("not known: 1 and 1 durations" in each["noise"] for each in told["slower"])
    assert all(each["evidence"] for key in ("appeared", "vanished", "changed_status", "slower") for each in told[key])


def test_a_run_is_compared_with_its_attempt_before(folder):
    """One name twice means its newest two attempts, which here did the same; `--exit-code` makes it a check."""
    code, told = diff(folder, "good", "good", "--slower", "1000", "--exit-code")
    assert (code, told["same"], told["a"]["attempt"], told["b"]["attempt"]) == (0, True, 1, 2)
    assert diff(folder, "good", "bad", "--exit-code")[0] == 1
    assert run(folder, OBS, "diff", "bad", "bad").returncode == 3
    assert run(folder, OBS, "diff", "good", "nothing").returncode == 3
    assert run(folder, OBS, "diff", "good", "bad", "--slower", "0.5").returncode == 2


def test_the_text_names_both_ends_and_every_change(folder):
    """The two runs stand first; a comparison without a difference says so."""
    text = run(folder, OBS, "diff", "good", "bad").stdout
    assert text.splitlines()[0].startswith("A  good attempt 2  COMPLETED")
    assert text.splitlines()[1].startswith("B  bad attempt 1  COMPLETED")
    for head in ("Appeared (1)", "Vanished (2)", "Ended otherwise (1)", "Held other values", "Slower"):
        assert head in text
    same = run(folder, OBS, "diff", "good", "good", "--slower", "1000").stdout
    assert "No difference" in same


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_shipped_schemas_are_those_of_the_structs(name):
    """Each file in the package says what its command prints; it is made, not written."""
    assert shipped_schema(name) == schema_text(name)


# -- by hand: what real time would not give twice -------------------------------------------------------------------------


def profiles(*durations, kind="faiss.search", **payload):
    """Return the profiles of a run that did the same thing once per duration."""
    script = Script()
    for number, took in enumerate(durations):
        script.begin(f"s{number}", kind)
        end = {"span_id": f"s{number}", "kind": kind, "status": "completed", "duration_ns": took, "payload": payload}
        script.add("step.end", **end)
    return Profiles().take(script.entries)


def pair(a, b, path="faiss.search"):
    return Pair(path, a.by_path[path], b.by_path[path])


def test_a_duration_within_the_noise_is_named_as_noise():
    """A median that grew, of durations that overlap, is no change: it is told as noise with both ranges."""
    wide = profiles(*range(1_000_000, 10_000_000, 1_000_000))
    wider = profiles(*range(1_000_000, 28_000_000, 3_000_000))
    noise = []
    assert _longer(pair(wide, wider), 1.5, noise) is None
    assert noise == [
        "faiss.search: the median went from 5 ms to 13 ms, and 8 of 10 took 1 ms to 9 ms in A, 1 ms to 25 ms in B"
    ]


def test_a_duration_beyond_the_noise_is_slower_or_faster():
    """Nearly all of one run are longer than nearly all of the other: a ratio of medians, and both ranges."""
    few, many = profiles(*range(100_000, 110_000, 1_000)), profiles(*range(300_000, 330_000, 3_000))
    noise = []
    slower, faster = _longer(pair(few, many), 1.5, noise), _shorter(pair(many, few), 1.5)
    assert (slower.ratio, slower.noise, noise) == (3.0, "8 of 10 took 101 µs to 109 µs in A, 303 µs to 327 µs in B", [])
    assert (faster.ratio, _longer(pair(few, many), 4, noise)) == (0.33, None)


def test_the_order_of_siblings_is_no_difference():
    """Steps of one identity that ended in another order, or in another thread, have the same profile."""
    one, other = Script(), Script()
    for script, order in ((one, ("a", "b")), (other, ("b", "a"))):
        for name in order:
            script.failed(name, error("x")) if name == "a" else (script.begin(name), script.end(name))
    first, second = (Profiles().take(script.entries).by_path["duckdb.query"] for script in (one, other))
    assert first.statuses == second.statuses == {"failed ValueError": 1, "completed": 1}


def test_a_step_in_flight_and_one_of_another_run_have_their_place():
    """What did not end is counted as in flight; a parent that is not on record is a question mark."""
    script = Script()
    script.begin("a", "k.one", parent="gone")
    script.begin("b", "k.two", parent="a")
    found = Profiles().take(script.entries).by_path
    assert {path: dict(each.statuses) for path, each in found.items()} == {
        "? > k.one": {"in_flight": 1},
        "? > k.one > k.two": {"in_flight": 1},
    }
