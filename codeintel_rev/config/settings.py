"""What may be chosen from outside: one frozen object, read once from the environment and the repository's file.

Every field has the name of its line in `codeintel_rev.toml` (section and key) and of its variable in the
environment (`CODEINTEL_REV_<SECTION>_<KEY>`), which wins. `config.sources` does the reading.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

INDEX_FOLDER = ".codeintel-rev"

EmbeddingKind = Literal["local", "vllm", "vllm_inprocess", "sentence_transformers", "none"]
Truncation = Literal["vllm", "none"]
RerankKind = Literal["none", "vllm", "cross_encoder"]
RerankEndpoint = Literal["rerank", "score"]
Store = Literal["faiss", "qdrant"]
FaissKind = Literal["auto", "flat", "hnsw", "ivfpq"]
Gpu = Literal["auto", "off"]

# Translations, locked versions and drawings: long, and nobody asks for them by what they mean.
WORDS_ONLY = ("*.po", "*.pot", "*.lock", "package-lock.json", "pnpm-lock.yaml", "go.sum", "*.svg")

# read from the environment only: a file in a repository is no place for a secret
SECRET = {"secret": True}


@dataclass(frozen=True, slots=True)
class EmbeddingSettings:
    """Who makes the vectors. Times are seconds.

    `model`: the served name (vllm), else a directory or hub id. `dim`: what the model gives; 0 asks it.
    `revision` and `document_prefix` become part of the model's identity, `query_prefix` does not.
    `truncation`: whether the server is told to cut what is too long, which vLLM else refuses and others do unasked.
    `words_only`: patterns of paths, as in .gitignore, of which no vectors are made; they are found by their words.
    `timeout` bounds one request, `deadline` one batch with its retries, `query_timeout` the query of a search.
    """

    kind: EmbeddingKind = "local"
    model: str = ""
    revision: str = ""
    url: str = ""
    api_key: str = field(default="", repr=False, metadata=SECRET)
    dim: int = 0
    query_prefix: str = ""
    document_prefix: str = ""
    truncation: Truncation = "vllm"
    words_only: tuple[str, ...] = WORDS_ONLY
    batch_size: int = 64
    concurrency: int = 4
    attempts: int = 5
    timeout: float = 60.0
    deadline: float = 300.0
    query_timeout: float = 2.0


@dataclass(frozen=True, slots=True)
class VectorSettings:
    """Where the vectors lie. `url` empty with `store = "qdrant"`: embedded, inside the generation."""

    store: Store = "faiss"
    kind: FaissKind = "auto"
    gpu: Gpu = "auto"
    url: str = ""
    api_key: str = field(default="", repr=False, metadata=SECRET)
    timeout: float = 10.0


@dataclass(frozen=True, slots=True)
class SpladeSettings:
    """`model`: a directory or hub id of a SparseEncoder; empty: the channel is skipped."""

    model: str = ""
    revision: str = ""


@dataclass(frozen=True, slots=True)
class RerankSettings:
    """`depth`: how many of the fused hits are scored again."""

    kind: RerankKind = "none"
    model: str = ""
    revision: str = ""
    url: str = ""
    api_key: str = field(default="", repr=False, metadata=SECRET)
    endpoint: RerankEndpoint = "rerank"
    depth: int = 50
    timeout: float = 5.0


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """`deadline`: seconds for a whole search. `weights`: by channel, over those of the query's kind.

    `rest`: seconds for which a channel that has failed is not asked again. `recency`: how much a hit of the
    indexed commit's own day gains over one that is far older; it halves every `half_life_days`.
    """

    deadline: float = 10.0
    rest: float = 5.0
    recency: float = 0.05
    half_life_days: float = 90.0
    weights: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settings:
    """`model_dir`: a folder with `model.safetensors` and `tokenizer.json`; None: the installed package."""

    cache_dir: Path
    model_dir: Path | None = None
    embedding: EmbeddingSettings = EmbeddingSettings()
    vectors: VectorSettings = VectorSettings()
    splade: SpladeSettings = SpladeSettings()
    rerank: RerankSettings = RerankSettings()
    search: SearchSettings = SearchSettings()

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """The environment alone, for who has no repository; empty is unset. UsageError names what is wrong."""
        return cls.load(None, environ)

    @classmethod
    def load(cls, repo: Path | None, environ: Mapping[str, str] | None = None) -> Settings:
        """The environment over `codeintel_rev.toml` of the repository that `repo` is in, over the defaults."""
        from codeintel_rev.config.sources import read_settings

        return read_settings(repo, environ)


def index_folder(root: Path, override: Path | None) -> Path:
    return override.absolute() if override else root / INDEX_FOLDER
