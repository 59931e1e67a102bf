"""What of the dense encoders is no point, with reasons: patterns of methods' names."""

from __future__ import annotations

from typing import Final

from codeintel_obs.plugins.sentences import exclusions

EXCLUSIONS: Final = exclusions(
    {
        "one product of embeddings that the application has": "similarity similarity_pairwise",
        "cuts embeddings for the length of a with block; the encodings in it are points": "truncate_*embeddings",
    }
)
