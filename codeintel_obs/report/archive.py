"""A zip of a run's very files and its processes' manifests: unpacked, it is a data directory that every command reads."""

from __future__ import annotations

import os
import time
import zipfile
from collections.abc import Iterable
from typing import Final

from codeintel_obs.ledger.manifest import locate, read_manifest
from codeintel_obs.ledger.opening import opened
from codeintel_obs.ledger.places import PROCESSES, RUNS
from codeintel_obs.report.attempts import Attempt

_BLOCK: Final = 1_048_576
_EARLIEST: Final = (1980, 1, 1, 0, 0, 0)  # what a zip can say


def write_zip(path: str, attempts: Iterable[Attempt]) -> int:
    """Write the files of ``attempts`` to ``path``, whole or not at all; return how many ledger files. Raises OSError."""
    hidden = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.{os.urandom(4).hex()}.tmp")
    count, manifests = 0, set()
    try:
        with zipfile.ZipFile(hidden, "x", zipfile.ZIP_DEFLATED) as archive:
            for attempt in attempts:
                for file in attempt.files.files():
                    _add_file(archive, file.path, "/".join((*RUNS, file.place)))
                    count += 1
                manifests |= {(attempt.files.data_dir, writer.manifest) for writer in attempt.files.writers}
            for data_dir, name in sorted((data_dir, name) for data_dir, name in manifests if name):
                _add_manifest(archive, data_dir, name)
        os.replace(hidden, path)
    finally:
        if os.path.lexists(hidden):
            os.unlink(hidden)
    return count


def _add_file(archive: zipfile.ZipFile, path: str, name: str) -> None:
    with open(opened(path), "rb") as source:
        about = os.fstat(source.fileno())
        told = zipfile.ZipInfo(name, max(_EARLIEST, time.gmtime(about.st_mtime)[:6]))
        told.external_attr = about.st_mode << 16  # that a file is closed, its permissions say
        told.compress_type = zipfile.ZIP_DEFLATED
        with archive.open(told, "w", force_zip64=True) as out:
            while data := source.read(_BLOCK):
                out.write(data)


def _add_manifest(archive: zipfile.ZipFile, data_dir: str, name: str) -> None:
    path = locate(data_dir, name)
    data = read_manifest(path) if path else None
    if data is not None:
        archive.writestr("/".join((*PROCESSES, name)), data)
