"""Waits for the repository to change: by asking git now and then, which works on every file system."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codeintel_rev.io.git_client import GitClient

if TYPE_CHECKING:
    from pathlib import Path

    from codeintel_rev.indexing.build import BuildRequest

INTERVAL_SECONDS = 1.0
RETRY_SECONDS = 5.0
_SHARE = 10  # git is kept busy for at most one part in so many
_MOST_LOOKS = 10  # who never stops typing still gets an index


@dataclass(frozen=True, slots=True)
class _Seen:
    """`edits`: path, time and size of what differs from HEAD; empty when only commits are indexed."""

    head: str
    edits: frozenset[tuple[str, int, int]] = frozenset()


class Watch:
    """Of what one request would index. What changes while it is being indexed is seen by the next `wait`."""

    def __init__(self, request: BuildRequest, interval: float = INTERVAL_SECONDS) -> None:
        self._request = request
        self._interval = interval
        self._done: _Seen | None = None
        self._seen: _Seen | None = None
        self._failed = False

    def wait(self) -> None:
        """Returns the first time at once, then when something has changed and come to rest.

        Raises what git raises, also when the repository goes away.
        """
        if self._failed:
            time.sleep(RETRY_SECONDS)
        seen, pause = self._look()
        while seen == self._done:
            time.sleep(pause)
            seen, pause = self._look()
        if self._done is not None:
            seen = self._settled(seen, pause)
        self._seen, self._failed = seen, False

    def done(self) -> None:
        """What the last `wait` saw is indexed."""
        self._done = self._seen

    def failed(self) -> None:
        """It is not: the next `wait` returns after a pause even if nothing changes."""
        self._done, self._failed = None, True

    def _settled(self, seen: _Seen, pause: float) -> _Seen:
        for _ in range(_MOST_LOOKS):
            time.sleep(pause)
            before, (seen, pause) = seen, self._look()
            if seen == before:
                break
        return seen

    def _look(self) -> tuple[_Seen, float]:
        begun = time.monotonic()
        with GitClient.open(self._request.repo) as client:
            head = client.head_commit()
            seen = _Seen(head, _edits(client)) if self._request.working_tree else _Seen(head)
        return seen, max(self._interval, _SHARE * (time.monotonic() - begun))


def _edits(client: GitClient) -> frozenset[tuple[str, int, int]]:
    tree = client.working_tree(every_file=True)
    return frozenset(_stamp(client.root, path) for path in tree.dirty | tree.untracked)


def _stamp(root: Path, path: str) -> tuple[str, int, int]:
    try:
        found = os.lstat(root / path)
    except (OSError, ValueError):
        return path, 0, 0
    return path, found.st_mtime_ns, found.st_size
