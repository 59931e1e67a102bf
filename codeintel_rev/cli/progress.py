"""A bar with an estimate for who watches a terminal, and a line now and then for a log."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress as RichProgress

    from codeintel_rev.indexing.progress import Progress

SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def shown(*, quiet: bool) -> Iterator[Progress]:
    """On stderr. A terminal gets the bar, unless `quiet`; everything else gets plain lines, few of them."""
    if quiet or not sys.stderr.isatty():
        yield Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as display:
        yield Bar(display)


class Bar:
    """One bar per stage."""

    def __init__(self, display: RichProgress) -> None:
        self._display = display
        self._task = display.add_task("starting", total=None)

    def stage(self, label: str, total: int) -> None:
        self._display.remove_task(self._task)
        self._task = self._display.add_task(label, total=total)

    def advance(self, units: int = 1) -> None:
        self._display.advance(self._task, units)


class Lines:
    """Nothing for work that is quickly done; else where it is and how long it will take."""

    def __init__(self) -> None:
        self.stage("", 0)

    def stage(self, label: str, total: int) -> None:
        self._label, self._total, self._done = label, total, 0
        self._begun = self._told = time.monotonic()

    def advance(self, units: int = 1) -> None:
        self._done += units
        now = time.monotonic()
        if now - self._told < SECONDS_BETWEEN_LINES:
            return
        self._told = now
        left = (now - self._begun) * (self._total - self._done) / self._done
        share = 100 * self._done // self._total
        sys.stderr.write(f"codeintel-rev: {self._label}: {share} %, about {left:.0f} s left\n")
