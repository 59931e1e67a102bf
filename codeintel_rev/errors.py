"""What can go wrong in words a user can act on: each error says what, and how to mend it.

The exit code stands on the class, so that the command line has no table of its own.
"""

from __future__ import annotations


class RevError(Exception):
    """Something failed. `mend` is a command or an action, empty when there is none to offer."""

    exit_code = 1

    def __init__(self, what: str, mend: str = "") -> None:
        super().__init__(what, mend)
        self.what = what
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.what}. {self.mend}" if self.mend else self.what


class UsageError(RevError):
    """The call itself was wrong."""

    exit_code = 2


class NotFoundError(RevError):
    """A repository, path or index that was named is not there."""

    exit_code = 3


class ModelUnavailableError(RevError):
    """The embedding model cannot be used; the lexical channel still works."""


class DamagedIndexError(RevError):
    """An index is there and cannot be read."""


class BusyError(RevError):
    """Another process is indexing into the same folder."""
