"""The fault benchmark in CI: every fault, control and unwatched run, and what keeps the benchmark itself honest."""

from __future__ import annotations

import copy
import os
import random

import pytest
from faults import cases, mutations, postmortem
from faults.ledgers import attempts
from faults.running import read_report, run
from faults.words import tell

QUICK = {"faiss.wrong_dimension", "duckdb.locked_and_recovered", "process.sigkill", "clean.duckdb", "unwatched.faiss"}
SEED = int(os.environ.get("FAULTS_SEED", random.SystemRandom().randrange(1 << 32)))
MUTATED = ("duckdb.locked_and_recovered", "process.sigkill", "clean.child_process")


def named(name):
    (case,) = cases.chosen([name])
    return case


def marked(case):
    marks = [] if case.name in QUICK else [pytest.mark.slow]
    marks += [pytest.mark.timeout(1500)] if case.torch else []  # its environment may have to be made first
    return pytest.param(case, id=case.name, marks=marks)


@pytest.mark.parametrize("case", [marked(case) for case in cases.every()])
def test_report_says_exactly_what_happened(case, tmp_path):
    """Every line of every report of the case is the expected one, and the ledger refutes none."""
    result = run(case, tmp_path)
    if result.not_run:
        pytest.skip(f"cannot be made on this machine: {result.not_run}")
    assert not result.wrong, "\n".join(result.wrong)


def test_the_benchmark_is_complete():
    """At least 52 faults, 10 clean controls and 5 runs with a plugin disabled, each under a name of its own."""
    every = cases.every()
    sorts = [case.sort for case in every]
    assert len({case.name for case in every}) == len(every)
    assert all(case.expect.strip() for case in every)
    assert (sorts.count("fault") >= 52, sorts.count("control") >= 10, sorts.count("unwatched") >= 5) == (True,) * 3


@pytest.fixture(scope="module")
def recovered(tmp_path_factory):
    """A run with failures, a recovery and two processes: its folder, attempt and report."""
    folder = tmp_path_factory.mktemp("recovered").resolve()
    run(named("duckdb.locked_and_recovered"), folder)
    (attempt,) = attempts(folder / ".codeintel")
    return folder, attempt, read_report(folder, attempt.run_id, 1)


def leaves(value, path=()):
    """Yield the path of every value that holds no other, and of every list and object."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        yield from leaves(each, (*path, key))


def altered(value):
    if isinstance(value, bool) or value is None:
        return "altered"
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return value + "x"
    return [*value, "altered"] if isinstance(value, list) else {**value, "altered": 1}


def told(report, attempt, folder):
    """Return the lines; a report that cannot even be told is told of too."""
    try:
        return tell(report, attempt, (1, 1), folder) + [str(hint) for hint in report["hints"]]
    except (TypeError, KeyError, ValueError, AttributeError, IndexError) as exc:
        return [f"FALSE: {exc!r}"]


def test_no_field_of_a_report_can_change_unnoticed(recovered):
    """Whatever single value of a report is altered, the lines that are compared are others."""
    folder, attempt, report = recovered
    right = told(report, attempt, folder)
    assert not [line for line in right if "FALSE" in line]
    unnoticed = []
    for path in leaves(report):
        wrong = copy.deepcopy(report)
        holder = wrong
        for key in path[:-1]:
            holder = holder[key]
        if path:
            holder[path[-1]] = altered(holder[path[-1]])
            if told(wrong, attempt, folder) == right:
                unnoticed.append(".".join(map(str, path)))
    assert not unnoticed, unnoticed


@pytest.mark.proof
@pytest.mark.slow
@pytest.mark.parametrize("name", MUTATED)
def test_a_damaged_ledger_does_not_lie(name):
    """A sample of the proof `fault-mutations`: one record deleted, altered or moved is told of."""
    print(f"FAULTS_SEED={SEED}")
    assert mutations.lies(named(name), SEED, share=0.3) == []


@pytest.mark.slow
@pytest.mark.parametrize(("script", "expected"), [pytest.param(*each, id=each[0]) for each in postmortem.examples()])
def test_the_postmortem_page_says_what_the_report_says(script, expected):
    """Each of its commands prints what stands there; `python -m bench.faults.postmortem --write` renews the page."""
    assert postmortem.said(script) == expected


def test_every_failure_of_the_examples_is_walked_through():
    """Ten programs, each with its section."""
    programs = {f"examples/failures/{path.name}" for path in (postmortem.ROOT / "examples" / "failures").glob("*.py")}
    assert (len(programs), {script for script, _ in postmortem.examples()}) == (10, programs)
