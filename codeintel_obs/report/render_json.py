"""A Run Report as JSON, and the JSON Schemas that say what the JSON of the commands holds."""

from __future__ import annotations

from importlib import resources
from inspect import cleandoc
from typing import Any, Final

import msgspec

from codeintel_obs.report_model import (
    DIFF_SCHEMA,
    PROOF_SCHEMA,
    REPORT_SCHEMA,
    ReportProof,
    RunDiff,
    RunReport,
)

SCHEMAS: Final = {
    "run_report": (REPORT_SCHEMA, RunReport),
    "report_proof": (PROOF_SCHEMA, ReportProof),
    "run_diff": (DIFF_SCHEMA, RunDiff),
}
"""What the commands print as JSON: each has its schema in the package, ``<name>.schema.json``."""


def render(report: RunReport) -> str:
    """Return ``report`` as indented JSON; every field is there, null where it is unknown."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n"


def schema(name: str = "run_report") -> dict[str, Any]:
    """Return a JSON Schema as made from the structs; ``name`` is one of `SCHEMAS`."""
    identity, struct = SCHEMAS[name]
    made = msgspec.json.schema(struct)
    for part in made["$defs"].values():  # docstrings as Python 3.13 has them: without the source's indentation
        if "description" in part:
            part["description"] = cleandoc(part["description"])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": identity, **made}


def schema_text(name: str = "run_report") -> str:
    """Return a schema as the text of the file that ships in the package."""
    return msgspec.json.format(msgspec.json.encode(schema(name), order="deterministic"), indent=2).decode() + "\n"


def shipped_schema(name: str = "run_report") -> str:
    """Return the text of the shipped file."""
    return (resources.files("codeintel_obs.report") / f"{name}.schema.json").read_text(encoding="utf-8")
