"""What of ``SparseEncoder`` is no point, with reasons: patterns of methods' names."""

from __future__ import annotations

from typing import Final

from codeintel_obs.plugins.sentences import exclusions

EXCLUSIONS: Final = exclusions(
    {
        "one product or comparison of embeddings that the application has": """
            similarity similarity_pairwise intersection sparsity
        """,
        "looks the words of an embedding up in the vocabulary": "decode",
    }
)
