"""What the processes of a run watched, read from their manifests and activation records: the witness of `plugins`."""

from __future__ import annotations

from collections import Counter
from typing import Any

from .ledgers import Attempt, Record

KEYS = {"name", "process", "library", "version", "disabled", "facts", "not_wrapped", "evidence"}


def refuted(plugin: dict[str, Any], manifest: dict[str, Any], attempt: Attempt) -> list[str]:
    """Return what ``plugin``, an entry of a report, says that its manifest and the activations it cites do not."""
    evidence = plugin["evidence"]
    cited = [attempt.cited(each) for each in evidence[1:]]
    activations = [records[0] for records in cited if records and len(records) == 1]
    if evidence[:1] != [f"{plugin['process']}.json"] or len(activations) != len(cited):
        return [f"evidence of {plugin['name']} is {evidence}"]
    if any(not _is_of(record, plugin["name"]) for record in activations):
        return [f"evidence of {plugin['name']} is {evidence}"]
    said = _said(plugin["name"], manifest, activations)
    wrong = [f"{key} of {plugin['name']} is {value}" for key, value in said.items() if plugin[key] != value]
    return wrong + ([f"unknown in {plugin['name']}"] if set(plugin) != KEYS else [])


def _is_of(record: Record, plugin: str) -> bool:
    return record["event"] == "activation" and record["payload"].get("plugin") == plugin


def _said(plugin: str, manifest: dict[str, Any], activations: list[Record]) -> dict[str, Any]:
    first = manifest.get("plugins", {}).get(plugin, {})
    points = first.get("points", {})
    said = {
        "library": first.get("library"),
        "version": first.get("version"),
        "disabled": first.get("disabled"),
        "facts": dict(Counter(points.values())),
        "not_wrapped": [row for row, fact in points.items() if fact != "wrapped"],
    }
    for record in activations:
        payload = record["payload"]
        said["library"] = payload.get("library") or said["library"]
        said["version"] = payload.get("version") or said["version"]
        said["facts"] = payload.get("points", {})
        said["not_wrapped"] = payload.get("not_wrapped", [])
    return said
