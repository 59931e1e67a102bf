"""Where things lie on this machine, read from the environment once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

INDEX_FOLDER = ".codeintel-rev"


@dataclass(frozen=True, slots=True)
class Settings:
    """`model_dir`: a folder with `model.safetensors` and `tokenizer.json`; None: the installed package."""

    cache_dir: Path
    model_dir: Path | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read CODEINTEL_REV_CACHE, CODEINTEL_REV_MODEL_DIR and XDG_CACHE_HOME; empty is unset."""
        env = os.environ if environ is None else environ
        base = Path(env.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        model = env.get("CODEINTEL_REV_MODEL_DIR")
        return cls(
            cache_dir=Path(env.get("CODEINTEL_REV_CACHE") or base / "codeintel-rev").absolute(),
            model_dir=Path(model).absolute() if model else None,
        )


def index_folder(root: Path, override: Path | None) -> Path:
    return override.absolute() if override else root / INDEX_FOLDER
