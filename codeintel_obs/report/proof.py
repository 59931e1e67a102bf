"""Proves a Run Report again: what the ledger says today, statement by statement, and where every evidence leads."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from codeintel_obs.ledger.attempts import entries
from codeintel_obs.ledger.places import RUNS
from codeintel_obs.ledger.reader import read_file
from codeintel_obs.report.attempts import Attempt, Moment, processes_of, report_of
from codeintel_obs.report.entries import Entry
from codeintel_obs.report.fold import KEPT_STEPS
from codeintel_obs.report_model import IntegrityFacts, Refuted, ReportProof, RunReport

_LINE: Final = re.compile(r"(\d{4}-\d\d-\d\d/[^/:]+\.jsonl):(\d+)(?:-(\d+))?\Z")
_LISTED: Final = 1_000
_NOT_STATEMENTS: Final = frozenset({"hints", "sections", "disagreements", "ledger_path", "attempts"})
"""Hints and sections are no facts, disagreements need the spans, and a ledger may have been moved or have new attempts."""
_OF_THE_MOMENT: Final = frozenset({"complete", "torn_tail", "alive"})
"""What depends on who lived when the report was made."""


def prove(told: RunReport, attempt: Attempt) -> ReportProof:
    """Return what of the report ``told`` the ledger of ``attempt`` bears out, as far as it went when it was made."""
    moment = Moment(_last_read(told.integrity), {each.process or "": each.alive for each in told.processes})
    now = report_of(attempt, KEPT_STEPS, moment if moment.last else None)
    refuted = list(_differences(told, now))
    wanted = _cited(told)
    unresolved = _unresolved(wanted, attempt)
    return ReportProof(
        run_id=told.run_id,
        attempt=told.attempt,
        proved=not refuted and not unresolved,
        statements=_count(_statements(told)),
        evidence=len(wanted),
        refuted=refuted[:_LISTED],
        refuted_total=len(refuted),
        unresolved=unresolved[:_LISTED],
        unresolved_total=len(unresolved),
        records_since=max(0, now.integrity.records - told.integrity.records),
    )


def _last_read(facts: IntegrityFacts) -> dict[str, int]:
    """Return the last record that was read of each file."""
    found = (_LINE.match(each) for each in facts.read)
    return {match[1]: int(match[3] or match[2]) for match in found if match is not None}


# -- statements -----------------------------------------------------------------------------------------------------------


def _differences(told: RunReport, now: RunReport) -> Iterator[Refuted]:
    yield from _compared("", _statements(told), _statements(now))
    if told.integrity.records == now.integrity.records:  # else it has grown, and what was wrong may be mended
        yield from _compared("integrity", _facts(told.integrity), _facts(now.integrity))


def _statements(report: RunReport) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(report)
    return {key: value for key, value in plain.items() if key not in _NOT_STATEMENTS | {"integrity"}}


def _facts(facts: IntegrityFacts) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(facts)
    return plain


def _compared(path: str, told: Any, now: Any) -> Iterator[Refuted]:
    """Yield where ``told`` and ``now`` differ, as deep as they are of one shape."""
    if isinstance(told, dict) and isinstance(now, dict):
        for key in {**told, **now}:
            if key not in _OF_THE_MOMENT:
                yield from _compared(f"{path}.{key}" if path else key, told.get(key), now.get(key))
    elif isinstance(told, list) and isinstance(now, list) and _has_ids([*told, *now]):
        yield from _compared(path, {each["id"]: each for each in told}, {each["id"]: each for each in now})
        if [each["id"] for each in told] != [each["id"] for each in now]:
            yield _refuted(f"{path} (order)", len(told), len(now))
    elif isinstance(told, list) and isinstance(now, list) and len(told) == len(now):
        for index, (one, other) in enumerate(zip(told, now, strict=True)):
            yield from _compared(f"{path}[{index}]", one, other)
    elif told != now or type(told) is not type(now):
        yield _refuted(path, told, now)


def _has_ids(values: list[Any]) -> bool:
    return bool(values) and all(isinstance(each, dict) and "id" in each for each in values)


def _refuted(path: str, told: Any, now: Any) -> Refuted:
    return Refuted(statement=path, told=_short(told), found=_short(now))


def _short(value: Any) -> str:
    text = msgspec.json.encode(value).decode("utf-8", "replace")
    return text if len(text) <= 200 else f"{text[:199]}…"  # noqa: PLR2004 - one line of a terminal, twice


def _count(value: Any) -> int:
    """Return how many single values ``value`` holds."""
    if isinstance(value, dict):
        return sum(map(_count, value.values()))
    return sum(map(_count, value)) if isinstance(value, list) else 1


# -- evidence -------------------------------------------------------------------------------------------------------------


def _cited(report: RunReport) -> set[str]:
    """Return every evidence of the report's statements; what is missing or damaged is cited by its integrity alone."""
    found: set[str] = set()
    waiting: list[Any] = [_statements(report)]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            found.update(each for key, cited in value.items() if key.endswith("evidence") for each in cited)
            waiting += [below for key, below in value.items() if key != "warnings"]
        elif isinstance(value, list):
            waiting += value
    return found


def _unresolved(wanted: Iterable[str], attempt: Attempt) -> list[str]:
    """Return the evidence that leads nowhere: no such line in the ledger, no such fact in a manifest."""
    lines = {each: match for each in wanted if (match := _LINE.match(each)) is not None}
    ends = {(match[1], int(number)) for match in lines.values() for number in match.groups()[1:] if number}
    missing = ends - {(place, record.n) for place, record in _all(ends, attempt) if (place, record.n) in ends}
    manifests = processes_of(attempt)[1]
    lost = [
        each
        for each, match in lines.items()
        if any((match[1], int(number)) in missing for number in match.groups()[1:] if number)
    ]
    return sorted([*lost, *(each for each in wanted if each not in lines and not _in_manifest(each, manifests))])


def _all(ends: set[tuple[str, int]], attempt: Attempt) -> Iterator[Entry]:
    """Yield the records of the attempt, and of what else is cited: the run of the process that it was a request in."""
    yield from entries(attempt.files)
    for place in sorted({place for place, _ in ends} - {file.place for file in attempt.files.files()}):
        for line in read_file(os.path.join(attempt.files.data_dir, *RUNS, *place.split("/"))):
            if line.record is not None:
                yield place, line.record


def _in_manifest(evidence: str, manifests: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether ``<process>.json`` or ``<process>.json#<point or kind>`` is there."""
    name, _, point = evidence.partition("#")
    plugins = manifests.get(name.removesuffix(".json"), {}).get("plugins")
    if not isinstance(plugins, dict) or not plugins:
        return False
    held = (facts.get(key) for facts in plugins.values() if isinstance(facts, dict) for key in ("points", "kinds"))
    return not point or point in plugins or any(isinstance(each, dict) and point in each for each in held)
