"""What of ``CrossEncoder`` is no point, with reasons: patterns of methods' names."""

from __future__ import annotations

from typing import Final

from codeintel_obs.plugins.sentences import exclusions

EXCLUSIONS: Final = exclusions({})
