"""Reads what is evaluated on: folders and source distributions, named so that anybody can have the same."""

from __future__ import annotations

import hashlib
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codeintel_rev.errors import NotFoundError, UsageError
from codeintel_rev.evaluation.docstrings import Stripped, is_test, strip, unambiguous

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from codeintel_rev.evaluation.docstrings import Question

LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Corpus:
    """`sha256` is the archive's, empty for a folder. Paths of `files` begin with `name`."""

    name: str
    sha256: str
    files: tuple[Stripped, ...]
    questions: tuple[Question, ...]


def read_corpus(source: Path) -> Corpus:
    """A folder, or a source distribution (.tar.gz), which is read and never unpacked. NotFoundError, UsageError."""
    if source.is_dir():
        return _corpus(source.resolve().name, "", _of_folder(source))
    if not source.is_file():
        raise NotFoundError(f"{source} does not exist", "Mend: give a folder or a source distribution")
    try:
        digest = hashlib.sha256(source.read_bytes()).hexdigest()
        return _corpus(source.name.removesuffix(".tar.gz"), digest, _of_archive(source))
    except (tarfile.TarError, EOFError, OSError) as error:
        raise UsageError(f"{source} is no source distribution: {error}", "Mend: give a .tar.gz or a folder") from error


def _corpus(name: str, digest: str, texts: Iterator[tuple[str, str]]) -> Corpus:
    stripped = [strip(f"{name}/{path}", text) for path, text in sorted(texts) if not is_test(path)]
    files = [file for file in stripped if file is not None]
    questions = unambiguous(question for file in files for question in file.questions)
    return Corpus(name, digest, tuple(files), tuple(questions))


def _of_folder(root: Path) -> Iterator[tuple[str, str]]:
    for path in root.rglob("*.py"):
        if not path.is_symlink() and path.is_file() and path.stat().st_size <= LARGEST:
            yield from _decoded(path.relative_to(root).as_posix(), path.read_bytes())


def _of_archive(source: Path) -> Iterator[tuple[str, str]]:
    with tarfile.open(source, "r:gz") as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.isfile() and member.size <= LARGEST else None
            if stream is not None and member.name.endswith(".py"):
                # without the distribution's own folder, which is its name once more
                yield from _decoded(member.name.partition("/")[2], stream.read())


def _decoded(path: str, content: bytes) -> Iterator[tuple[str, str]]:
    try:
        yield path, content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return
