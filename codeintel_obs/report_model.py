"""The words of a Run Report that writers and readers share; imports nothing of ours."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

REPORT_SCHEMA: Final = "codeintel.run_report/2.1"
PROOF_SCHEMA: Final = "codeintel.report_proof/1"
DIFF_SCHEMA: Final = "codeintel.run_diff/1"
OUTCOMES: Final = ("completed", "failed", "timed_out", "interrupted", "in_progress", "ended", "unknown")

OutcomeWord = Literal["completed", "failed", "timed_out", "interrupted", "in_progress", "ended", "unknown"]
StepStatus = Literal["completed", "skipped", "failed", "timed_out", "in_flight"]
Absence = Literal["skipped", "not_reached", "not_observed"]
Evidence = list[str]
"""Each: ``<day>/<file>:n``, ``<day>/<file>:a-b``, ``<manifest>#<point>`` or ``span:<trace>/<span>``."""


class ChainEntry(msgspec.Struct, kw_only=True):
    """One exception of a chain: ``of`` is the id of the exception it hangs from."""

    id: str
    type: str
    via: str
    of: str | None = None


class ReportError(msgspec.Struct, kw_only=True):
    """An exception as recorded; the same ``id`` is the same exception object."""

    type: str
    message: str | None = None
    id: str | None = None
    chain: list[ChainEntry] = []


class ReportLink(msgspec.Struct, kw_only=True):
    """A step of this or another run that a step points at."""

    run_id: str | None = None
    trace_id: str | None = None
    span_id: str | None = None


class ReportStep(msgspec.Struct, kw_only=True):
    """One unit of work. ``process`` is its process's manifest; ``late`` means ended after its run."""

    id: str
    parent: str | None
    kind: str
    status: StepStatus
    detail: str | None
    payload: dict[str, Any]
    started_at: str | None
    duration_ns: int | None
    process: str | None
    error: ReportError | None
    evidence: Evidence
    links: list[ReportLink] = []
    late: bool = False


class Raised(msgspec.Struct, kw_only=True):
    """One exception on the way to a stop: how it hangs from another, and the step that first raised it.

    ``message`` is None where it is on no record: of one that no step raised, and that did not end the run itself.
    """

    error_id: str
    error_type: str
    via: str
    step: str | None
    evidence: Evidence
    message: str | None = None


class Elsewhere(msgspec.Struct, kw_only=True):
    """A failure of another process under the step that stopped the run, as span ids tell: beside the reason, not it."""

    step: str
    kind: str
    status: str
    error_type: str | None
    message: str | None
    process: str | None
    evidence: Evidence


class StopReason(msgspec.Struct, kw_only=True):
    """What ended a run that failed. ``trail`` goes from the exception that ended it down causes and groups.

    ``while_handling`` names exceptions that were being handled when one of the trail was raised, ``elsewhere`` what
    failed in other processes under the step.
    """

    kind: str | None
    status: str
    error_type: str | None
    message: str | None
    step: str | None
    while_handling: list[Raised]
    trail: list[Raised]
    evidence: Evidence
    elsewhere: list[Elsewhere] = []


class Exit(msgspec.Struct, kw_only=True):
    """How the supervisor saw a process end: by ``code`` or by ``signal``."""

    pid: int | None
    code: int | None
    signal: int | None
    evidence: Evidence


class DidNotRun(msgspec.Struct, kw_only=True):
    """A kind that did not run, ``count`` times for the same reason."""

    kind: str
    why: Absence
    detail: str | None
    count: int
    evidence: Evidence


class Recovery(msgspec.Struct, kw_only=True):
    """Derived: a step of the same kind under the same parent completed after this one failed."""

    kind: str
    failed: str
    completed: str
    evidence: Evidence


class ReportSpan(msgspec.Struct, kw_only=True):
    """A span of somebody else's in this run, as the ledger has it."""

    id: str
    parent: str | None
    trace_id: str | None
    status: str | None
    payload: dict[str, Any]
    started_at: str | None
    duration_ns: int | None
    evidence: Evidence


class ReportLog(msgspec.Struct, kw_only=True):
    """A log record of the application; ``step`` is the step it was logged in."""

    at: str
    logger: str | None
    level: str | None
    text: str | None
    step: str | None
    error: ReportError | None
    evidence: Evidence


class Disagreement(msgspec.Struct, kw_only=True):
    """Where the ledger and a sampled span say different things about one step."""

    step: str
    what: str
    evidence: Evidence


class IntegrityFacts(msgspec.Struct, kw_only=True):
    """Whether the ledger holds what its writers wrote; ``gaps`` and ``bad_crc`` say where it does not.

    ``read`` is what the report was made from, a range per file: a ledger may grow after that.
    """

    complete: bool | None
    files: int
    records: int
    gaps: Evidence
    bad_crc: Evidence
    torn_tail: Evidence
    duplicates: Evidence
    dropped: int
    read: Evidence = []


class PluginFacts(msgspec.Struct, kw_only=True):
    """What a plugin watched in one process: how many of its points per activation fact, and which not at all."""

    name: str
    process: str | None
    library: str | None
    version: str | None
    disabled: str | None
    facts: dict[str, int]
    not_wrapped: list[str]
    evidence: Evidence


class ProcessFacts(msgspec.Struct, kw_only=True):
    """One process that wrote into this attempt. ``alive`` is null where that cannot be known."""

    process: str | None
    writer: str | None
    host: str | None
    pid: int | None
    service: str | None
    began: bool
    closed: bool
    alive: bool | None
    evidence: Evidence


class Told(msgspec.Struct, kw_only=True):
    """A warning or a hint, and where it comes from."""

    message: str
    evidence: Evidence


class RunReport(msgspec.Struct, kw_only=True):
    """The Run Report v2.1 of one attempt: what ran, what did not, and why it stopped where it did."""

    schema: Literal["codeintel.run_report/2.1"] = REPORT_SCHEMA
    run_id: str
    raw_run_id: str | None
    parent_run_id: str | None
    session_id: str | None
    name: str | None
    attempt: int
    attempts: int
    token: str
    trace_ids: list[str]
    started_at: str | None
    ended_at: str | None
    duration_ns: int | None
    outcome: OutcomeWord
    outcome_evidence: Evidence
    exit: Exit | None
    stopped_because: StopReason | None
    steps: list[ReportStep]
    steps_total: int
    steps_omitted: int
    steps_sample: str | None
    ran: dict[str, dict[str, int]]
    did_not_run: list[DidNotRun]
    in_flight: list[str]
    handled_failures: list[str]
    recovered: list[Recovery]
    spans: list[ReportSpan]
    spans_total: int
    logs: list[ReportLog]
    logs_total: int
    disagreements: list[Disagreement]
    integrity: IntegrityFacts
    processes: list[ProcessFacts]
    plugins: list[PluginFacts]
    warnings: list[Told]
    hints: list[Told]
    sections: list[dict[str, Any]]
    ledger_path: str | None


class Refuted(msgspec.Struct, kw_only=True):
    """A statement of a report that its ledger does not bear out: what it says, and what was found, as JSON."""

    statement: str
    told: str
    found: str


class ReportProof(msgspec.Struct, kw_only=True):
    """What became of a report that was proved again. ``records_since`` were written after it was made."""

    schema: Literal["codeintel.report_proof/1"] = PROOF_SCHEMA
    run_id: str
    attempt: int
    proved: bool
    statements: int
    evidence: int
    refuted: list[Refuted]
    refuted_total: int
    unresolved: Evidence
    unresolved_total: int
    records_since: int


class DiffSide(msgspec.Struct, kw_only=True):
    """One of two runs that are compared; ``stopped_because`` is its kind, error type and message."""

    run_id: str
    attempt: int
    name: str | None
    outcome: OutcomeWord
    stopped_because: list[str | None] | None
    steps_total: int
    complete: bool | None
    ledger_path: str | None


class CountChange(msgspec.Struct, kw_only=True):
    """Steps of one identity that one run has and the other has not, or has fewer of."""

    path: str
    a: int
    b: int
    evidence: Evidence


class StatusChange(msgspec.Struct, kw_only=True):
    """Steps of one identity that ended otherwise: how many with each status and error type."""

    path: str
    a: dict[str, int]
    b: dict[str, int]
    evidence: Evidence


class PayloadChange(msgspec.Struct, kw_only=True):
    """A payload key of one identity whose values differ: those, as JSON, that only one of the runs has."""

    path: str
    key: str
    a: list[str]
    b: list[str]
    evidence: Evidence


class DurationChange(msgspec.Struct, kw_only=True):
    """Completed steps of one identity that took longer or shorter: medians, their ratio, and the noise in each run.

    ``noise`` is the range from the 10th to the 90th percentile in each run, or says that it is not known.
    """

    path: str
    a_ns: int
    b_ns: int
    ratio: float
    a_count: int
    b_count: int
    noise: str
    evidence: Evidence


class RunDiff(msgspec.Struct, kw_only=True):
    """What is other in run ``b`` than in run ``a``, by step identity. ``noise`` was seen and is not told as a change."""

    schema: Literal["codeintel.run_diff/1"] = DIFF_SCHEMA
    a: DiffSide
    b: DiffSide
    same: bool
    appeared: list[CountChange]
    vanished: list[CountChange]
    changed_status: list[StatusChange]
    changed_payload: list[PayloadChange]
    slower: list[DurationChange]
    faster: list[DurationChange]
    noise: list[str]
    warnings: list[str]
