"""Finds the model's two files, proves that they are the published ones, keeps them beside their graph."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from codeintel_rev.config import model as config
from codeintel_rev.errors import ModelUnavailableError

if TYPE_CHECKING:
    from codeintel_rev.config.model import ModelSpec
    from codeintel_rev.config.settings import Settings

WEIGHTS = "model.safetensors"
TOKENIZER = "tokenizer.json"
GRAPH = "model.onnx"
GRAPH_VERSION = 1


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """`graph` refers to `model.safetensors` in its own folder; both hashes were checked just before."""

    graph: Path
    tokenizer: Path


def source_folder(settings: Settings) -> Path:
    """Where the original files lie. The package is looked up and never imported: it would pull in torch."""
    if settings.model_dir is not None:
        return settings.model_dir
    spec = importlib.util.find_spec(config.MODULE)
    if spec is None or spec.origin is None:
        raise ModelUnavailableError(f"the package {config.PACKAGE} is not installed", config.MEND)
    return Path(spec.origin).parent / "model"


def prepared_files(settings: Settings, spec: ModelSpec = config.MINILM) -> ModelFiles:
    """Verified files in the cache folder, made on first use; raises ModelUnavailableError with its reason."""
    folder = settings.cache_dir / f"minilm-{spec.weights_sha256[:12]}-g{GRAPH_VERSION}"
    source = source_folder(settings)
    verify(source, spec)
    try:
        if not _usable(folder, source, spec):
            _make(folder, source, spec)
    except OSError as error:
        raise ModelUnavailableError(f"the model cache {folder} cannot be used: {error}", _CACHE_MEND) from error
    return ModelFiles(graph=folder / GRAPH, tokenizer=folder / TOKENIZER)


_CACHE_MEND = "Mend: set CODEINTEL_REV_CACHE to a folder that can be written"


def verify(folder: Path, spec: ModelSpec) -> None:
    """Raises ModelUnavailableError naming the file that is missing or has another SHA-256."""
    for name, wanted in ((WEIGHTS, spec.weights_sha256), (TOKENIZER, spec.tokenizer_sha256)):
        path = folder / name
        try:
            with path.open("rb") as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise ModelUnavailableError(f"{path} cannot be read: {error.strerror}", config.MEND) from error
        if found != wanted:
            what = f"{path} is refused: its SHA-256 is {found[:12]}…, the published {wanted[:12]}…"
            raise ModelUnavailableError(what, config.MEND)


def _usable(folder: Path, source: Path, spec: ModelSpec) -> bool:
    if not (folder / GRAPH).is_file():
        return False
    try:
        if not all(_same(folder / name, source / name) for name in (WEIGHTS, TOKENIZER)):
            verify(folder, spec)
    except ModelUnavailableError:
        shutil.rmtree(folder, ignore_errors=True)  # a damaged copy is made again from the verified source
        return False
    return True


def _same(one: Path, other: Path) -> bool:
    return one.exists() and one.samefile(other)  # a hard link: just verified under its other name


def _make(folder: Path, source: Path, spec: ModelSpec) -> None:
    from codeintel_rev.io.minilm_graph import build_graph  # needs onnx, which running the graph does not

    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=folder.parent) as made:
        draft = Path(made) / "model"
        draft.mkdir()
        for name in (WEIGHTS, TOKENIZER):
            _link_or_copy(source / name, draft / name)
        (draft / GRAPH).write_bytes(build_graph(draft / WEIGHTS, spec))
        try:
            draft.rename(folder)
        except OSError:
            if not _usable(folder, source, spec):  # otherwise another process was first, with the same result
                raise


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or links are forbidden
        shutil.copyfile(source, target)
