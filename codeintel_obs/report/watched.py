"""What each process watched: the activation facts of its plugins, from its manifest and later records."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from codeintel_obs.report.entries import Entry, cite, text_in
from codeintel_obs.report_model import PluginFacts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

WRAPPED: Final = "wrapped"


@dataclass(frozen=True, slots=True)
class KindFact:
    """Whether one process watched one kind: ``wrapped`` when every point of the kind was, else what one of them was."""

    plugin: str
    kind: str
    fact: str
    evidence: str


class Watched:
    """The facts of every process: as its manifest has them, and as later ``activation`` records changed them."""

    def __init__(self, manifests: Mapping[str, Mapping[str, Any]]) -> None:
        self._plugins: dict[tuple[str, str], PluginFacts] = {}
        self._kinds: dict[tuple[str, str, str], KindFact] = {}
        self._idle: dict[tuple[str, str], str] = {}
        """Plugins that were not loaded, and so have no kinds on record, each with the reason."""
        for process, manifest in manifests.items():
            for name, facts in _items(manifest.get("plugins")):
                if isinstance(facts, dict):
                    self._from_manifest(process, name, facts)

    def change(self, entry: Entry, process: str | None) -> None:
        """Take an ``activation`` record of ``process``."""
        payload = entry[1].payload or {}
        name, process = str(payload.get("plugin")), process or ""
        self._idle.pop((process, name), None)
        facts = self._plugins.setdefault((process, name), _empty(name, process))
        facts.library = text_in(payload, "library") or facts.library
        facts.version = text_in(payload, "version") or facts.version
        facts.facts = {fact: count for fact, count in _items(payload.get("points")) if isinstance(count, int)}
        rows = payload.get("not_wrapped")
        facts.not_wrapped = [str(row) for row in rows] if isinstance(rows, list) else []
        facts.evidence.append(cite(entry))
        self._take_kinds(process, name, payload.get("kinds"), cite(entry))

    def plugins(self) -> list[PluginFacts]:
        """Return one entry per plugin and process, by name."""
        return sorted(self._plugins.values(), key=lambda facts: (facts.name, facts.process or ""))

    def kind(self, kind: str) -> list[KindFact]:
        """Return what every process that knows ``kind`` says of it, or of the plugin by whose name it begins."""
        plugin = kind.partition(".")[0]
        idle = [KindFact(name, kind, fact, f"{process}.json#{name}") for (process, name), fact in self._idle.items()
                if name == plugin and (process, name, kind) not in self._kinds]  # fmt: skip
        return [*(fact for fact in self._kinds.values() if fact.kind == kind), *idle]

    def _from_manifest(self, process: str, name: str, facts: Mapping[str, Any]) -> None:
        points = {row: str(fact) for row, fact in _items(facts.get("points"))}
        kept = self._plugins[process, name] = _empty(name, process)
        kept.library, kept.version, kept.disabled = (text_in(facts, key) for key in ("library", "version", "disabled"))
        idle = facts.get("disabled") or facts.get("fact")
        if isinstance(idle, str) and not points:
            self._idle[process, name] = idle
        kept.facts = dict(Counter(points.values()))
        kept.not_wrapped = [row for row, fact in points.items() if fact != WRAPPED]
        kept.evidence = [f"{process}.json"]
        self._take_kinds(process, name, facts.get("kinds"), None)

    def _take_kinds(self, process: str, plugin: str, kinds: Any, evidence: str | None) -> None:
        for kind, fact in _items(kinds):
            cited = evidence or f"{process}.json#{kind}"
            self._kinds[process, plugin, kind] = KindFact(plugin, kind, str(fact), cited)


def watched(manifests: Mapping[str, Mapping[str, Any]], changes: Iterable[tuple[str, Entry]]) -> Watched:
    """Return the facts after all ``changes``, each with the process that told of it."""
    facts = Watched(manifests)
    for process, entry in changes:
        facts.change(entry, process)
    return facts


def _empty(name: str, process: str) -> PluginFacts:
    return PluginFacts(
        name=name,
        process=process or None,
        library=None,
        version=None,
        disabled=None,
        facts={},
        not_wrapped=[],
        evidence=[],
    )


def _items(value: Any) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, dict) else []
