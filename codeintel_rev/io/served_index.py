"""The index that answers now: opened once, shared by all threads, replaced when a new generation is published."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from codeintel_rev.io.hybrid_search import HybridSearch, lazy_embedder
from codeintel_rev.io.symbols import Symbols

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from codeintel_rev.config.settings import Settings
    from codeintel_rev.io.embedders import Embedder
    from codeintel_rev.io.generations import IndexFolder
    from codeintel_rev.io.lazily import Lazy


class Opened:
    """One generation, in use by `users` calls; it is closed after the last of them once it was replaced."""

    def __init__(self, generation: Path, settings: Settings, embedder: Lazy[Embedder]) -> None:
        self.generation = generation
        self.symbols = Symbols(generation)
        self.search = HybridSearch(generation, settings, embedder)
        self.users = 0
        self.replaced = False

    def close(self) -> None:
        self.search.close()
        self.symbols.close()


class ServedIndex:
    """Nothing is opened before the first question."""

    def __init__(self, folder: IndexFolder, settings: Settings) -> None:
        self._folder = folder
        self._settings = settings
        self._embedder = lazy_embedder(settings)  # the model stays when the generation goes
        self._opened: Opened | None = None
        self._lock = threading.Lock()
        self._opening = threading.Lock()

    @contextmanager
    def current(self) -> Iterator[Opened]:
        """NotFoundError without an index, DamagedIndexError for one that cannot be read."""
        opened = self._lease(self._folder.current())
        try:
            yield opened
        finally:
            self._give_back(opened)

    def close(self) -> None:
        with self._lock:
            opened, self._opened = self._opened, None
            if opened is not None:
                self._retire(opened)
        self._embedder.close()

    def _lease(self, generation: Path) -> Opened:
        if (leased := self._taken(generation)) is not None:
            return leased
        # While one thread opens the new generation the others go on with the old one; without an old one they wait.
        if not self._opening.acquire(blocking=self._opened is None):
            return self._taken(None) or self._lease(generation)
        try:
            return self._taken(generation) or self._replace(generation)
        finally:
            self._opening.release()

    def _taken(self, generation: Path | None) -> Opened | None:
        """The open index, when it is of that generation; of any for None."""
        with self._lock:
            opened = self._opened
            if opened is None or generation not in (None, opened.generation):
                return None
            opened.users += 1
            return opened

    def _replace(self, generation: Path) -> Opened:
        fresh = Opened(generation, self._settings, self._embedder)
        fresh.users = 1
        with self._lock:
            old, self._opened = self._opened, fresh
            if old is not None:
                self._retire(old)
        return fresh

    def _give_back(self, opened: Opened) -> None:
        with self._lock:
            opened.users -= 1
            if opened.replaced and not opened.users:
                opened.close()

    def _retire(self, opened: Opened) -> None:
        opened.replaced = True
        if not opened.users:
            opened.close()
