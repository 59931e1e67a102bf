"""The instrumentor for codeintel_rev: the class with its table of points, payload keys and plans."""

from __future__ import annotations

from typing import ClassVar, Final

from codeintel_obs.instrumentor import LibraryInstrumentor
from codeintel_obs.plugins.codeintel_rev.describe import SKIPPED_KINDS
from codeintel_obs.plugins.codeintel_rev.exclusions import EXCLUSIONS
from codeintel_obs.plugins.codeintel_rev.plans import PLANS
from codeintel_obs.plugins.codeintel_rev.points import POINTS
from codeintel_obs.steps import FieldClass

_COUNTS: Final = """
    query_len k hits degraded names depths weights seconds rrf_k found warnings fused_docs docs boosted rows scored
    matches files files_skipped start end total lines limit offset globs items pid commits_behind dirty changed
    patterns chunks vectors embedded reused unparsed missing dim exit_code http_status
"""
_CODES: Final = "query_kind channels channel outcomes outcome rerank more indexed indexing vectors_wanted working_tree"


class CodeIntelRevInstrumentor(LibraryInstrumentor):
    """Watches the stages of codeintel_rev, as its table says."""

    plugin = "codeintel_rev"
    library = "codeintel_rev"
    requires = ("codeintel-obs",)
    points = POINTS
    plans = PLANS
    instants = (*SKIPPED_KINDS, "error")
    fields: ClassVar = {
        **dict.fromkeys(_COUNTS.split(), FieldClass.COUNT),
        **dict.fromkeys(_CODES.split(), FieldClass.CODE),
        **dict.fromkeys(("commit", "head", "generation"), FieldClass.ID),
        "path": FieldClass.PATH,
        **dict.fromkeys(("query", "pattern", "name"), FieldClass.TEXT),
    }
    exclusions = EXCLUSIONS
