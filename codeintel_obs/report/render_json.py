"""A Run Report as JSON, and the JSON Schema that says what that JSON holds."""

from __future__ import annotations

from importlib import resources
from inspect import cleandoc
from typing import Any

import msgspec

from codeintel_obs.report_model import REPORT_SCHEMA, RunReport


def render(report: RunReport) -> str:
    """Return ``report`` as indented JSON; every field is there, null where it is unknown."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n"


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a report, as made from the structs."""
    made = msgspec.json.schema(RunReport)
    for struct in made["$defs"].values():  # docstrings as Python 3.13 has them: without the source's indentation
        if "description" in struct:
            struct["description"] = cleandoc(struct["description"])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": REPORT_SCHEMA, **made}


def schema_text() -> str:
    """Return the schema as the text of the file that ships in the package."""
    return msgspec.json.format(msgspec.json.encode(schema(), order="deterministic"), indent=2).decode() + "\n"


def shipped_schema() -> str:
    """Return the text of the shipped file."""
    return (resources.files("codeintel_obs.report") / "run_report.schema.json").read_text(encoding="utf-8")
