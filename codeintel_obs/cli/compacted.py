"""Lets commands read and remove what lies in packs: DuckDB is imported when the first pack has to be read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from codeintel_obs.ledger import opening

if TYPE_CHECKING:
    from codeintel_obs.ledger.packs import Pack, Packed
    from codeintel_obs.ledger.removal import Repack


def readable() -> None:
    """Have this process read packed ledger files like any."""
    opening.unpack = _unpack


def _unpack(held: Packed) -> int:
    from codeintel_obs.query.reading import Unpacker

    unpacker = Unpacker()
    opening.unpack = unpacker.open  # which keeps what it read, for the next
    return unpacker.open(held)


def repacking(folders: Iterable[str]) -> Repack | None:
    """Return what takes files out of packs; None where there are no packs, or no DuckDB to make them anew."""
    from importlib.util import find_spec

    from codeintel_obs.ledger.packs import packed_days

    if find_spec("duckdb") is None or not any(map(packed_days, folders)):
        return None
    return _repack


def _repack(pack: Pack, names: set[str]) -> None:
    from codeintel_obs.query.repacking import take_out

    take_out(pack, names)


def settle_all(folders: Iterable[str]) -> None:
    """Take out of packs what lies beside them made anew: redacted. Where there are no packs nothing is imported."""
    from codeintel_obs.ledger.packs import packed_days

    for folder in folders:
        for day in packed_days(folder):
            from codeintel_obs.query.repacking import settle

            settle(folder, day, finish=False)
