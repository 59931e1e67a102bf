"""What can go wrong in words a user can act on: each error says what, and how to mend it.

The exit code and the HTTP status stand on the class, so that neither the command line nor the server has a table.
"""

from __future__ import annotations


class RevError(Exception):
    """Something failed. `mend` is a command or an action, empty when there is none to offer."""

    exit_code = 1
    http_status = 500

    def __init__(self, what: str, mend: str = "") -> None:
        super().__init__(what, mend)
        self.what = what
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.what}. {self.mend}" if self.mend else self.what


class UsageError(RevError):
    """The call itself was wrong."""

    exit_code = 2
    http_status = 400


class PathRefusedError(UsageError):
    """A path that is not served: outside the repository, in its `.git`, behind a link, or no text file."""

    http_status = 404


class NotFoundError(RevError):
    """A repository, path or index that was named is not there."""

    exit_code = 3
    http_status = 404


class ModelUnavailableError(RevError):
    """The embedding model cannot be used; the lexical channel still works."""

    http_status = 503


class DamagedIndexError(RevError):
    """An index is there and cannot be read."""

    http_status = 503


class BusyError(RevError):
    """Another process is indexing into the same folder."""

    http_status = 409


class OverloadedError(RevError):
    """More is asked at once than this server takes; `retry_after` are seconds."""

    http_status = 503
    retry_after = 1


class DeadlineError(RevError):
    """The work was not done in the time that a request has."""

    http_status = 504


class RemoteError(RevError):
    """A server that the settings name refused, failed, or answered what cannot be used."""

    http_status = 503


class RemoteTimeoutError(RemoteError, TimeoutError):
    """A server that the settings name did not answer in the time that it was given."""


class EmbeddingError(RevError):
    """The embedding model is there and has failed; the lexical channel still works."""

    http_status = 503


class EmbeddingTimeoutError(EmbeddingError, TimeoutError):
    """The embedding model did not answer in the time that it was given."""


class SearchFailedError(RevError):
    """No channel of a search has run; the message names each with its reason."""

    http_status = 503


class ClosedError(RevError):
    """An index that was opened has been closed; another one is served now."""

    http_status = 503
